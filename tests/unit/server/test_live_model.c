/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "server/live_model.h"
#include "tests/unit/server/served_fixture.h"
#include "tests/unit/unit.h"

static char path[64];
static struct live_model *live;

static void set_up(void)
{
	struct err err = {0};

	served_save("hash:4", ROUTER_STATIC, path);
	ck_assert_msg(live_model_open(path, &live, &err) == STATUS_OK, "%s", err.msg);
}

static void tear_down(void)
{
	live_model_close(live);
	unlink(path);
}

/* Another router in the file. */
static void replace_file(enum router_kind kind)
{
	char fresh[64];

	served_save("hash:4", kind, fresh);
	ck_assert_int_eq(rename(fresh, path), 0);
}

static void damage_file(void)
{
	FILE *file = fopen(path, "wb");

	ck_assert_ptr_nonnull(file);
	fputs("not a model", file);
	fclose(file);
}

static enum router_kind kind_now(void)
{
	struct served_model *served = live_model_acquire(live);
	enum router_kind kind = served->model.router.kind;

	live_model_release(live, served);
	return kind;
}

START_TEST(reload_serves_the_new_file)
{
	struct err err = {0};

	replace_file(ROUTER_MLP);
	ck_assert_int_eq(kind_now(), ROUTER_STATIC);
	ck_assert_msg(live_model_reload(live, &err) == STATUS_OK, "%s", err.msg);
	ck_assert_int_eq(kind_now(), ROUTER_MLP);
}
END_TEST

START_TEST(model_in_use_outlives_its_replacement)
{
	struct served_model *old = live_model_acquire(live);

	replace_file(ROUTER_LINEAR);
	ck_assert_int_eq(live_model_reload(live, NULL), STATUS_OK);
	replace_file(ROUTER_MLP);
	ck_assert_int_eq(live_model_reload(live, NULL), STATUS_OK);
	ck_assert_int_eq(old->model.router.kind, ROUTER_STATIC);
	ck_assert_float_eq(old->model.router.bias[0], served_router_bias[0]);
	live_model_release(live, old);
	ck_assert_int_eq(kind_now(), ROUTER_MLP);
}
END_TEST

START_TEST(bad_file_leaves_the_old_model)
{
	struct served_model *before = live_model_acquire(live), *after;
	struct err err = {0};

	damage_file();
	ck_assert_int_eq(live_model_reload(live, &err), STATUS_BAD_FILE);
	ck_assert_ptr_nonnull(strstr(err.msg, path));
	after = live_model_acquire(live);
	ck_assert_ptr_eq(after, before);
	live_model_release(live, before);
	live_model_release(live, after);
}
END_TEST

START_TEST(missing_file_is_refused_at_start)
{
	struct live_model *none;
	struct err err = {0};

	ck_assert_int_eq(live_model_open("/tmp/no-such-model", &none, &err), STATUS_IO);
	ck_assert_ptr_nonnull(strstr(err.msg, "/tmp/no-such-model"));
	live_model_close(NULL);
}
END_TEST

START_TEST(release_of_nothing_is_allowed)
{
	live_model_release(live, NULL);
}
END_TEST

/* ---- threads ---- */

static atomic_bool done;

static void *use_models(void *unused)
{
	(void)unused;
	while (!atomic_load(&done)) {
		struct served_model *served = live_model_acquire(live);

		/* reads freed memory if a reference was not counted */
		if (served->model.heads.n_heads != SERVED_HEADS ||
		    served->model.router.bias[0] != served_router_bias[0])
			abort();
		live_model_release(live, served);
	}
	return NULL;
}

START_TEST(reloads_do_not_disturb_users)
{
	static const enum router_kind kinds[] = {ROUTER_MLP, ROUTER_LINEAR, ROUTER_STATIC};
	pthread_t threads[2];

	atomic_store(&done, false);
	for (size_t i = 0; i < LENGTH(threads); i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, use_models, NULL), 0);
	for (size_t i = 0; i < 60; i++) {
		if (i % 4 == 3)
			damage_file();
		else
			replace_file(kinds[i % LENGTH(kinds)]);
		ck_assert_int_eq(live_model_reload(live, NULL),
				 i % 4 == 3 ? STATUS_BAD_FILE : STATUS_OK);
	}
	atomic_store(&done, true);
	for (size_t i = 0; i < LENGTH(threads); i++)
		pthread_join(threads[i], NULL);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("live_model");
	TCase *tcase = tcase_create("live_model");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, reload_serves_the_new_file);
	tcase_add_test(tcase, model_in_use_outlives_its_replacement);
	tcase_add_test(tcase, bad_file_leaves_the_old_model);
	tcase_add_test(tcase, missing_file_is_refused_at_start);
	tcase_add_test(tcase, release_of_nothing_is_allowed);
	tcase_add_test(tcase, reloads_do_not_disturb_users);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
