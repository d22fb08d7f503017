/* SPDX-License-Identifier: Apache-2.0 */
/* test_writer.c - on a store that waits when the test wants it to, and on a real one. */
#include <pthread.h>
#include <sys/resource.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/base/mem.h"
#include "server/writer.h"
#include "tests/unit/server/store_fixture.h"
#include "tests/unit/unit.h"

#define MAX_OPS	     64
#define MAX_COMMITS  16
#define N_PRODUCERS  4
#define PER_PRODUCER 60

/* ---- a store behind a gate ---- */

static struct {
	struct store store;
	pthread_mutex_t lock; /* guards all below */
	pthread_cond_t changed;
	bool closed; /* apply() waits */
	enum status answer;
	size_t batches[MAX_COMMITS]; /* [n_commits]: operations in each */
	size_t n_commits;	     /* begun */
	const struct store_op *applied[MAX_OPS];
	size_t n_applied;
	int niceness; /* of the thread that applies */
} gate = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static enum status gate_apply(struct store *store, struct store_op *const *ops, size_t n_ops,
			      struct err *err)
{
	enum status answer;

	(void)store;
	pthread_mutex_lock(&gate.lock);
	gate.niceness = getpriority(PRIO_PROCESS, 0);
	gate.batches[gate.n_commits++] = n_ops;
	pthread_cond_broadcast(&gate.changed);
	while (gate.closed)
		pthread_cond_wait(&gate.changed, &gate.lock);
	for (size_t i = 0; i < n_ops; i++) {
		gate.applied[gate.n_applied++] = ops[i];
		err_set(&ops[i]->err, gate.answer, "op");
	}
	answer = gate.answer;
	pthread_mutex_unlock(&gate.lock);
	return answer == STATUS_OK ? STATUS_OK : err_set(err, answer, "transaction");
}

static void gate_set(bool closed)
{
	pthread_mutex_lock(&gate.lock);
	gate.closed = closed;
	pthread_cond_broadcast(&gate.changed);
	pthread_mutex_unlock(&gate.lock);
}

static void gate_wait_for_commit(size_t n_commits)
{
	pthread_mutex_lock(&gate.lock);
	while (gate.n_commits < n_commits)
		pthread_cond_wait(&gate.changed, &gate.lock);
	pthread_mutex_unlock(&gate.lock);
}

/* ---- jobs ---- */

static struct store_op ops[MAX_OPS];
static struct writer_job jobs[MAX_OPS];
static const struct store_op *done[MAX_OPS]; /* [n_done], in this order; guarded by gate.lock */
static size_t n_done;
static struct writer *writer;

static void note_done(void *context, struct store_op *op)
{
	ck_assert_ptr_eq(context, op);
	pthread_mutex_lock(&gate.lock);
	done[n_done++] = op;
	pthread_cond_broadcast(&gate.changed);
	pthread_mutex_unlock(&gate.lock);
}

static void wait_done(size_t n)
{
	pthread_mutex_lock(&gate.lock);
	while (n_done < n)
		pthread_cond_wait(&gate.changed, &gate.lock);
	pthread_mutex_unlock(&gate.lock);
}

static enum status submit(size_t i, struct err *err)
{
	ops[i].kind = STORE_DELETE_USER;
	jobs[i] = (struct writer_job){.op = &ops[i], .done = note_done, .context = &ops[i]};
	return writer_submit(writer, &jobs[i], err);
}

static void submit_range(size_t begin, size_t end)
{
	for (size_t i = begin; i < end; i++)
		ck_assert_int_eq(submit(i, NULL), STATUS_OK);
}

static void start(size_t capacity, size_t max_batch)
{
	static const struct store_ops operations = {.apply = gate_apply};

	gate.store.ops = &operations;
	gate.answer = STATUS_OK;
	ck_assert_int_eq(writer_start(&gate.store, capacity, max_batch, &writer, NULL), STATUS_OK);
}

static void assert_stats(size_t queued, unsigned long long commits, unsigned long long n_ops,
			 unsigned long long failed)
{
	struct writer_stats stats;

	writer_stats(writer, &stats);
	ck_assert_uint_eq(stats.queued, queued);
	ck_assert_uint_eq(stats.commits, commits);
	ck_assert_uint_eq(stats.ops, n_ops);
	ck_assert_uint_eq(stats.failed_commits, failed);
}

