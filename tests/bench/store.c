/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store.c - the store alone, without HTTP: feedbacks a second in transactions of 1, 32 and 512,
 * each durable, and reads of states.
 *
 *   bench_store [EVENTS] [USERS] [HEADS]
 *
 * EVENTS feedbacks for each size, of USERS users drawn at random; the database lies in $TMPDIR or
 * /tmp and is removed. A second time all users are new: every event makes a state.
 */
#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/base/mem.h"
#include "core/base/rng.h"
#include "server/clock.h"
#include "server/store.h"

#define EVENTS_DEFAULT 100000
#define USERS_DEFAULT  20000
#define HEADS_DEFAULT  10
#define MAX_GROUP      512
#define CACHE_BYTES    (64 << 20) /* the default of --state-cache */
#define N_READS	       200000

static const size_t groups[] = {1, 32, 512};

/* A feedback and all that it points to. */
struct feedback {
	struct store_op op;
	char user[32], id[48];
	double loss[HEADS_MAX], weights[HEADS_MAX];
	float logits[HEADS_MAX];
};

struct bench {
	size_t n_events, n_users, n_heads;
	char folder[256], file[300];
	struct store *store;
	struct rng rng;
	uint64_t n_given;
	struct feedback *feedbacks; /* [MAX_GROUP] */
	double *seconds;	    /* [n_events]: of each transaction */
};

static void fail(const char *what)
{
	fprintf(stderr, "bench_store: %s\n", what);
	exit(1);
}

static double cpu_seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* ---- the database ---- */

static void make_folder(struct bench *bench)
{
	const char *parent = getenv("TMPDIR");

	snprintf(bench->folder, sizeof(bench->folder), "%.200s/bench-store-XXXXXX",
		 parent == NULL ? "/tmp" : parent);
	if (mkdtemp(bench->folder) == NULL)
		fail("cannot make a folder in $TMPDIR");
	snprintf(bench->file, sizeof(bench->file), "%s/micro.db", bench->folder);
}

static void empty_folder(const struct bench *bench)
{
	DIR *entries = opendir(bench->folder);
	const struct dirent *entry;

	while (entries != NULL && (entry = readdir(entries)) != NULL)
		unlinkat(dirfd(entries), entry->d_name, 0);
	closedir(entries);
}

static void open_store(struct bench *bench)
{
	const struct store_sqlite_options options = {.path = bench->file,
						     .busy_timeout_ms = 5000,
						     .n_readers = 1,
						     .cache_bytes = CACHE_BYTES,
						     .check = true};
	struct err err;

	if (store_sqlite_open(&options, &bench->store, &err) != STATUS_OK)
		fail(err.msg);
}

/* ---- feedbacks ---- */

static void draw(struct bench *bench, struct feedback *f, bool new_user)
{
	uint64_t n = bench->n_given++;
	/* names in no order: a user's rows are anywhere in the tables */
	uint64_t user =
	    (new_user ? n : rng_next(&bench->rng) % bench->n_users) * 0x9e3779b97f4a7c15u;

	snprintf(f->user, sizeof(f->user), "user-%016" PRIx64, user);
	snprintf(f->id, sizeof(f->id), "event-%016" PRIx64 "-%" PRIu64, rng_next(&bench->rng), n);
	for (size_t k = 0; k < bench->n_heads; k++) {
		f->loss[k] = rng_uniform(&bench->rng);
		f->logits[k] = (float)rng_uniform(&bench->rng);
	}
	f->op = (struct store_op){
	    .kind = STORE_FEEDBACK,
	    .feedback = {.user = f->user,
			 .context = "",
			 .event_id = f->id,
			 .model_id = "bench",
			 .time_us = clock_now_us(),
			 .n_heads = bench->n_heads,
			 .loss = f->loss,
			 .temperature = 1,
			 .strength = 1,
			 .logits = f->logits,
			 .weights_out = f->weights},
	};
}

