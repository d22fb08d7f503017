/* SPDX-License-Identifier: Apache-2.0 */
/*
 * judge.c - what the mathematics of one request costs, in microseconds of a thread at work:
 * hashing texts, heads, router, and all of service_score().
 *
 *   bench_judge [MILLISECONDS]   for each figure, of which the best of five parts is taken
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/base/mem.h"
#include "core/base/rng.h"
#include "core/math/linalg.h"
#include "server/service.h"

#define N_HEADS	   10
#define N_HIDDEN   128
#define N_PARTS	   5
#define N_ROWS	   64 /* different ones, in turns: the rows of a request are not in the cache */
#define LONG_TEXT  1000
#define N_TOGETHER 4 /* vectors that are multiplied at a time */

static double milliseconds = 200;
static const struct place nowhere;
static char text[N_ROWS][LONG_TEXT + 1];

static void must(enum status status, const struct err *err)
{
	if (status == STATUS_OK)
		return;
	fprintf(stderr, "bench_judge: %s\n", err->msg);
	exit(EXIT_FAILURE);
}

static double spent_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec * 1e-3;
}

typedef void work_fn(void *context, size_t turn);

/* Microseconds of one call, where others disturbed it least. */
static double cost(work_fn *work, void *context)
{
	double best = 1e300;
	size_t turn = 0;

	for (size_t part = 0; part < N_PARTS; part++) {
		double begin = spent_us(), end = begin + milliseconds * 1e3 / N_PARTS, now;
		size_t n = 0;

		do {
			for (size_t i = 0; i < 16; i++)
				work(context, turn++);
			n += 16;
			now = spent_us();
		} while (now < end);
		if ((now - begin) / (double)n < best)
			best = (now - begin) / (double)n;
	}
	return best;
}

static void print(const char *what, double us)
{
	printf("%-66s %9.2f\n", what, us);
	fflush(stdout);
}

/* ---- texts ---- */

static void make_texts(struct rng *rng)
{
	for (size_t i = 0; i < N_ROWS; i++) {
		for (size_t n = 0; n < LONG_TEXT; n++)
			text[i][n] =
			    rng_below(rng, 6) == 0 ? ' ' : (char)('a' + rng_below(rng, 12));
	}
}

struct hashing {
	struct encoder *encoder;
	struct features features;
	size_t len;
};

static void hash_text(void *context, size_t turn)
{
	struct hashing *hashing = context;
	const struct text one = {text[turn % N_ROWS], hashing->len};
	struct err err;

	hashing->features.n_rows = 0;
	must(encoder_encode(hashing->encoder, &one, 1, &hashing->features, &err), &err);
}

static void bench_hashing(void)
{
	static const size_t lengths[] = {100, 300, LONG_TEXT};
	struct hashing hashing;
	struct err err;
	char what[64];

	must(encoder_open("hash:4096", &hashing.encoder, &err), &err);
	features_init(&hashing.features, 4096, true);
	for (size_t i = 0; i < sizeof(lengths) / sizeof(*lengths); i++) {
		hashing.len = lengths[i];
		snprintf(what, sizeof(what), "hash:4096 of %zu bytes", hashing.len);
		print(what, cost(hash_text, &hashing));
	}
	features_free(&hashing.features);
	encoder_close(hashing.encoder);
}

/* ---- vectors ---- */

struct serving {
	struct served_model served;
	size_t dim;
	float *x; /* [N_ROWS, dim] */
	float hidden[N_HIDDEN];
	float out[N_HEADS];
	size_t n_items;
	bool is_text;
	struct arena arena;
};

static void open_serving(struct serving *serving, const char *spec, struct rng *rng)
{
	struct model *model = &serving->served.model;
	struct err err;

	*serving = (struct serving){0};
	must(encoder_open(spec, &serving->served.encoder, &err), &err);
	must(model_init(model, N_HEADS, ROUTER_MLP, N_HIDDEN, serving->served.encoder, &err), &err);
	heads_randomize(&model->heads, 0.1, rng);
	router_randomize(&model->router, rng);
	must(served_model_pack(&serving->served, packed_kind_best(), &err), &err);
	serving->dim = model->heads.dim;
	serving->is_text = encoder_reads_text(serving->served.encoder);
	serving->x = mem_array(N_ROWS * serving->dim, sizeof(float));
	if (serving->x == NULL)
		abort();
	for (size_t i = 0; i < N_ROWS * serving->dim; i++)
		serving->x[i] = (float)rng_normal(rng);
}

static void close_serving(struct serving *serving)
{
	arena_free(&serving->arena);
	served_model_unpack(&serving->served);
	model_free(&serving->served.model);
	encoder_close(serving->served.encoder);
	mem_free(serving->x);
}

static struct feature_row vector(const struct serving *serving, size_t turn)
{
	return feature_row_dense(serving->x + turn % N_ROWS * serving->dim, serving->dim);
}

