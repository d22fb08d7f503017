/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "core/base/mem.h"
#include "server/state_cache.h"
#include "tests/unit/unit.h"

#define K 3

static struct state_cache *cache;

static void open_cache(size_t bytes)
{
	ck_assert_int_eq(state_cache_open(bytes, &cache, NULL), STATUS_OK);
}

static void set_up(void)
{
	open_cache(1 << 20);
}

static void tear_down(void)
{
	state_cache_close(cache);
}

/* ---- helpers ---- */

/* updates 0: there is no such state. Log-weights tell of the updates. */
static struct state_value *value_of(uint64_t updates)
{
	struct state_value *value = state_value_new(K);

	value->updates = updates;
	value->seq = (int64_t)updates;
	for (size_t k = 0; k < K; k++)
		value->log_weight[k] = -(double)updates - (double)k;
	return value;
}

static struct state_key key_of(const char *user, const char *context)
{
	return (struct state_key){user, context, "model"};
}

/* What the writer does for a step; before: what the database has. */
static struct learner *teach_after(const char *user, const char *context, uint64_t before,
				   uint64_t updates)
{
	const struct state_key key = key_of(user, context);
	struct learner *learner = state_cache_take(cache, &key);

	if (learner == NULL)
		learner = state_cache_add(cache, &key, value_of(before));
	ck_assert_ptr_nonnull(learner);
	learner->staged = value_of(updates);
	state_cache_publish(cache, learner);
	return learner;
}

static struct learner *teach(const char *user, const char *context, uint64_t updates)
{
	return teach_after(user, context, 0, updates);
}

static void learn(const char *user, const char *context, uint64_t updates)
{
	state_cache_release(cache, teach(user, context, updates));
}

static bool read_state(const char *user, const char *context, uint64_t *updates_out,
		       struct state_miss *miss_out)
{
	const struct state_key key = key_of(user, context);
	double s[K];
	bool known = state_cache_read(cache, &key, K, s, updates_out, miss_out);

	for (size_t k = 0; k < K; k++)
		ck_assert(s[k] == (*updates_out == 0 ? 0 : -(double)*updates_out - (double)k));
	return known;
}

static void assert_known(const char *user, const char *context, uint64_t updates)
{
	struct state_miss miss;
	uint64_t got;

	ck_assert_msg(read_state(user, context, &got, &miss), "%s/%s", user, context);
	ck_assert_uint_eq(got, updates);
}

static void assert_missing(const char *user, const char *context, bool of_context, bool of_overall)
{
	struct state_miss miss;
	uint64_t got;

	ck_assert_msg(!read_state(user, context, &got, &miss), "%s/%s", user, context);
	ck_assert_int_eq(miss.context, of_context);
	ck_assert_int_eq(miss.overall, of_overall);
}

static void fill(const char *user, const char *context, uint64_t epoch, uint64_t updates)
{
	const struct state_key key = key_of(user, context);

	state_cache_fill(cache, &key, epoch, value_of(updates));
}

static struct state_cache_stats stats(void)
{
	struct state_cache_stats now;

	state_cache_stats(cache, &now);
	return now;
}

/* ---- read ---- */

START_TEST(nothing_is_known_at_first)
{
	assert_missing("ada", "", false, true);
	assert_missing("ada", "work", true, true);
	ck_assert_uint_eq(stats().misses, 2);
	ck_assert_uint_eq(stats().n_states, 0);
}
END_TEST

START_TEST(context_is_read_before_the_overall_state)
{
	learn("ada", "", 5);
	assert_known("ada", "", 5);
	/* that there is none in this context is not known */
	assert_missing("ada", "work", true, false);
	learn("ada", "work", 2);
	assert_known("ada", "work", 2);
	ck_assert_uint_eq(stats().hits, 2);
}
END_TEST

START_TEST(overall_state_is_out_when_only_the_context_is_missing)
{
	struct state_miss miss;
	uint64_t updates;

	learn("ada", "", 5);
	ck_assert(!read_state("ada", "work", &updates, &miss));
	ck_assert_uint_eq(updates, 5);
	fill("ada", "work", miss.epoch, 0);
	assert_known("ada", "work", 5);
}
END_TEST

START_TEST(absence_is_known_too)
{
	struct state_miss miss;
	uint64_t updates;

	ck_assert(!read_state("ada", "", &updates, &miss));
	fill("ada", "", miss.epoch, 0);
	assert_known("ada", "", 0);
	assert_missing("ada", "work", true, false);
}
END_TEST

START_TEST(keys_that_differ_in_one_part_are_others)
{
	const struct state_key other_model = {"ada", "work", "other"};
	struct state_miss miss;
	uint64_t updates;
	double s[K];

	learn("ada", "work", 1);
	assert_missing("ada", "wor", true, true);
	assert_missing("adaw", "ork", true, true);
	ck_assert(!state_cache_read(cache, &other_model, K, s, &updates, &miss));
}
END_TEST

