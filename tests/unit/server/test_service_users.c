/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "server/service.h"
#include "tests/unit/server/served_fixture.h"
#include "tests/unit/unit.h"

#define K SERVED_HEADS

static struct arena arena;
static struct fake_store fake;
static struct service service;

static void set_up(void)
{
	fake_store_init(&fake);
	service = served_service(&fake);
}

static void tear_down(void)
{
	arena_free(&arena);
}

START_TEST(user_is_shown_with_softmax_of_the_log_weights)
{
	struct user_view view;
	struct err err = {0};

	fake.known_user = "ada";
	memcpy(fake.bias, (double[K]){log(0.5), log(0.25), log(0.25)}, sizeof(fake.bias));
	fake.updates = 4;
	ck_assert_int_eq(service_read_user(&service, "ada", NULL, &arena, &view, &err), STATUS_OK);
	ck_assert_uint_eq(view.stored.n_states, 1);
	ck_assert_double_eq_tol(view.weights[0][0], 0.5, 1e-15);
	ck_assert_double_eq_tol(view.weights[0][2], 0.25, 1e-15);
	service_free_user(&view);
}
END_TEST

START_TEST(context_is_the_one_that_was_asked_for)
{
	struct user_view view;

	fake.known_user = "ada";
	ck_assert_int_eq(service_read_user(&service, "ada", "work", &arena, &view, NULL),
			 STATUS_OK);
	ck_assert_str_eq(fake.last_context, "work");
	service_free_user(&view);
}
END_TEST

START_TEST(list_has_a_cursor_until_its_end)
{
	const struct page_source from_start = {.limit = "1"};
	struct user_list list;
	struct page page;

	fake.known_user = "ada";
	ck_assert_int_eq(page_read(&from_start, &page, NULL), STATUS_OK);
	ck_assert_int_eq(service_list_users(&service, &page, &arena, &list, NULL), STATUS_OK);
	ck_assert_uint_eq(list.n_users, 1);
	ck_assert_str_eq(list.users[0].user, "ada");
	ck_assert_ptr_nonnull(list.next_cursor);

	const struct page_source next = {.cursor = list.next_cursor};

	ck_assert_int_eq(page_read(&next, &page, NULL), STATUS_OK);
	ck_assert_str_eq(page.after, "ada");
	ck_assert_int_eq(service_list_users(&service, &page, &arena, &list, NULL), STATUS_OK);
	ck_assert_str_eq(list.users[0].user, "zoe");
	ck_assert_ptr_null(list.next_cursor);
}
END_TEST

START_TEST(unknown_user_is_not_found)
{
	struct user_view view;
	struct err err = {0};

	ck_assert_int_eq(service_read_user(&service, "bob", NULL, &arena, &view, &err),
			 STATUS_NOT_FOUND);
	service_free_user(&view);
}
END_TEST

START_TEST(stored_state_that_is_not_finite_is_corrupt)
{
	struct user_view view;
	struct err err = {0};

	fake.known_user = "ada";
	fake.bias[0] = NAN;
	ck_assert_int_eq(service_read_user(&service, "ada", NULL, &arena, &view, &err),
			 STATUS_STATE_CORRUPT);
	service_free_user(&view);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("service users");
	TCase *users = tcase_create("service_read_user");

	tcase_add_checked_fixture(users, set_up, tear_down);
	tcase_add_test(users, user_is_shown_with_softmax_of_the_log_weights);
	tcase_add_test(users, context_is_the_one_that_was_asked_for);
	tcase_add_test(users, list_has_a_cursor_until_its_end);
	tcase_add_test(users, unknown_user_is_not_found);
	tcase_add_test(users, stored_state_that_is_not_finite_is_corrupt);
	suite_add_tcase(suite, users);
	return unit_run(suite);
}