/* By BLAS, as the trainer does. */
static void route(void *context, size_t turn)
{
	struct serving *serving = context;

	router_logits(&serving->served.model.router, vector(serving, turn), serving->hidden,
		      serving->out);
}

static void reward(void *context, size_t turn)
{
	struct serving *serving = context;

	heads_rewards(&serving->served.model.heads, vector(serving, turn), serving->out);
}

/* ---- the same products packed ---- */

struct product {
	const struct serving *serving;
	struct packed packed;
	size_t n; /* vectors at a time */
	float out[N_TOGETHER * N_HIDDEN];
};

static void multiply(void *context, size_t turn)
{
	struct product *product = context;
	const float *x[N_TOGETHER];

	for (size_t i = 0; i < product->n; i++)
		x[i] = vector(product->serving, turn * product->n + i).value;
	packed_times(&product->packed, x, product->n, product->out);
}

static void bench_packed(const struct serving *serving, const char *spec, const char *what,
			 const float *weight, size_t n_out)
{
	static const char *const names[] = {[PACKED_SINGLE] = "single", [PACKED_HALF] = "half"};
	struct product product = {.serving = serving};
	struct err err;
	char text_of[96];

	for (int precision = PACKED_SINGLE; precision <= PACKED_HALF; precision++) {
		must(packed_init(&product.packed, packed_kind_best(),
				 (enum packed_precision)precision, weight, serving->dim, n_out,
				 &err),
		     &err);
		for (product.n = 1; product.n <= N_TOGETHER; product.n *= N_TOGETHER) {
			snprintf(text_of, sizeof(text_of),
				 "%s: %s, %s, %s precision, %zu at a time", spec, what,
				 packed_kind_name(product.packed.kind), names[precision],
				 product.n);
			print(text_of, cost(multiply, &product) / (double)product.n);
		}
		packed_free(&product.packed);
	}
}

static void bench_vectors(struct serving *serving, const char *spec)
{
	const struct model *model = &serving->served.model;
	char what[80];

	snprintf(what, sizeof(what), "%s: router, %d hidden, BLAS", spec, N_HIDDEN);
	print(what, cost(route, serving));
	bench_packed(serving, spec, "its first layer", model->router.first, N_HIDDEN);
	snprintf(what, sizeof(what), "%s: %d heads, BLAS", spec, N_HEADS);
	print(what, cost(reward, serving));
	bench_packed(serving, spec, "heads", model->heads.weight, N_HEADS);
}

static struct input input(const struct serving *serving, size_t turn, size_t len)
{
	if (serving->is_text)
		return (struct input){
		    .kind = INPUT_TEXT, .text = {text[turn % N_ROWS], len}, .place = nowhere};
	return (struct input){
	    .kind = INPUT_VECTOR, .vector = vector(serving, turn), .place = nowhere};
}

static void score(void *context, size_t turn)
{
	static const struct service service; /* no item has a user: the store is not asked */
	struct serving *serving = context;
	size_t n = serving->n_items;
	struct score_item *items = arena_array(&serving->arena, n, sizeof(*items));
	struct input *responses = arena_array(&serving->arena, 2 * n, sizeof(*responses));
	struct score_request request = {.items = items, .n_items = n};
	struct err err;

	for (size_t i = 0; i < n; i++, turn++) {
		responses[2 * i] = input(serving, 3 * turn, 100);
		responses[2 * i + 1] = input(serving, 3 * turn + 1, 100);
		items[i].question =
		    (struct question){"", input(serving, 3 * turn + 2, 100), responses + 2 * i, 2};
	}
	must(service_score(&service, &serving->served, &request, &serving->arena, &err), &err);
	arena_free(&serving->arena);
}

static void bench_serving(const char *spec, struct rng *rng)
{
	static const size_t n_items[] = {1, 8, 64};
	struct serving serving;
	char what[80];

	open_serving(&serving, spec, rng);
	if (!serving.is_text)
		bench_vectors(&serving, spec);
	for (size_t i = 0; i < sizeof(n_items) / sizeof(*n_items); i++) {
		serving.n_items = n_items[i];
		snprintf(what, sizeof(what), "%s: service_score, %zu x 2 responses, each", spec,
			 n_items[i]);
		print(what, cost(score, &serving) / (double)n_items[i]);
	}
	close_serving(&serving);
}

int main(int argc, char **argv)
{
	static const char *const specs[] = {"hash:4096", "none:384", "none:3072"};
	struct rng rng;

	linalg_choose_kernel(argv);
	if (argc > 1)
		milliseconds = strtod(argv[1], NULL);
	linalg_set_threads(1);
	rng_init(&rng, 1);
	make_texts(&rng);
	printf("%-66s %9s\n", linalg_version(), "us");
	bench_hashing();
	for (size_t i = 0; i < sizeof(specs) / sizeof(*specs); i++)
		bench_serving(specs[i], &rng);
	return EXIT_SUCCESS;
}
