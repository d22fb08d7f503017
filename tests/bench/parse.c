/* SPDX-License-Identifier: Apache-2.0 */
/*
 * parse.c - what reading a body of POST /score costs: our reader, jansson with the same checks of
 * the vectors, and a scan that checks nothing and is the least that decoding can cost (of tensors,
 * which need no decoding, a copy of them).
 *
 *   bench_parse [ROUNDS]
 *
 * Prints microseconds a body, the median of ROUNDS rounds; the three take turns in each round.
 */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/base/base64.h"
#include "core/base/mem.h"
#include "core/base/rng.h"
#include "server/buffer.h"
#include "core/model/safetensors.h"
#include "server/wire_read.h"
#include "server/wire_tensors.h"

#define N_VECTORS      3 /* a prompt and two responses */
#define ROUNDS_DEFAULT 200
#define ROUNDS_MAX     10000
#define BATCH_BYTES    200000 /* a round reads a body as often as makes about so many bytes */

struct body {
	const char *what;
	struct buffer text;
	size_t dim;   /* 0: no vectors */
	bool tensors; /* a safetensors file, which jansson cannot read */
};

static void fail(const char *what)
{
	fprintf(stderr, "bench_parse: %s\n", what);
	exit(1);
}

/* ---- bodies ---- */

static void add_vector(struct buffer *out, struct rng *rng, size_t dim, bool base64)
{
	float *x = mem_array(dim, sizeof(*x));
	char number[32];

	for (size_t i = 0; i < dim; i++)
		x[i] = (float)rng_normal(rng) / 8;
	buffer_add_string(out, "{\"embedding\":");
	if (base64) {
		char *text = base64_encode_floats(x, dim);

		buffer_add_quoted(out, text, strlen(text));
		mem_free(text);
	}
	for (size_t i = 0; i < dim && !base64; i++) {
		snprintf(number, sizeof(number), "%s%.8g", i == 0 ? "[" : ", ", (double)x[i]);
		buffer_add_string(out, number);
	}
	buffer_add_string(out, base64 ? "}" : "]}");
	mem_free(x);
}

static struct body make_vectors(const char *what, size_t dim, bool base64)
{
	struct body body = {.what = what, .dim = dim};
	struct rng rng;

	rng_init(&rng, 1);
	buffer_add_string(&body.text,
			  "{\"user\":\"user-1234\",\"context\":\"concise\",\"prompt\":");
	add_vector(&body.text, &rng, dim, base64);
	buffer_add_string(&body.text, ",\"responses\":[");
	add_vector(&body.text, &rng, dim, base64);
	buffer_add_string(&body.text, ",");
	add_vector(&body.text, &rng, dim, base64);
	buffer_add_string(&body.text, "]}");
	buffer_terminate(&body.text);
	return body;
}

static struct body make_tensors(const char *what, size_t dim)
{
	struct body body = {.what = what, .dim = dim, .tensors = true};
	const struct tensor_spec specs[] = {
	    {.name = "prompt", .rank = 2, .shape = {1, dim}},
	    {.name = "responses", .rank = 2, .shape = {N_VECTORS - 1, dim}},
	};
	const enum dtype dtypes[] = {DTYPE_F32, DTYPE_F32};
	const struct metadata_spec metadata = {"request",
					       "{\"user\":\"user-1234\",\"context\":\"concise\"}"};
	struct safetensors_head head;
	uint64_t offsets[2];
	struct rng rng;

	rng_init(&rng, 1);
	if (safetensors_head_make(specs, dtypes, 2, &metadata, 1, &head, offsets, NULL) !=
	    STATUS_OK)
		fail("safetensors");
	buffer_add(&body.text, head.bytes, head.len);
	mem_free(head.bytes);
	for (size_t i = 0; i < N_VECTORS * dim; i++) {
		float x = (float)rng_normal(&rng) / 8;

		buffer_add(&body.text, &x, sizeof(x));
	}
	return body;
}

static struct body make_text(void)
{
	struct body body = {.what = "text 300 B"};

	buffer_add_string(
	    &body.text,
	    "{\"user\":\"user-1234\",\"context\":\"concise\",\"prompt\":\"How long do I boil an "
	    "egg "
	    "so that the yolk stays soft?\",\"responses\":[\"Seven minutes, then cold water.\","
	    "\"Here is how, step by step:\\n1. bring a pot of water to the boil\\n2. lower the egg "
	    "in with a spoon\\n3. wait seven minutes\\n4. move it into cold water\"]}");
	buffer_terminate(&body.text);
	return body;
}

/* ---- the three readers ---- */

static float read_ours(const struct body *body)
{
	const struct wire_limits limits = {
	    .dim = body->dim, .max_items = 16, .max_responses = 16, .max_strength = 10};
	struct arena arena = {0};
	struct score_request request;
	struct err err;
	float sum = 0;
	enum status status = (body->tensors ? wire_tensors_score : wire_read_score)(
	    body->text.bytes, body->text.len, &limits, &arena, &request, &err);

	if (status != STATUS_OK)
		fail(err.msg);
	if (body->dim > 0)
		sum = request.items[0].question.responses[1].vector.value[body->dim - 1];
	arena_free(&arena);
	return sum;
}

static void take_jansson(const json_t *input, size_t dim, float *out)
{
	const json_t *embedding = json_object_get(input, "embedding");

	if (json_is_string(embedding)) {
		if (base64_decode_floats(json_string_value(embedding),
					 json_string_length(embedding), dim, out,
					 NULL) != STATUS_OK)
			fail("jansson: base64");
		return;
	}
	if (json_array_size(embedding) != dim)
		fail("jansson: dimension");
	for (size_t i = 0; i < dim; i++) {
		out[i] = (float)json_number_value(json_array_get(embedding, i));
		if (!isfinite(out[i]))
			fail("jansson: not finite");
	}
}