START_TEST(state_of_another_number_of_heads_is_not_known)
{
	const struct state_key key = key_of("ada", "");
	struct state_miss miss;
	uint64_t updates;
	double s[K + 1];

	learn("ada", "", 1);
	ck_assert(!state_cache_read(cache, &key, K + 1, s, &updates, &miss));
}
END_TEST

/* ---- fill ---- */

START_TEST(what_was_read_before_the_user_learnt_is_not_kept)
{
	struct state_miss miss;
	uint64_t updates;

	ck_assert(!read_state("ada", "work", &updates, &miss));
	learn("ada", "", 1);
	fill("ada", "work", miss.epoch, 9);
	assert_missing("ada", "work", true, false);
}
END_TEST

START_TEST(what_is_known_is_not_replaced)
{
	const struct state_key key = key_of("ada", "");
	struct state_miss miss;
	struct learner *learner;
	uint64_t updates;

	ck_assert(!read_state("ada", "", &updates, &miss));
	learner = state_cache_add(cache, &key, value_of(3));
	fill("ada", "", miss.epoch, 9);
	assert_known("ada", "", 3);
	state_cache_release(cache, learner);
}
END_TEST

START_TEST(unpublished_state_is_for_the_writer_alone)
{
	const struct state_key key = key_of("ada", "");
	struct learner *learner = state_cache_add(cache, &key, NULL);
	struct state_miss miss;
	uint64_t updates;

	ck_assert(!read_state("ada", "", &updates, &miss));
	fill("ada", "", miss.epoch, 9);
	assert_missing("ada", "", false, true);
	/* and is forgotten unless it is published */
	state_cache_release(cache, learner);
	ck_assert_uint_eq(stats().n_states, 0);
	learner = state_cache_add(cache, &key, NULL);
	learner->staged = value_of(4);
	state_cache_publish(cache, learner);
	state_cache_release(cache, learner);
	assert_known("ada", "", 4);
}
END_TEST

/* ---- bound ---- */

START_TEST(full_cache_forgets_what_was_used_least_recently)
{
	char user[32];

	for (unsigned i = 0; i < 20000; i++) {
		snprintf(user, sizeof(user), "user %u", i);
		learn(user, "", 1);
		assert_known("user 0", "", 1);
	}
	ck_assert_uint_le(stats().bytes, stats().capacity_bytes);
	ck_assert_uint_gt(stats().bytes, stats().capacity_bytes / 2);
	ck_assert_uint_eq(stats().evictions, 20000 - stats().n_states);
	assert_known("user 0", "", 1);
	assert_known("user 19999", "", 1);
	assert_missing("user 1", "", false, true);
}
END_TEST

START_TEST(what_is_held_stays)
{
	enum { N_HELD = 9000 };
	static struct learner *held[N_HELD];
	char user[32];

	for (unsigned i = 0; i < N_HELD; i++) {
		snprintf(user, sizeof(user), "user %u", i);
		held[i] = teach(user, "", i + 1);
	}
	ck_assert_uint_gt(stats().bytes, stats().capacity_bytes);
	for (unsigned i = 0; i < N_HELD; i++) {
		snprintf(user, sizeof(user), "user %u", i);
		assert_known(user, "", i + 1);
	}
	for (unsigned i = 0; i < N_HELD; i++)
		state_cache_release(cache, held[i]);
	ck_assert_uint_le(stats().bytes, stats().capacity_bytes);
}
END_TEST

START_TEST(smallest_cache_works)
{
	state_cache_close(cache);
	open_cache(0);
	for (uint64_t i = 1; i < 100; i++) {
		struct learner *learner = teach("ada", "", i);

		assert_known("ada", "", i);
		state_cache_release(cache, learner);
		ck_assert_uint_eq(stats().bytes, 0);
	}
}
END_TEST

/* ---- users ---- */

START_TEST(forget_leaves_nothing_but_what_is_staged)
{
	struct learner *held = teach("ada", "held", 3), *staged = teach("ada", "staged", 4);

	learn("ada", "", 1);
	learn("ada", "work", 2);
	learn("bob", "", 7);
	staged->staged = value_of(1);
	state_cache_forget(cache, "ada");
	state_cache_publish(cache, staged);
	assert_missing("ada", "work", true, true);
	assert_missing("ada", "held", true, true);
	assert_known("ada", "staged", 1);
	assert_known("bob", "", 7);
	state_cache_release(cache, held);
	state_cache_release(cache, staged);
	ck_assert_uint_eq(stats().n_states, 2);
}
END_TEST

