/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "server/pair_record.h"
#include "server/service.h"
#include "tests/unit/server/input_fixture.h"
#include "tests/unit/server/served_fixture.h"
#include "tests/unit/unit.h"

static const float vector_a[SERVED_DIM] = {1, 2, 0, -1};
static const float vector_b[SERVED_DIM] = {0, -1, 1, 0.5f};

static void digest_of(const struct question *question, double strength, unsigned char *digest)
{
	const struct feedback feedback = {
	    .user = "u", .event_id = "e", .question = *question, .strength = strength};

	pair_record_digest(&feedback, digest);
}

START_TEST(digest_tells_different_feedbacks_apart)
{
	struct input ab[] = {input_text("a", "chosen"), input_text("b", "rejected")};
	struct input ba[] = {input_text("b", "chosen"), input_text("a", "rejected")};
	struct input shifted[] = {input_text("ab", "chosen"), input_text("", "rejected")};
	struct input abc[] = {input_text("a", "chosen"), input_text("b", "rejected"),
			      input_text("c", "rejected")};
	struct input vectors[] = {input_vector(vector_a, "chosen"), input_text("b", "rejected")};
	const struct {
		struct question question;
		double strength;
	} cases[] = {
	    {{"", input_text("p", "prompt"), ab, 2}, 1},
	    {{"", input_text("p", "prompt"), ab, 2}, 2},
	    {{"", input_text("p", "prompt"), ba, 2}, 1},
	    {{"", input_text("p", "prompt"), abc, 3}, 1},
	    {{"", input_text("p", "prompt"), shifted, 2}, 1},
	    {{"", input_text("p", "prompt"), vectors, 2}, 1},
	    {{"c", input_text("p", "prompt"), ab, 2}, 1},
	    {{"p", input_text("", "prompt"), ab, 2}, 1},
	    {{"", input_text("q", "prompt"), ab, 2}, 1},
	    {{"", input_text("", "prompt"), ab, 2}, 1},
	    {{"", input_absent("prompt"), ab, 2}, 1},
	    {{"", input_vector(vector_a, "prompt"), ab, 2}, 1},
	    {{"", input_vector(vector_b, "prompt"), ab, 2}, 1},
	};
	unsigned char digest[LENGTH(cases)][STORE_DIGEST_LEN], again[STORE_DIGEST_LEN];

	for (size_t i = 0; i < LENGTH(cases); i++) {
		digest_of(&cases[i].question, cases[i].strength, digest[i]);
		for (size_t j = 0; j < i; j++)
			ck_assert_msg(memcmp(digest[i], digest[j], STORE_DIGEST_LEN) != 0,
				      "cases %zu and %zu", i, j);
		digest_of(&cases[i].question, cases[i].strength, again);
		ck_assert_msg(memcmp(digest[i], again, STORE_DIGEST_LEN) == 0, "case %zu", i);
	}
}
END_TEST

/* Long enough for the parts, and not a multiple of them. */
#define LONG_DIM 203

START_TEST(digest_depends_on_every_number_of_a_long_vector)
{
	/* of its own, so that a sanitizer sees who reads beyond it */
	float *value = calloc(LONG_DIM, sizeof(*value));
	struct input responses[] = {input_vector(vector_a, "chosen"), input_text("b", "rejected")};
	struct question question = {"", input_text("p", "prompt"), responses, 2};
	unsigned char digest[LONG_DIM + 2][STORE_DIGEST_LEN];

	ck_assert_ptr_nonnull(value);
	responses[0].vector.value = value;
	for (size_t i = 0; i < LENGTH(digest); i++) {
		/* all zero; each of them in turn; one fewer */
		responses[0].vector.n_values = i <= LONG_DIM ? LONG_DIM : LONG_DIM - 1;
		if (i > 0 && i <= LONG_DIM)
			value[i - 1] = 1;
		digest_of(&question, 1, digest[i]);
		if (i > 0 && i <= LONG_DIM)
			value[i - 1] = 0;
		for (size_t j = 0; j < i; j++)
			ck_assert_msg(memcmp(digest[i], digest[j], STORE_DIGEST_LEN) != 0,
				      "%zu and %zu", i, j);
	}
	free(value);
}
END_TEST