/* ---- submit ---- */

START_TEST(lone_job_is_committed_at_once)
{
	start(8, 4);
	for (size_t i = 0; i < 3; i++) {
		submit_range(i, i + 1);
		wait_done(i + 1);
		ck_assert_ptr_eq(done[i], &ops[i]);
		assert_stats(0, i + 1, i + 1, 0);
	}
	writer_stop(writer);
	for (size_t i = 0; i < 3; i++)
		ck_assert_uint_eq(gate.batches[i], 1);
}
END_TEST

START_TEST(jobs_that_gather_are_one_commit_in_their_order)
{
	start(16, 16);
	gate_set(true);
	submit_range(0, 1);
	gate_wait_for_commit(1);
	submit_range(1, 11);
	assert_stats(10, 0, 0, 0);
	gate_set(false);
	wait_done(11);
	assert_stats(0, 2, 11, 0);
	writer_stop(writer);
	ck_assert_uint_eq(gate.n_commits, 2);
	ck_assert_uint_eq(gate.batches[1], 10);
	for (size_t i = 0; i < 11; i++) {
		ck_assert_ptr_eq(gate.applied[i], &ops[i]);
		ck_assert_ptr_eq(done[i], &ops[i]);
	}
}
END_TEST

START_TEST(batch_is_limited)
{
	start(16, 4);
	gate_set(true);
	submit_range(0, 1);
	gate_wait_for_commit(1);
	submit_range(1, 11);
	gate_set(false);
	wait_done(11);
	writer_stop(writer);
	ck_assert_uint_eq(gate.n_commits, 4);
	ck_assert_uint_eq(gate.batches[1], 4);
	ck_assert_uint_eq(gate.batches[2], 4);
	ck_assert_uint_eq(gate.batches[3], 2);
	for (size_t i = 0; i < 11; i++)
		ck_assert_ptr_eq(done[i], &ops[i]);
}
END_TEST

START_TEST(full_queue_refuses_and_takes_again)
{
	struct err err = {0};
	struct writer_stats stats;

	start(3, 8);
	gate_set(true);
	submit_range(0, 1);
	gate_wait_for_commit(1);
	submit_range(1, 4);
	ck_assert_int_eq(submit(4, &err), STATUS_OVERLOADED);
	ck_assert_ptr_nonnull(strstr(err.msg, "3 writes are waiting"));
	writer_stats(writer, &stats);
	ck_assert_uint_eq(stats.capacity, 3);
	gate_set(false);
	wait_done(4);
	submit_range(4, 5);
	wait_done(5);
	writer_stop(writer);
	/* done was not called for the refused one */
	ck_assert_uint_eq(n_done, 5);
	ck_assert_ptr_eq(done[4], &ops[4]);
}
END_TEST

START_TEST(failed_commit_is_told_to_each_and_the_next_is_tried)
{
	start(8, 8);
	gate_set(true);
	submit_range(0, 1);
	gate_wait_for_commit(1);
	submit_range(1, 4);
	pthread_mutex_lock(&gate.lock);
	gate.answer = STATUS_STATE_FULL;
	pthread_mutex_unlock(&gate.lock);
	gate_set(false);
	wait_done(4);
	for (size_t i = 0; i < 4; i++)
		ck_assert_int_eq(ops[i].err.code, STATUS_STATE_FULL);
	assert_stats(0, 0, 0, 2);
	pthread_mutex_lock(&gate.lock);
	gate.answer = STATUS_OK;
	pthread_mutex_unlock(&gate.lock);
	submit_range(4, 5);
	wait_done(5);
	ck_assert_int_eq(ops[4].err.code, STATUS_OK);
	assert_stats(0, 1, 1, 2);
	writer_stop(writer);
}
END_TEST

static void free_and_count(void *context, struct store_op *op)
{
	note_done(op, op);
	mem_free(context);
}

START_TEST(done_may_free_its_job)
{
	start(8, 8);
	for (size_t i = 0; i < 5; i++) {
		struct writer_job *job = mem_array(1, sizeof(*job));

		*job = (struct writer_job){.op = &ops[i], .done = free_and_count, .context = job};
		ck_assert_int_eq(writer_submit(writer, job, NULL), STATUS_OK);
	}
	wait_done(5);
	writer_stop(writer);
}
END_TEST

