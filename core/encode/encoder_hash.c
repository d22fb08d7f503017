/* SPDX-License-Identifier: Apache-2.0 */
/*
 * encoder_hash.c - signed feature hashing (Weinberger et al., "Feature Hashing for
 * Large Scale Multitask Learning", ICML 2009) of words and pairs of neighbours:
 *
 *   x_b = sum over distinct n-grams g with bucket(g) = b of sign(g) sqrt(count(g)),
 *   phi = x / |x|
 *
 * The hash of an n-gram is SipHash-2-4 of its bytes, with a space between the two
 * words of a 2-gram; the lowest bit is the sign. The bucket is hash * D / 2^64,
 * which keeps the order of the hashes: once they are sorted, equal n-grams lie side
 * by side, the buckets ascend, and there is one order of additions. Two n-grams
 * with the same 64-bit hash count as one.
 */
#include <assert.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "core/base/mem.h"
#include "core/encode/encoder_impl.h"
#include "core/encode/words.h"

/* Fixed for ever: with another key all trained models would be meaningless. */
static const char hash_key[] = "micro/1 hash key";

static_assert(sizeof(hash_key) == crypto_shorthash_KEYBYTES + 1, "the key and its NUL");

#define BIN_SHIFT 56 /* the upper 8 bits say which bin */
#define N_BINS	  256
#define FEW	  24
#define SMALL	  512 /* n-grams for which no memory is asked for */

static uint64_t hash_bytes(const char *bytes, size_t len)
{
	unsigned char out[crypto_shorthash_BYTES];
	uint64_t hash = 0;

	crypto_shorthash(out, (const unsigned char *)bytes, len, (const unsigned char *)hash_key);
	for (size_t i = 0; i < sizeof(out); i++)
		hash |= (uint64_t)out[i] << (8 * i);
	return hash;
}

static size_t count_words(const struct words *words)
{
	size_t n = 0;

	for (size_t i = 0; i < words->len; i++)
		n += words->bytes[i] == ' ';
	return n;
}

/* Hashes of all 1-grams and 2-grams; returns their number, less than twice the words'. */
static size_t hash_ngrams(const struct words *words, uint64_t *hash_out)
{
	const char *end = words->bytes + words->len;
	const char *previous = NULL;
	size_t n = 0;

	for (const char *word = words->bytes; word < end;) {
		const char *space = memchr(word, ' ', (size_t)(end - word));

		hash_out[n++] = hash_bytes(word, (size_t)(space - word));
		if (previous != NULL)
			hash_out[n++] = hash_bytes(previous, (size_t)(space - previous));
		previous = word;
		word = space + 1;
	}
	return n;
}

