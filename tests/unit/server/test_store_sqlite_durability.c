/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_store_sqlite_durability.c - what is acknowledged stays: kill -9, replay of
 * the events, reads during writes.
 */
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/rng.h"
#include "core/math/logmath.h"
#include "core/model/hedge.h"
#include "tests/unit/server/store_fixture.h"
#include "tests/unit/unit.h"

#define MAX_BATCH 5

static struct store_folder folder;

static void set_up(void)
{
	store_folder_make(&folder);
}

static void tear_down(void)
{
	store_folder_remove(&folder);
}

/* ---- replay ---- */

#define N_USERS	     60
#define MAX_REPLAYED (N_USERS * 6)

/* A row of states as the events make it. */
struct replayed {
	char user[32], context[32];
	int64_t model;
	double s[HEADS_MAX];
	uint64_t updates;
	int64_t updated_us;
};

static struct replayed rows[MAX_REPLAYED];
static size_t n_rows;

static struct replayed *find_row(const char *user, const char *context, int64_t model)
{
	for (size_t i = 0; i < n_rows; i++) {
		if (strcmp(rows[i].user, user) == 0 && strcmp(rows[i].context, context) == 0 &&
		    rows[i].model == model)
			return &rows[i];
	}
	return NULL;
}

static struct replayed *make_row(const char *user, const char *context, int64_t model)
{
	struct replayed *row = &rows[n_rows++];

	ck_assert_uint_le(n_rows, MAX_REPLAYED);
	*row = (struct replayed){.model = model};
	snprintf(row->user, sizeof(row->user), "%s", user);
	snprintf(row->context, sizeof(row->context), "%s", context);
	return row;
}

static const char *text_of(sqlite3_stmt *stmt, int column)
{
	return (const char *)sqlite3_column_text(stmt, column);
}

static void replay_step(struct replayed *row, sqlite3_stmt *event)
{
	size_t n_heads = (size_t)sqlite3_column_bytes(event, 7) / sizeof(double);
	double loss[HEADS_MAX];

	memcpy(loss, sqlite3_column_blob(event, 7), n_heads * sizeof(double));
	ck_assert_int_eq(hedge_update(row->s, loss, n_heads, sqlite3_column_double(event, 4),
				      sqlite3_column_double(event, 5), NULL),
			 STATUS_OK);
	if (sqlite3_column_double(event, 6) > 0)
		hedge_share(row->s, n_heads, sqlite3_column_double(event, 6));
	row->updates++;
	row->updated_us = sqlite3_column_int64(event, 3);
}

static void replay_event(sqlite3_stmt *event)
{
	const char *user = text_of(event, 0), *context = text_of(event, 1);
	int64_t model = sqlite3_column_int64(event, 2);
	struct replayed *overall = find_row(user, "", model);
	struct replayed *here = find_row(user, context, model);

	if (overall == NULL) {
		overall = make_row(user, "", model);
		hedge_start(overall->s, (size_t)sqlite3_column_bytes(event, 7) / sizeof(double));
	}
	if (here == NULL && *context != '\0') {
		here = make_row(user, context, model);
		memcpy(here->s, overall->s, sizeof(here->s));
	}
	replay_step(overall, event);
	if (*context != '\0')
		replay_step(here, event);
}

static void compare_state(sqlite3_stmt *state)
{
	const struct replayed *row =
	    find_row(text_of(state, 0), text_of(state, 1), sqlite3_column_int64(state, 2));

	ck_assert_ptr_nonnull(row);
	ck_assert_mem_eq(row->s, sqlite3_column_blob(state, 3),
			 (size_t)sqlite3_column_bytes(state, 3));
	ck_assert_uint_eq(row->updates, (uint64_t)sqlite3_column_int64(state, 4));
	ck_assert_int_eq(row->updated_us, sqlite3_column_int64(state, 5));
}