static int compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void print_line(struct bench *bench, size_t group, bool new_users, size_t n_commits,
		       double seconds, double cpu)
{
	double n = (double)bench->n_events;
	double *ms = bench->seconds;

	qsort(ms, n_commits, sizeof(*ms), compare_doubles);
	printf("%-7s %5zu %10.0f %9.1f %9.1f %9.2f %9.2f %9.2f\n", new_users ? "new" : "known",
	       group, n / seconds, seconds / n * 1e6, cpu / n * 1e6, ms[n_commits / 2] * 1e3,
	       ms[n_commits * 99 / 100] * 1e3, ms[n_commits - 1] * 1e3);
}

static void give(struct bench *bench, size_t group, bool new_users)
{
	struct store_op *ops[MAX_GROUP];
	double began, cpu = 0, seconds = 0;
	size_t n_commits = 0;
	struct err err;

	for (size_t n = 0; n < bench->n_events; n += group) {
		for (size_t i = 0; i < group; i++) {
			draw(bench, &bench->feedbacks[i], new_users);
			ops[i] = &bench->feedbacks[i].op;
		}
		double cpu_began = cpu_seconds();
		began = clock_monotonic();
		if (store_apply(bench->store, ops, group, &err) != STATUS_OK)
			fail(err.msg);
		bench->seconds[n_commits] = clock_monotonic() - began;
		seconds += bench->seconds[n_commits++];
		cpu += cpu_seconds() - cpu_began;
	}
	print_line(bench, group, new_users, n_commits, seconds, cpu);
}

static void run_feedback(struct bench *bench, bool new_users)
{
	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
		size_t n_events = bench->n_events;

		/* each transaction alone waits for the disk */
		if (groups[i] == 1)
			bench->n_events /= 10;
		empty_folder(bench);
		open_store(bench);
		give(bench, groups[i], new_users);
		bench->n_events = n_events;
		store_close(bench->store);
	}
}

/* ---- reads ---- */

static void run_reads(struct bench *bench, const char *what, const char *pattern)
{
	double s[HEADS_MAX], began = clock_monotonic();
	char user[32];
	uint64_t updates;
	struct err err;

	for (uint64_t i = 0; i < N_READS; i++) {
		snprintf(user, sizeof(user), "%s%016" PRIx64, pattern,
			 i % bench->n_users * 0x9e3779b97f4a7c15u);
		if (store_read_state(bench->store, user, "", "bench", bench->n_heads, s, &updates,
				     &err) != STATUS_OK)
			fail(err.msg);
	}
	printf("%-30s %8.2f us\n", what, (clock_monotonic() - began) / N_READS * 1e6);
}

static size_t argument(int argc, char **argv, int i, size_t otherwise, size_t max)
{
	size_t n = argc > i ? strtoul(argv[i], NULL, 10) : otherwise;

	if (n < 1 || n > max)
		fail("usage: bench_store [EVENTS] [USERS] [HEADS]");
	return n;
}

int main(int argc, char **argv)
{
	static struct bench bench;

	bench.n_events = argument(argc, argv, 1, EVENTS_DEFAULT, 100000000);
	bench.n_users = argument(argc, argv, 2, USERS_DEFAULT, 100000000);
	bench.n_heads = argument(argc, argv, 3, HEADS_DEFAULT, HEADS_MAX);
	bench.feedbacks = mem_array(MAX_GROUP, sizeof(*bench.feedbacks));
	bench.seconds = mem_array(bench.n_events + MAX_GROUP, sizeof(*bench.seconds));
	if (bench.feedbacks == NULL || bench.seconds == NULL)
		fail("out of memory");
	rng_init(&bench.rng, 1);
	make_folder(&bench);
	printf("%zu events (a tenth of them one by one), %zu users, %zu heads; a transaction's ms\n"
	       "%-7s %5s %10s %9s %9s %9s %9s %9s\n",
	       bench.n_events, bench.n_users, bench.n_heads, "users", "group", "events/s",
	       "us/event", "CPU us", "p50", "p99", "max");
	run_feedback(&bench, true);
	run_feedback(&bench, false);
	open_store(&bench);
	run_reads(&bench, "state of a user, at first", "user-");
	run_reads(&bench, "state of a user, again", "user-");
	run_reads(&bench, "state of nobody, at first", "nobody-");
	run_reads(&bench, "state of nobody, again", "nobody-");
	store_close(bench.store);
	empty_folder(&bench);
	rmdir(bench.folder);
	mem_free(bench.feedbacks);
	mem_free(bench.seconds);
	return 0;
}