static void submit_next(void *context, struct store_op *op)
{
	size_t i = (size_t)(op - ops);

	note_done(context, op);
	if (i + 1 >= 5)
		return;
	jobs[i + 1] =
	    (struct writer_job){.op = &ops[i + 1], .done = submit_next, .context = &ops[i + 1]};
	ck_assert_int_eq(writer_submit(writer, &jobs[i + 1], NULL), STATUS_OK);
}

START_TEST(done_may_submit_another)
{
	start(1, 1);
	jobs[0] = (struct writer_job){.op = &ops[0], .done = submit_next, .context = &ops[0]};
	ck_assert_int_eq(writer_submit(writer, &jobs[0], NULL), STATUS_OK);
	wait_done(5);
	writer_stop(writer);
}
END_TEST

START_TEST(writer_gives_way_to_who_submits)
{
	int before = getpriority(PRIO_PROCESS, 0), most = 19;

	start(8, 8);
	submit_range(0, 1);
	wait_done(1);
	writer_stop(writer);
	ck_assert(gate.niceness > before || before == most);
}
END_TEST

/* How many were done each time that the audience was woken: [n_woken]. */
static size_t done_when_woken[MAX_OPS], n_woken;

static void note_wake(void *context)
{
	ck_assert_ptr_eq(context, &gate);
	pthread_mutex_lock(&gate.lock);
	done_when_woken[n_woken++] = n_done;
	pthread_cond_broadcast(&gate.changed);
	pthread_mutex_unlock(&gate.lock);
}

static void wait_woken(size_t n)
{
	pthread_mutex_lock(&gate.lock);
	while (n_woken < n)
		pthread_cond_wait(&gate.changed, &gate.lock);
	pthread_mutex_unlock(&gate.lock);
}

/* One transaction for the first job, another for the others; number 3 has no audience. */
START_TEST(audience_is_woken_once_after_its_jobs_of_a_transaction)
{
	const struct writer_audience audience = {note_wake, &gate};
	const size_t want[] = {1, 3, 6};

	start(8, 8);
	gate_set(true);
	for (size_t i = 0; i < 6; i++) {
		ops[i].kind = STORE_DELETE_USER;
		jobs[i] = (struct writer_job){.op = &ops[i],
					      .done = note_done,
					      .context = &ops[i],
					      .audience = i == 3 ? NULL : &audience};
		ck_assert_int_eq(writer_submit(writer, &jobs[i], NULL), STATUS_OK);
		if (i == 0)
			gate_wait_for_commit(1);
	}
	gate_set(false);
	wait_woken(3);
	writer_stop(writer);
	ck_assert_uint_eq(n_woken, 3);
	ck_assert_mem_eq(done_when_woken, want, sizeof(want));
}
END_TEST

/* ---- stop ---- */

static void *stop(void *context)
{
	(void)context;
	writer_stop(writer);
	return NULL;
}

START_TEST(stop_finishes_what_is_queued_and_refuses_more)
{
	struct err err = {0};
	enum status status;
	pthread_t thread;
	size_t n = 1;

	start(MAX_OPS, 2);
	gate_set(true);
	submit_range(0, 1);
	gate_wait_for_commit(1);
	ck_assert_int_eq(pthread_create(&thread, NULL, stop, NULL), 0);
	/* until the other thread is there */
	while ((status = submit(n, &err)) == STATUS_OK && n + 1 < MAX_OPS) {
		n++;
		usleep(1000);
	}
	ck_assert_int_eq(status, STATUS_SHUTTING_DOWN);
	gate_set(false);
	pthread_join(thread, NULL);
	ck_assert_uint_eq(n_done, n);
	for (size_t i = 0; i < n; i++)
		ck_assert_ptr_eq(done[i], &ops[i]);
}
END_TEST

START_TEST(stop_of_an_idle_writer_and_of_nothing)
{
	start(1, 1);
	writer_stop(writer);
	writer_stop(NULL);
}
END_TEST

/* ---- with the real store ---- */

