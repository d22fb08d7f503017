/* SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>
#include <string.h>

#include <sodium.h>

#include "core/base/rng.h"
#include "core/base/siphash_impl.h"
#include "tests/unit/unit.h"

#define N_BYTES	 4096
#define MAX_LEN	 300
#define MAX_TEXT 40

static const char key[SIPHASH_KEY_LEN + 1] = "sixteen bytes...";
static char bytes[N_BYTES + MAX_LEN + SIPHASH_BEYOND];
static struct siphash_text texts[MAX_TEXT];
static struct rng rng;

static void fixture(void)
{
	rng_init(&rng, 7);
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (char)rng_below(&rng, 256);
}

/* The paper's appendix A: key 00 01 .. 0f, text 00 01 .. 0e. */
START_TEST(hash_is_the_papers)
{
	char counting[16 + SIPHASH_BEYOND];
	const struct siphash_text text = {counting, 15};
	uint64_t hash;

	for (size_t i = 0; i < sizeof(counting); i++)
		counting[i] = (char)i;
	siphash_many(counting, &text, 1, &hash);
	ck_assert_uint_eq(hash, 0xa129ca6149be45e5u);
}
END_TEST

static uint64_t reference(const struct siphash_text *text)
{
	unsigned char out[crypto_shorthash_BYTES];
	uint64_t hash = 0;

	crypto_shorthash(out, (const unsigned char *)text->bytes, text->len,
			 (const unsigned char *)key);
	for (size_t i = 0; i < sizeof(out); i++)
		hash |= (uint64_t)out[i] << (8 * i);
	return hash;
}

static void check(enum simd simd, size_t n)
{
	uint64_t hash[MAX_TEXT + 1];

	hash[n] = 42;
	siphash_many_by(simd, key, texts, n, hash);
	for (size_t i = 0; i < n; i++)
		ck_assert_msg(hash[i] == reference(&texts[i]),
			      "instructions %d, text %zu of %zu, %zu bytes", (int)simd, i, n,
			      texts[i].len);
	ck_assert_uint_eq(hash[n], 42);
}

/* Lengths beside each other, empty ones too; texts anywhere. */
START_TEST(each_kind_agrees_with_libsodium)
{
	for (enum simd simd = SIMD_PORTABLE; simd < N_SIMD; simd++) {
		if (!simd_runs(simd))
			continue;
		for (size_t n = 0; n <= MAX_TEXT; n++) {
			for (size_t most = 1; most <= MAX_LEN; most += 1 + most / 2) {
				for (size_t i = 0; i < n; i++)
					texts[i] =
					    (struct siphash_text){bytes + rng_below(&rng, N_BYTES),
								  (size_t)rng_below(&rng, most)};
				check(simd, n);
			}
		}
	}
}
END_TEST

START_TEST(bytes_beyond_the_text_do_not_matter)
{
	static char first[16 + SIPHASH_BEYOND], second[16 + SIPHASH_BEYOND];

	for (size_t len = 0; len <= 16; len++) {
		const struct siphash_text two[] = {{first, len}, {second, len}};
		uint64_t hash[2];

		memset(first, 'x', sizeof(first));
		memset(second, 'x', len);
		memset(second + len, 0xff, sizeof(second) - len);
		siphash_many(key, two, 2, hash);
		ck_assert_uint_eq(hash[0], hash[1]);
	}
}
END_TEST

START_TEST(portable_kind_always_runs)
{
	ck_assert(simd_runs(SIMD_PORTABLE));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("siphash");
	TCase *tcase = tcase_create("many");

	tcase_add_checked_fixture(tcase, fixture, NULL);
	tcase_add_test(tcase, hash_is_the_papers);
	tcase_add_test(tcase, each_kind_agrees_with_libsodium);
	tcase_add_test(tcase, bytes_beyond_the_text_do_not_matter);
	tcase_add_test(tcase, portable_kind_always_runs);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