/* By BLAKE2b of Python's hashlib and a SipHash-2-4 written from its definition. */
START_TEST(digest_of_vectors_is_what_states_have)
{
	static const struct {
		size_t dim;
		const char *hex;
	} cases[] = {
	    {127, "53356b6c7a83a47a29abab60e39e790c"},
	    {128, "75bdeccc616d99bca6a2e5483f65fb57"},
	    {384, "aee5aa972cefa2c48fffe293b5c8dd19"},
	};
	static float value[384];
	struct input responses[] = {input_vector(value, "chosen"), input_text("b", "rejected")};
	struct question question = {"", input_text("p", "prompt"), responses, 2};
	unsigned char digest[STORE_DIGEST_LEN];
	char hex[2 * STORE_DIGEST_LEN + 1];

	for (size_t i = 0; i < LENGTH(value); i++)
		value[i] = (float)i;
	for (size_t i = 0; i < LENGTH(cases); i++) {
		responses[0].vector.n_values = cases[i].dim;
		digest_of(&question, 1, digest);
		ck_assert_str_eq(sodium_bin2hex(hex, sizeof(hex), digest, sizeof(digest)),
				 cases[i].hex);
	}
}
END_TEST

static void digest_of_choice(size_t chosen, const size_t *rejected, size_t n, double strength,
			     unsigned char *digest)
{
	const struct receipt_choice choice = {{"t", 1}, chosen, rejected, n};
	const struct feedback feedback = {.choice = &choice, .strength = strength};

	pair_record_digest_choice(&feedback, digest);
}

START_TEST(digest_tells_different_choices_apart)
{
	static const size_t one[] = {1}, two[] = {1, 2}, turned[] = {2, 1};
	unsigned char digest[5][STORE_DIGEST_LEN];

	digest_of_choice(0, one, 1, 1, digest[0]);
	digest_of_choice(0, two, 2, 1, digest[1]);
	digest_of_choice(0, turned, 2, 1, digest[2]);
	digest_of_choice(3, one, 1, 1, digest[3]);
	digest_of_choice(0, one, 1, 2, digest[4]);
	for (size_t i = 0; i < LENGTH(digest); i++) {
		for (size_t j = 0; j < i; j++)
			ck_assert_mem_ne(digest[i], digest[j], STORE_DIGEST_LEN);
	}
}
END_TEST

START_TEST(each_rejected_response_is_a_line_of_its_own)
{
	struct input abc[] = {input_text("a", "chosen"), input_text("b\n", "rejected"),
			      input_text("c", "rejected")};
	const struct feedback feedback = {
	    .user = "u", .question = {"", input_text("p", "prompt"), abc, 3}, .strength = 1};
	struct arena arena = {0};
	const char *lines;

	ck_assert_int_eq(pair_record_lines(&feedback, &arena, &lines, NULL), STATUS_OK);
	ck_assert_str_eq(
	    lines, "{\"prompt\":\"p\",\"chosen\":\"a\",\"rejected\":\"b\\n\",\"user\":\"u\"}\n"
		   "{\"prompt\":\"p\",\"chosen\":\"a\",\"rejected\":\"c\",\"user\":\"u\"}");
	arena_free(&arena);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("pair_record");
	TCase *digest = tcase_create("pair_record_digest");

	tcase_add_test(digest, digest_tells_different_feedbacks_apart);
	tcase_add_test(digest, digest_depends_on_every_number_of_a_long_vector);
	tcase_add_test(digest, digest_of_vectors_is_what_states_have);
	tcase_add_test(digest, digest_tells_different_choices_apart);
	tcase_add_test(digest, each_rejected_response_is_a_line_of_its_own);
	suite_add_tcase(suite, digest);
	return unit_run(suite);
}