START_TEST(user_is_copied_without_what_is_absent)
{
	struct store_user user;
	uint64_t epoch;

	learn("ada", "", 3);
	learn("ada", "work", 2);
	learn("ada", "none", 0);
	learn("bob", "", 9);
	ck_assert_int_eq(state_cache_copy_user(cache, "ada", NULL, &user, &epoch, NULL), STATUS_OK);
	ck_assert_uint_eq(user.n_states, 2);
	for (size_t i = 0; i < user.n_states; i++) {
		bool overall = user.states[i].context[0] == '\0';

		ck_assert_uint_eq(user.states[i].updates, overall ? 3 : 2);
		ck_assert_str_eq(user.states[i].model_id, "model");
		ck_assert(user.states[i].log_weight[1] == (overall ? -4 : -3));
	}
	store_user_free(&user);
	ck_assert_uint_eq(state_cache_epoch(cache, "ada"), epoch);
	learn("ada", "work", 3);
	ck_assert_uint_ne(state_cache_epoch(cache, "ada"), epoch);
}
END_TEST

START_TEST(all_of_a_user_are_taken)
{
	struct learner **learners;
	char context[16];
	size_t n;

	for (unsigned i = 0; i < 500; i++) {
		snprintf(context, sizeof(context), "c%u", i);
		learn("ada", context, 1);
		learn("bob", context, 1);
	}
	ck_assert_int_eq(state_cache_take_user(cache, "ada", &learners, &n, NULL), STATUS_OK);
	ck_assert_uint_eq(n, 500);
	for (size_t i = 0; i < n; i++) {
		ck_assert_str_eq(learners[i]->user, "ada");
		state_cache_release(cache, learners[i]);
	}
	mem_free(learners);
}
END_TEST

/* ---- threads ---- */

#define N_TURNS 20000

static atomic_bool learning;
static atomic_uint_fast64_t published[4];

/* Never less than what was published before the read began; fills as the store would. */
static void *read_all_the_time(void *context)
{
	char user[16];

	(void)context;
	for (unsigned i = 0; atomic_load(&learning); i++) {
		uint64_t least = atomic_load(&published[i % 4]), updates;
		struct state_miss miss;

		snprintf(user, sizeof(user), "user %u", i % 4);
		if (read_state(user, "", &updates, &miss))
			ck_assert_uint_ge(updates, least);
		else
			fill(user, "", miss.epoch, atomic_load(&published[i % 4]));
	}
	return NULL;
}

START_TEST(readers_see_what_was_published)
{
	pthread_t threads[3];
	char user[16];

	state_cache_close(cache);
	open_cache(40000);
	atomic_store(&learning, true);
	for (size_t i = 0; i < LENGTH(threads); i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, read_all_the_time, NULL), 0);
	for (unsigned i = 0; i < N_TURNS; i++) {
		snprintf(user, sizeof(user), "user %u", i % 4);
		state_cache_release(cache,
				    teach_after(user, "", atomic_load(&published[i % 4]), i + 1));
		atomic_store(&published[i % 4], i + 1);
		/* push others out */
		snprintf(user, sizeof(user), "other %u", i);
		learn(user, "", 1);
	}
	atomic_store(&learning, false);
	for (size_t i = 0; i < LENGTH(threads); i++)
		pthread_join(threads[i], NULL);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("state_cache");
	TCase *read = tcase_create("read");
	TCase *filled = tcase_create("fill");
	TCase *bound = tcase_create("bound");
	TCase *users = tcase_create("users");
	TCase *threads = tcase_create("threads");
	TCase *const all[] = {read, filled, bound, users, threads};

	for (size_t i = 0; i < LENGTH(all); i++) {
		tcase_add_checked_fixture(all[i], set_up, tear_down);
		tcase_set_timeout(all[i], 60);
		suite_add_tcase(suite, all[i]);
	}
	tcase_add_test(read, nothing_is_known_at_first);
	tcase_add_test(read, context_is_read_before_the_overall_state);
	tcase_add_test(read, overall_state_is_out_when_only_the_context_is_missing);
	tcase_add_test(read, absence_is_known_too);
	tcase_add_test(read, keys_that_differ_in_one_part_are_others);
	tcase_add_test(read, state_of_another_number_of_heads_is_not_known);
	tcase_add_test(filled, what_was_read_before_the_user_learnt_is_not_kept);
	tcase_add_test(filled, what_is_known_is_not_replaced);
	tcase_add_test(filled, unpublished_state_is_for_the_writer_alone);
	tcase_add_test(bound, full_cache_forgets_what_was_used_least_recently);
	tcase_add_test(bound, what_is_held_stays);
	tcase_add_test(bound, smallest_cache_works);
	tcase_add_test(users, forget_leaves_nothing_but_what_is_staged);
	tcase_add_test(users, user_is_copied_without_what_is_absent);
	tcase_add_test(users, all_of_a_user_are_taken);
	tcase_add_test(threads, readers_see_what_was_published);
	return unit_run(suite);
}
