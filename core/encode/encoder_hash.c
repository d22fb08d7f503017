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

#include "core/base/mem.h"
#include "core/base/siphash.h"
#include "core/encode/encoder_impl.h"
#include "core/encode/words.h"

/* Fixed for ever: with another key all trained models would be meaningless. */
static const char hash_key[] = "micro/1 hash key";

static_assert(sizeof(hash_key) == SIPHASH_KEY_LEN + 1, "the key and its NUL");

#define FEWEST_BINS 16 /* a power of two */
#define MOST_BINS   256
#define FEW	    24
#define SMALL	    512 /* n-grams for which no memory is asked for */
#define TOGETHER    64	/* n-grams that are hashed together */

static size_t count_words(const struct words *words)
{
	size_t n = 0;

	for (size_t i = 0; i < words->len; i++)
		n += words->bytes[i] == ' ';
	return n;
}

/* N-grams on their way into hash_out. */
struct ngrams {
	struct siphash_text text[TOGETHER];
	size_t n;
	uint64_t *hash_out;
	size_t n_hashed;
};

static void hash_pending(struct ngrams *ngrams)
{
	siphash_many(hash_key, ngrams->text, ngrams->n, ngrams->hash_out + ngrams->n_hashed);
	ngrams->n_hashed += ngrams->n;
	ngrams->n = 0;
}

static void add_ngram(struct ngrams *ngrams, const char *begin, const char *end)
{
	if (ngrams->n == TOGETHER)
		hash_pending(ngrams);
	ngrams->text[ngrams->n++] = (struct siphash_text){begin, (size_t)(end - begin)};
}

/* Hashes of all 1-grams and 2-grams; returns their number, less than twice the words'. */
static size_t hash_ngrams(const struct words *words, uint64_t *hash_out)
{
	const char *end = words->bytes + words->len;
	const char *previous = NULL;
	struct ngrams ngrams;

	ngrams.n = ngrams.n_hashed = 0;
	ngrams.hash_out = hash_out;
	for (const char *word = words->bytes; word < end;) {
		const char *space = memchr(word, ' ', (size_t)(end - word));

		add_ngram(&ngrams, word, space);
		if (previous != NULL)
			add_ngram(&ngrams, previous, space);
		previous = word;
		word = space + 1;
	}
	hash_pending(&ngrams);
	return ngrams.n_hashed;
}

static int compare_hashes(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* Ascending. Costs n and as many steps as there are pairs in the wrong order. */
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

/* Each bin for itself; end [n_bins] of each. */
static void sort_bins(uint64_t *hash, const size_t *end, size_t n_bins)
{
	size_t begin = 0;

	for (size_t bin = 0; bin < n_bins; begin = end[bin++]) {
		if (end[bin] - begin <= FEW)
			sort_few(hash + begin, end[bin] - begin);
		else
			qsort(hash + begin, end[bin] - begin, sizeof(*hash), compare_hashes);
	}
}

/* How many leading bits tell n hashes apart well: of about as many bins as there are hashes. */
static int bin_bits(size_t n)
{
	size_t n_bins = FEWEST_BINS;

	while (n_bins < n && n_bins < MOST_BINS)
		n_bins *= 2;
	return __builtin_ctzll(n_bins);
}

/*
 * Ascending into sorted_out [n]: first by the leading bits, which are as good as random, then
 * what is left to do. Whoever finds words that share these bits gets qsort() for them, and n log n.
 */
static void sort_hashes(const uint64_t *hash, size_t n, uint64_t *sorted_out)
{
	const int bits = bin_bits(n), shift = 64 - bits;
	const size_t n_bins = (size_t)1 << bits;
	size_t end[MOST_BINS]; /* of each bin; its beginning until it is filled */
	size_t begin = 0, most = 0;

	memset(end, 0, n_bins * sizeof(*end));
	for (size_t i = 0; i < n; i++)
		end[hash[i] >> shift]++;
	for (size_t bin = 0; bin < n_bins; bin++) {
		size_t length = end[bin];

		most = length > most ? length : most;
		end[bin] = begin;
		begin += length;
	}
	for (size_t i = 0; i < n; i++)
		sorted_out[end[hash[i] >> shift]++] = hash[i];
	if (most <= FEW)
		sort_few(sorted_out, n);
	else
		sort_bins(sorted_out, end, n_bins);
}

static uint32_t bucket_of(uint64_t hash, size_t dim)
{
	return (uint32_t)((unsigned __int128)hash * dim >> 64);
}

static double sign_of(uint64_t hash)
{
	return 1 - 2 * (double)(hash & 1);
}

/* Over the n sorted hashes of one bucket. */
static double sum_of(const uint64_t *hash, size_t n)
{
	double sum = 0;

	for (size_t i = 0, first = 0; i < n; first = i) {
		while (i < n && hash[i] == hash[first])
			i++;
		sum += sign_of(hash[first]) * sqrt((double)(i - first));
	}
	return sum;
}

/*
 * Sums per bucket of the sorted hashes, those that cancel out left out; returns
 * their number.
 */
static size_t sum_buckets(const uint64_t *hash, size_t n, size_t dim, uint32_t *index_out,
			  double *sum_out)
{
	size_t n_sums = 0;

	for (size_t i = 0, end; i < n; i = end) {
		uint32_t bucket = bucket_of(hash[i], dim);

		for (end = i + 1; end < n && bucket_of(hash[end], dim) == bucket;)
			end++;
		/* nearly all n-grams of a text are there once, and alone in their bucket */
		index_out[n_sums] = bucket;
		sum_out[n_sums] = end - i == 1 ? sign_of(hash[i]) : sum_of(hash + i, end - i);
		n_sums += sum_out[n_sums] != 0;
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
	uint64_t *sorted;
	double *sum;
	uint32_t *index;
	float *value;
	void *block; /* NULL: in small */
	struct {
		uint64_t hash[SMALL];
		uint64_t sorted[SMALL];
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
	scratch->sorted = scratch->small.sorted;
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
	scratch->sorted = scratch->hash + n;
	scratch->sum = (double *)(scratch->sorted + n);
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
	sort_hashes(scratch.hash, n, scratch.sorted);
	row.n_values = sum_buckets(scratch.sorted, n, dim, scratch.index, scratch.sum);
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