struct producer {
	pthread_t thread;
	unsigned number;
	pthread_mutex_t lock; /* guards answered */
	pthread_cond_t changed;
	bool answered;
};

static void answer_producer(void *context, struct store_op *op)
{
	struct producer *producer = context;

	(void)op;
	pthread_mutex_lock(&producer->lock);
	producer->answered = true;
	pthread_cond_signal(&producer->changed);
	pthread_mutex_unlock(&producer->lock);
}

static void give_and_wait(struct producer *producer, struct store_step *step)
{
	struct writer_job job = {.op = &step->op, .done = answer_producer, .context = producer};

	producer->answered = false;
	ck_assert_int_eq(writer_submit(writer, &job, NULL), STATUS_OK);
	pthread_mutex_lock(&producer->lock);
	while (!producer->answered)
		pthread_cond_wait(&producer->changed, &producer->lock);
	pthread_mutex_unlock(&producer->lock);
	ck_assert_int_eq(step->op.err.code, STATUS_OK);
}

static void *produce(void *context)
{
	struct producer *producer = context;
	struct store_step *step = mem_array(1, sizeof(*step));

	pthread_mutex_init(&producer->lock, NULL);
	pthread_cond_init(&producer->changed, NULL);
	for (unsigned i = 0; i < PER_PRODUCER; i++) {
		char id[32];

		snprintf(id, sizeof(id), "%u/%u", producer->number, i);
		store_step_set(step, "ada", "", id, i);
		give_and_wait(producer, step);
	}
	mem_free(step);
	return NULL;
}

START_TEST(many_producers_lose_nothing)
{
	struct producer producers[N_PRODUCERS] = {0};
	struct store_folder folder;
	struct writer_stats stats;
	struct store_user user;
	struct store *store;

	store_folder_make(&folder);
	store = store_folder_open(&folder);
	ck_assert_int_eq(writer_start(store, N_PRODUCERS, N_PRODUCERS, &writer, NULL), STATUS_OK);
	for (unsigned i = 0; i < N_PRODUCERS; i++) {
		producers[i].number = i;
		ck_assert_int_eq(pthread_create(&producers[i].thread, NULL, produce, &producers[i]),
				 0);
	}
	for (unsigned i = 0; i < N_PRODUCERS; i++)
		pthread_join(producers[i].thread, NULL);
	writer_stats(writer, &stats);
	ck_assert_uint_eq(stats.ops, N_PRODUCERS * PER_PRODUCER);
	ck_assert_uint_le(stats.commits, stats.ops);
	writer_stop(writer);
	ck_assert_int_eq(store_read_user(store, "ada", NULL, &user, NULL), STATUS_OK);
	ck_assert_uint_eq(user.n_events, N_PRODUCERS * PER_PRODUCER);
	ck_assert_uint_eq(user.states[0].updates, N_PRODUCERS * PER_PRODUCER);
	store_user_free(&user);
	store_close(store);
	store_folder_remove(&folder);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("writer");
	TCase *submitted = tcase_create("submit");
	TCase *stopped = tcase_create("stop");
	TCase *real = tcase_create("store");

	tcase_add_test(submitted, lone_job_is_committed_at_once);
	tcase_add_test(submitted, jobs_that_gather_are_one_commit_in_their_order);
	tcase_add_test(submitted, batch_is_limited);
	tcase_add_test(submitted, full_queue_refuses_and_takes_again);
	tcase_add_test(submitted, failed_commit_is_told_to_each_and_the_next_is_tried);
	tcase_add_test(submitted, done_may_free_its_job);
	tcase_add_test(submitted, done_may_submit_another);
	tcase_add_test(submitted, writer_gives_way_to_who_submits);
	tcase_add_test(submitted, audience_is_woken_once_after_its_jobs_of_a_transaction);
	tcase_add_test(stopped, stop_finishes_what_is_queued_and_refuses_more);
	tcase_add_test(stopped, stop_of_an_idle_writer_and_of_nothing);
	tcase_add_test(real, many_producers_lose_nothing);
	tcase_set_timeout(real, 60);
	suite_add_tcase(suite, submitted);
	suite_add_tcase(suite, stopped);
	suite_add_tcase(suite, real);
	return unit_run(suite);
}