static int compare_hashes(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* Ascending. Equal ones cost nothing, others n^2. */
static void sort_few(uint64_t *hash, size_t n)
{
	for (size_t i = 1; i < n; i++) {
		uint64_t moved = hash[i];
		size_t at = i;

		for (; at > 0 && hash[at - 1] > moved; at--)
			hash[at] = hash[at - 1];
		hash[at] = moved;
	}
}

/*
 * Ascending, through spare [n]: first by the upper bits, which are as good as random, then each
 * bin for itself. Whoever finds words that share these bits gets qsort() for them, and n log n.
 */
static void sort_hashes(uint64_t *hash, size_t n, uint64_t *spare)
{
	size_t end[N_BINS] = {0}; /* of each bin; its beginning until it is filled */
	size_t begin = 0;

	for (size_t i = 0; i < n; i++)
		end[hash[i] >> BIN_SHIFT]++;
	for (size_t bin = 0; bin < N_BINS; bin++) {
		size_t length = end[bin];

		end[bin] = begin;
		begin += length;
	}
	for (size_t i = 0; i < n; i++)
		spare[end[hash[i] >> BIN_SHIFT]++] = hash[i];
	begin = 0;
	for (size_t bin = 0; bin < N_BINS; begin = end[bin++]) {
		if (end[bin] - begin <= FEW)
			sort_few(spare + begin, end[bin] - begin);
		else
			qsort(spare + begin, end[bin] - begin, sizeof(*spare), compare_hashes);
	}
	memcpy(hash, spare, n * sizeof(*hash));
}

static uint32_t bucket_of(uint64_t hash, size_t dim)
{
	return (uint32_t)((unsigned __int128)hash * dim >> 64);
}

/*
 * Sums per bucket of the sorted hashes, those that cancel out left out; returns
 * their number.
 */
static size_t sum_buckets(const uint64_t *hash, size_t n, size_t dim, uint32_t *index_out,
			  double *sum_out)
{
	size_t n_sums = 0;

	for (size_t i = 0; i < n;) {
		uint32_t bucket = bucket_of(hash[i], dim);
		double sum = 0;

		while (i < n && bucket_of(hash[i], dim) == bucket) {
			size_t first = i;

			while (i < n && hash[i] == hash[first])
				i++;
			sum += (hash[first] & 1 ? -1 : 1) * sqrt((double)(i - first));
		}
		if (sum == 0)
			continue;
		index_out[n_sums] = bucket;
		sum_out[n_sums++] = sum;
	}
	return n_sums;
}

/* value_out = sum / |sum| */
static void normalize(const double *sum, size_t n, float *value_out)
{
	double square = 0, length;

	for (size_t i = 0; i < n; i++)
		square += sum[i] * sum[i];
	length = sqrt(square);
	for (size_t i = 0; i < n; i++)
		value_out[i] = (float)(sum[i] / length);
}

/* Of one row; [n] each: in small, or in a block of its own. */
struct scratch {
	uint64_t *hash;
	uint64_t *spare;
	double *sum;
	uint32_t *index;
	float *value;
	void *block; /* NULL: in small */
	struct {
		uint64_t hash[SMALL];
		uint64_t spare[SMALL];
		double sum[SMALL];
		uint32_t index[SMALL];
		float value[SMALL];
	} small;
};

static enum status scratch_init(struct scratch *scratch, size_t n, struct err *err)
{
	char *block;

	scratch->block = NULL;
	scratch->hash = scratch->small.hash;
	scratch->spare = scratch->small.spare;
	scratch->sum = scratch->small.sum;
	scratch->index = scratch->small.index;
	scratch->value = scratch->small.value;
	if (n <= SMALL)
		return STATUS_OK;
	block = mem_array(n, sizeof(scratch->small) / SMALL);
	if (block == NULL)
		return err_no_memory(err, "the words of a text");
	scratch->block = block;
	scratch->hash = (uint64_t *)block;
	scratch->spare = scratch->hash + n;
	scratch->sum = (double *)(scratch->spare + n);
	scratch->index = (uint32_t *)(scratch->sum + n);
	scratch->value = (float *)(scratch->index + n);
	return STATUS_OK;
}

static enum status append_row(size_t dim, const struct words *words, struct features *out,
			      struct err *err)
{
	struct scratch scratch;
	struct feature_row row = {.dim = dim};
	enum status status = scratch_init(&scratch, 2 * count_words(words), err);
	size_t n;

	if (status != STATUS_OK)
		return status;
	n = hash_ngrams(words, scratch.hash);
	sort_hashes(scratch.hash, n, scratch.spare);
	row.n_values = sum_buckets(scratch.hash, n, dim, scratch.index, scratch.sum);
	normalize(scratch.sum, row.n_values, scratch.value);
	row.index = scratch.index;
	row.value = scratch.value;
	status = features_append(out, row, err);
	mem_free(scratch.block);
	return status;
}

static enum status encode_hash(const struct encoder *encoder, struct text text,
			       struct features *out, struct err *err)
{
	struct words words;
	enum status status;

	words_init(&words);
	status = words_split(text, &words, err);
	if (status == STATUS_OK)
		status = append_row(encoder->dim, &words, out, err);
	words_free(&words);
	return status;
}

const struct encoder_ops encoder_hash_ops = {
    .scheme = "hash",
    .syntax = "hash:D",
    .sparse = true,
    .reads_text = true,
    .encode = encode_hash,
};