static size_t for_each_row(sqlite3 *db, const char *sql, void (*act)(sqlite3_stmt *row))
{
	sqlite3_stmt *stmt;
	size_t n = 0;

	ck_assert_int_eq(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
	for (; sqlite3_step(stmt) == SQLITE_ROW; n++)
		act(stmt);
	ck_assert_int_eq(sqlite3_finalize(stmt), SQLITE_OK);
	return n;
}

/* Every row of states comes out of the events, bit for bit, and no other; how many events. */
static size_t assert_replay(void)
{
	size_t n_events;
	sqlite3 *db;

	n_rows = 0;
	ck_assert_int_eq(sqlite3_open(folder.file, &db), SQLITE_OK);
	n_events = for_each_row(db,
				"SELECT user, context, model, time_us, temperature, strength,"
				" drift, losses FROM events ORDER BY seq",
				replay_event);
	ck_assert_uint_eq(for_each_row(db,
				       "SELECT user, context, model, log_weights, updates,"
				       " updated_us FROM states",
				       compare_state),
			  n_rows);
	sqlite3_close(db);
	return n_events;
}

/* The i-th step of a mixed history: some users, contexts and models, any step size. */
static void mixed_step(struct store_step *step, struct rng *rng, unsigned i)
{
	static const char *const contexts[] = {"", "work", "home"};
	char user[16], id[16];

	snprintf(user, sizeof(user), "user %u", (unsigned)(rng_next(rng) % N_USERS));
	snprintf(id, sizeof(id), "event %u", i);
	store_step_set(step, user, contexts[rng_next(rng) % 3], id, i);
	if (rng_next(rng) % 4 == 0)
		store_step_resize(step, "other", 8);
	step->op.feedback.temperature = 0.1 + rng_uniform(rng);
	step->op.feedback.strength = 2 * rng_uniform(rng);
	step->op.feedback.drift = rng_next(rng) % 2 == 0 ? 0 : 0.1 * rng_uniform(rng);
}

/* Opened with a large cache and with one that is always full. */
static struct store *(*const open_store[])(const struct store_folder *folder) = {
    store_folder_open, store_folder_open_small};

START_TEST(states_come_out_of_the_events_bit_for_bit)
{
	struct store *store = open_store[_i](&folder);
	struct store_step steps[MAX_BATCH];
	struct rng rng;

	rng_init(&rng, 1);
	for (unsigned i = 0; i < 60; i++) {
		for (unsigned k = 0; k < MAX_BATCH; k++)
			mixed_step(&steps[k], &rng, i * MAX_BATCH + k);
		store_apply_steps(store, steps, MAX_BATCH);
		if (i == 30)
			ck_assert_uint_gt(
			    store_delete(store, "user 2") + store_delete(store, "user 3"), 0);
	}
	store_close(store);
	ck_assert_uint_gt(assert_replay(), 200);
	ck_assert_uint_gt(n_rows, N_USERS);
}
END_TEST

/* ---- kill -9 ---- */

#define N_KILLS	   10
#define MAX_EVENTS 100000

static bool acknowledged[MAX_EVENTS];

/* In a child that will be killed: give steps in batches; say which are done. */
static void give_until_killed(unsigned first, int done_fd)
{
	struct store *store = store_folder_open_small(&folder);
	struct store_step steps[MAX_BATCH];
	struct rng rng;

	rng_init(&rng, first);
	for (unsigned event = first; event + MAX_BATCH < MAX_EVENTS;) {
		unsigned n = 1 + (unsigned)(rng_next(&rng) % MAX_BATCH);

		for (unsigned k = 0; k < n; k++)
			mixed_step(&steps[k], &rng, event + k);
		store_apply_steps(store, steps, n);
		for (unsigned k = 0; k < n; k++, event++) {
			if (write(done_fd, &event, sizeof(event)) != sizeof(event))
				_exit(1);
		}
	}
	_exit(1);
}

/* The number after the last event that the child told to be done. */
static unsigned run_and_kill(unsigned first, unsigned delay_us)
{
	unsigned event, next = first;
	int fds[2];
	pid_t child;

	ck_assert_int_eq(pipe(fds), 0);
	child = fork();
	ck_assert_int_ge(child, 0);
	if (child == 0) {
		close(fds[0]);
		give_until_killed(first, fds[1]);
	}
	close(fds[1]);
	/* the first one shows that it is at work */
	if (read(fds[0], &event, sizeof(event)) == sizeof(event)) {
		acknowledged[event] = true;
		next = event + 1;
	}
	usleep(delay_us);
	kill(child, SIGKILL);
	while (read(fds[0], &event, sizeof(event)) == sizeof(event)) {
		acknowledged[event] = true;
		next = event + 1;
	}
	close(fds[0]);
	ck_assert_int_eq(waitpid(child, NULL, 0), child);
	return next;
}

static unsigned seen[MAX_EVENTS];

static void see_event(sqlite3_stmt *row)
{
	unsigned event;

	ck_assert_int_eq(sscanf(text_of(row, 0), "event %u", &event), 1);
	ck_assert_uint_lt(event, MAX_EVENTS);
	seen[event]++;
}

/* All that was acknowledged is there, nothing is there twice. */
static void assert_all_there(void)
{
	sqlite3 *db;

	memset(seen, 0, sizeof(seen));
	ck_assert_int_eq(sqlite3_open(folder.file, &db), SQLITE_OK);
	for_each_row(db, "SELECT id FROM events", see_event);
	sqlite3_close(db);
	for (unsigned i = 0; i < MAX_EVENTS; i++) {
		if (seen[i] > 1 || (acknowledged[i] && seen[i] == 0))
			ck_abort_msg("event %u is there %u times, acknowledged: %d", i, seen[i],
				     acknowledged[i]);
	}
}

START_TEST(kill_loses_nothing_that_was_acknowledged)
{
	unsigned next = 0, n_acknowledged = 0;
	struct rng rng;

	rng_init(&rng, 3);
	for (unsigned i = 0; i < N_KILLS; i++) {
		/* a batch that was not acknowledged may be there: its numbers are not used again */
		next = run_and_kill(next, (unsigned)(rng_next(&rng) % 40000)) + MAX_BATCH;
		store_close(open_store[i % 2](&folder));
		ck_assert_int_eq(store_folder_int(&folder,
						  "SELECT count(*) FROM pragma_integrity_check"
						  " WHERE integrity_check = 'ok'"),
				 1);
		assert_all_there();
		assert_replay();
	}
	for (unsigned i = 0; i < MAX_EVENTS; i++)
		n_acknowledged += acknowledged[i];
	ck_assert_uint_ge(n_acknowledged, N_KILLS);
}
END_TEST

/* ---- reads during writes ---- */

#define N_READS	 400
#define N_WRITES 300

static struct store *shared;
static atomic_bool writing;

static void read_overall(uint64_t *updates)
{
	double s[STORE_HEADS];
	uint64_t now;

	ck_assert_int_eq(
	    store_read_state(shared, "ada", "work", "model", STORE_HEADS, s, &now, NULL),
	    STATUS_OK);
	ck_assert_uint_ge(now, *updates);
	ck_assert(now == 0 || fabs(log_sum_exp(s, STORE_HEADS)) < 1e-9);
	*updates = now;
}

/* States and number of events are of the same moment. */
static void read_all(void)
{
	struct store_user user;
	enum status status = store_read_user(shared, "ada", NULL, &user, NULL);

	ck_assert(status == STATUS_OK || status == STATUS_NOT_FOUND);
	if (status == STATUS_OK)
		ck_assert_uint_eq(user.states[0].updates, user.n_events);
	store_user_free(&user);
}

static void *read_while_written(void *context)
{
	uint64_t updates = 0;

	(void)context;
	for (unsigned i = 0; i < N_READS || atomic_load(&writing); i++) {
		read_overall(&updates);
		read_all();
		ck_assert_int_eq(store_check(shared, NULL), STATUS_OK);
	}
	return NULL;
}

/* Forget bob and teach him in one transaction: he begins anew, whatever others read meanwhile. */
static void teach_anew(unsigned i)
{
	struct store_op drop = {.kind = STORE_DELETE_USER, .delete_user = {.user = "bob"}};
	struct store_step step;
	struct store_op *ops[] = {&drop, &step.op};
	struct err err = {0};
	char id[16];

	snprintf(id, sizeof(id), "e%u", i);
	store_step_set(&step, "bob", "work", id, i);
	ck_assert_msg(store_apply(shared, ops, LENGTH(ops), &err) == STATUS_OK, "%s", err.msg);
	ck_assert_uint_eq(step.op.feedback.updates_out, 1);
	ck_assert_uint_eq(drop.delete_user.events_out, i == 0 ? 0 : 1);
}

static void *read_bob(void *context)
{
	double s[STORE_HEADS];
	uint64_t updates;

	(void)context;
	while (atomic_load(&writing)) {
		ck_assert_int_eq(store_read_state(shared, "bob", "work", "model", STORE_HEADS, s,
						  &updates, NULL),
				 STATUS_OK);
		ck_assert_uint_le(updates, 1);
	}
	return NULL;
}

/* The other one forgets whatever nobody holds, and folds all the time. */
static const size_t cache_bytes[] = {STORE_CACHE, 1024};

START_TEST(reads_during_writes_see_whole_transactions)
{
	const struct store_sqlite_options options = {.path = folder.file,
						     .busy_timeout_ms = 10000,
						     .n_readers = 2,
						     .cache_bytes = cache_bytes[_i],
						     .check = true};
	pthread_t threads[3];

	ck_assert_int_eq(store_sqlite_open(&options, &shared, NULL), STATUS_OK);
	atomic_store(&writing, true);
	for (size_t i = 0; i < LENGTH(threads); i++)
		ck_assert_int_eq(
		    pthread_create(&threads[i], NULL, i == 0 ? read_bob : read_while_written, NULL),
		    0);
	for (unsigned i = 0; i < N_WRITES; i++) {
		char id[16];

		snprintf(id, sizeof(id), "e%u", i);
		store_give(shared, "ada", i % 2 == 0 ? "work" : "", id, i);
		teach_anew(i);
	}
	atomic_store(&writing, false);
	for (size_t i = 0; i < LENGTH(threads); i++)
		pthread_join(threads[i], NULL);
	store_close(shared);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("store_sqlite_durability");
	TCase *replay = tcase_create("replay");
	TCase *killed = tcase_create("kill");
	TCase *threads = tcase_create("threads");
	TCase *const all[] = {replay, killed, threads};

	for (size_t i = 0; i < LENGTH(all); i++) {
		tcase_add_checked_fixture(all[i], set_up, tear_down);
		tcase_set_timeout(all[i], 120);
		suite_add_tcase(suite, all[i]);
	}
	tcase_add_loop_test(replay, states_come_out_of_the_events_bit_for_bit, 0,
			    LENGTH(open_store));
	tcase_add_test(killed, kill_loses_nothing_that_was_acknowledged);
	tcase_add_loop_test(threads, reads_during_writes_see_whole_transactions, 0,
			    LENGTH(cache_bytes));
	return unit_run(suite);
}