static float read_jansson(const struct body *body)
{
	json_t *root = json_loadb(body->text.bytes, body->text.len,
				  JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL, NULL);
	const json_t *responses = json_object_get(root, "responses");
	float *x = mem_array(body->dim, N_VECTORS * sizeof(*x));
	float sum = 0;

	if (root == NULL || x == NULL)
		fail("jansson");
	if (body->dim > 0) {
		take_jansson(json_object_get(root, "prompt"), body->dim, x);
		take_jansson(json_array_get(responses, 0), body->dim, x + body->dim);
		take_jansson(json_array_get(responses, 1), body->dim, x + 2 * body->dim);
		sum = x[N_VECTORS * body->dim - 1];
	}
	mem_free(x);
	json_decref(root);
	return sum;
}

static unsigned char letter_value[256];

static const char *scan_base64(const char *p, size_t dim, float *out)
{
	unsigned char *bytes = (unsigned char *)out, *end = bytes + dim * sizeof(*out);

	for (; *p != '"'; p += 4) {
		unsigned bits = 0;

		for (int i = 0; i < 4; i++)
			bits = bits << 6 | letter_value[(unsigned char)p[i]];
		for (int i = 16; i >= 0 && bytes < end; i -= 8)
			*bytes++ = (unsigned char)(bits >> i);
	}
	return p;
}

/* Digits, a point, digits, an exponent; wrong in the last bit as often as not. */
static const char *scan_number(const char *p, float *out)
{
	bool negative = *p == '-';
	long digits = 0, scale = 0, exponent = 0;
	double x;

	for (p += negative; *p >= '0' && *p <= '9'; p++)
		digits = digits * 10 + (*p - '0');
	if (*p == '.') {
		for (p++; *p >= '0' && *p <= '9'; p++, scale++)
			digits = digits * 10 + (*p - '0');
	}
	if (*p == 'e')
		exponent = strtol(p + 1, (char **)&p, 10);
	x = (double)digits;
	for (; scale > exponent; scale--)
		x *= 0.1;
	*out = (float)(negative ? -x : x);
	return p;
}

static float read_scan(const struct body *body)
{
	const char *p = body->text.bytes;
	float *x = mem_array(body->dim, N_VECTORS * sizeof(*x)), *next = x;
	float sum = 0;

	if (body->tensors)
		memcpy(x, p + body->text.len - N_VECTORS * body->dim * sizeof(*x),
		       N_VECTORS * body->dim * sizeof(*x));
	while (!body->tensors && (p = strstr(p, "\"embedding\":")) != NULL) {
		p += strlen("\"embedding\":");
		if (*p == '"') {
			p = scan_base64(p + 1, body->dim, next);
		} else {
			for (size_t i = 0; i < body->dim; i++) {
				for (p++; *p == ' '; p++)
					;
				p = scan_number(p, &next[i]);
			}
		}
		next += body->dim;
	}
	if (body->dim > 0)
		sum = x[N_VECTORS * body->dim - 1];
	mem_free(x);
	return sum;
}

/* ---- measuring ---- */

static double now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec * 1e-3;
}

static int compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double time_round(float (*read)(const struct body *), const struct body *body)
{
	size_t n = BATCH_BYTES / body->text.len + 1;
	double begin = now_us();
	volatile float sum = 0;

	for (size_t i = 0; i < n; i++)
		sum = sum + read(body);
	return (now_us() - begin) / (double)n;
}

static double median(double *us, size_t n)
{
	qsort(us, n, sizeof(*us), compare_doubles);
	return us[n / 2];
}

static void measure(const struct body *body, size_t n_rounds)
{
	static float (*const readers[])(const struct body *) = {read_ours, read_scan, read_jansson};
	static double us[3][ROUNDS_MAX];
	size_t n_readers = body->tensors ? 2 : 3;

	for (size_t round = 0; round < n_rounds; round++) {
		for (size_t i = 0; i < n_readers; i++)
			us[i][round] = time_round(readers[i], body);
	}
	double ours = median(us[0], n_rounds), scan = median(us[1], n_rounds);
	printf("%-22s %8zu %9.2f %9.2f", body->what, body->text.len, ours, scan);
	if (body->tensors)
		printf(" %9s %9s\n", "-", "-");
	else
		printf(" %9.2f %8.1fx\n", median(us[2], n_rounds), median(us[2], n_rounds) / ours);
}

int main(int argc, char **argv)
{
	static const char alphabet[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t n_rounds = argc > 1 ? strtoul(argv[1], NULL, 10) : ROUNDS_DEFAULT;
	struct body bodies[] = {
	    make_text(),
	    make_vectors("base64 D=384 x3", 384, true),
	    make_vectors("base64 D=3072 x3", 3072, true),
	    make_vectors("numbers D=384 x3", 384, false),
	    make_vectors("numbers D=3072 x3", 3072, false),
	    make_tensors("safetensors D=384 x3", 384),
	    make_tensors("safetensors D=3072 x3", 3072),
	};

	if (n_rounds < 1 || n_rounds > ROUNDS_MAX)
		fail("want 1 to 10000 rounds");
	for (unsigned char i = 0; i < 64; i++)
		letter_value[(unsigned char)alphabet[i]] = i;
	printf("%-22s %8s %9s %9s %9s %9s\n", "body, CPU us each", "bytes", "ours", "scan",
	       "jansson", "jansson/");
	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
		measure(&bodies[i], n_rounds);
		buffer_free(&bodies[i].text);
	}
	return 0;
}
