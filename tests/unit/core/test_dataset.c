/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include <zlib.h>

#include "core/base/mem.h"
#include "core/data/dataset.h"
#include "core/encode/template.h"
#include "tests/unit/core/folder_fixture.h"
#include "tests/unit/unit.h"

static struct encoder *encoder;
static struct dataset dataset;

static void begin(void)
{
	folder_make();
	dataset = (struct dataset){0};
}

static void end(void)
{
	dataset_free(&dataset);
	folder_remove();
}

static enum status read_bytes(const char *spec, const char *bytes, size_t len, struct err *err)
{
	const char *path = folder_write("pairs.jsonl", bytes, len);
	enum status status;

	ck_assert_int_eq(encoder_open(spec, &encoder, NULL), STATUS_OK);
	status =
	    dataset_read(path, encoder, TEMPLATE_DEFAULT_PHI, TEMPLATE_DEFAULT_PSI, &dataset, err);
	encoder_close(encoder);
	return status;
}

static void read_lines(const char *spec, const char *lines)
{
	struct err err = {.msg = ""};

	dataset_free(&dataset);
	ck_assert_msg(read_bytes(spec, lines, strlen(lines), &err) == STATUS_OK, "%s", err.msg);
}

/* Whether row i is what the encoder makes of text. */
static bool is_row_of(const struct features *features, size_t i, const char *text)
{
	const struct text view = {text, strlen(text)};
	struct features want;
	struct feature_row x = features_row(features, i), y;
	bool equal;

	ck_assert_int_eq(encoder_open("hash:64", &encoder, NULL), STATUS_OK);
	features_init(&want, 64, true);
	ck_assert_int_eq(encoder_encode(encoder, &view, 1, &want, NULL), STATUS_OK);
	y = features_row(&want, 0);
	equal = x.n_values == y.n_values &&
		memcmp(x.index, y.index, x.n_values * sizeof(*x.index)) == 0 &&
		memcmp(x.value, y.value, x.n_values * sizeof(*x.value)) == 0;
	features_free(&want);
	encoder_close(encoder);
	return equal;
}

/* ---- texts ---- */

START_TEST(read_makes_rows_of_distinct_texts)
{
	read_lines("hash:64",
		   "{\"user\":\"u\",\"context\":\"c\",\"prompt\":\"q\",\"chosen\":\"a\","
		   "\"rejected\":\"b\"}\n"
		   "{\"user\":\"v\",\"context\":\"c\",\"prompt\":\"q\",\"chosen\":\"b\","
		   "\"rejected\":\"d\"}\n"
		   "{\"user\":\"u\",\"prompt\":\"q\",\"chosen\":\"d\",\"rejected\":\"a\"}\n");
	ck_assert_uint_eq(dataset.n_pairs, 3);
	ck_assert_uint_eq(dataset.phi.n_rows, 3);
	ck_assert(is_row_of(&dataset.phi, 0, "a"));
	ck_assert(is_row_of(&dataset.phi, 1, "b"));
	ck_assert(is_row_of(&dataset.phi, 2, "d"));
	ck_assert_mem_eq(dataset.chosen, ((uint32_t[]){0, 1, 2}), 3 * sizeof(uint32_t));
	ck_assert_mem_eq(dataset.rejected, ((uint32_t[]){1, 2, 0}), 3 * sizeof(uint32_t));
	ck_assert_uint_eq(dataset.psi.n_rows, 2);
	ck_assert(is_row_of(&dataset.psi, 0, "c\nq"));
	ck_assert(is_row_of(&dataset.psi, 1, "\nq"));
	ck_assert_mem_eq(dataset.prompt, ((uint32_t[]){0, 0, 1}), 3 * sizeof(uint32_t));
	ck_assert_mem_eq(dataset.user, ((uint32_t[]){0, 1, 0}), 3 * sizeof(uint32_t));
	ck_assert_mem_eq(dataset.context, ((uint32_t[]){0, 0, DATASET_NONE}), 3 * sizeof(uint32_t));
	ck_assert_uint_eq(dataset.n_users, 2);
	ck_assert_str_eq(dataset.user_names[0], "u");
	ck_assert_str_eq(dataset.user_names[1], "v");
	ck_assert_uint_eq(dataset.n_contexts, 1);
	ck_assert_str_eq(dataset.context_names[0], "c");
}
END_TEST

START_TEST(read_renders_the_templates)
{
	static const char line[] =
	    "{\"context\":\"c\",\"prompt\":\"q\",\"chosen\":\"a\",\"rejected\":\"b\"}";
	const char *path = folder_write("one", line, sizeof(line) - 1);

	ck_assert_int_eq(encoder_open("hash:64", &encoder, NULL), STATUS_OK);
	ck_assert_int_eq(dataset_read(path, encoder, "{context} {prompt} {response}", "P {prompt}",
				      &dataset, NULL),
			 STATUS_OK);
	encoder_close(encoder);
	ck_assert(is_row_of(&dataset.phi, dataset.chosen[0], "c q a"));
	ck_assert(is_row_of(&dataset.phi, dataset.rejected[0], "c q b"));
	ck_assert(is_row_of(&dataset.psi, dataset.prompt[0], "P q"));
}
END_TEST

START_TEST(read_takes_integers_as_names)
{
	read_lines("hash:64",
		   "{\"user\":7,\"context\":-1,\"chosen\":\"a\",\"rejected\":\"b\"}\n"
		   "{\"user\":\"7\",\"context\":9223372036854775807,\"chosen\":\"a\","
		   "\"rejected\":\"b\"}\n"
		   "{\"user\":-9223372036854775808,\"chosen\":\"a\",\"rejected\":\"b\"}\n");
	ck_assert_uint_eq(dataset.n_users, 2);
	ck_assert_str_eq(dataset.user_names[0], "7");
	ck_assert_str_eq(dataset.user_names[1], "-9223372036854775808");
	ck_assert_str_eq(dataset.context_names[0], "-1");
	ck_assert_str_eq(dataset.context_names[1], "9223372036854775807");
}
END_TEST

START_TEST(read_takes_null_and_missing_as_absent)
{
	static const char *const lines[] = {
	    "{\"chosen\":\"a\",\"rejected\":\"b\"}",
	    "{\"user\":null,\"context\":null,\"prompt\":null,\"chosen\":\"a\",\"rejected\":\"b\"}",
	    "{\"context\":\"\",\"prompt\":\"\",\"chosen\":\"a\",\"rejected\":\"b\"}",
	};

	for (size_t i = 0; i < LENGTH(lines); i++) {
		read_lines("hash:64", lines[i]);
		ck_assert_uint_eq(dataset.user[0], DATASET_NONE);
		ck_assert_uint_eq(dataset.context[0], DATASET_NONE);
		ck_assert_uint_eq(dataset.n_users, 0);
		ck_assert_uint_eq(dataset.n_contexts, 0);
		ck_assert(is_row_of(&dataset.psi, dataset.prompt[0], "\n"));
	}
}
END_TEST

START_TEST(read_takes_texts_with_nul)
{
	read_lines("hash:64", "{\"chosen\":\"a\\u0000b\",\"rejected\":\"a\"}");
	ck_assert_uint_ne(dataset.chosen[0], dataset.rejected[0]);
	ck_assert(is_row_of(&dataset.phi, dataset.chosen[0], "a b"));
	ck_assert(is_row_of(&dataset.phi, dataset.rejected[0], "a"));
}
END_TEST

START_TEST(read_ignores_unknown_fields_blank_lines_and_carriage_returns)
{
	read_lines("hash:64",
		   "\r\n\n \t\n{\"chosen\":\"a\",\"rejected\":\"b\",\"score_chosen\":9.5,"
		   "\"weight\":[1],\"meta\":{\"user\":3}}\r\n\n");
	ck_assert_uint_eq(dataset.n_pairs, 1);
	ck_assert_uint_eq(dataset.user[0], DATASET_NONE);
}
END_TEST

/* Real files have some. */
START_TEST(read_keeps_pairs_of_equal_responses)
{
	read_lines("hash:64", "{\"chosen\":\"a\",\"rejected\":\"a\"}");
	ck_assert_uint_eq(dataset.n_pairs, 1);
	ck_assert_uint_eq(dataset.phi.n_rows, 1);
	ck_assert_uint_eq(dataset.chosen[0], 0);
	ck_assert_uint_eq(dataset.rejected[0], 0);
}
END_TEST

/* More distinct texts than one block of the encoder takes, and more pairs than the first arrays. */
START_TEST(read_keeps_the_order_of_many_texts)
{
	enum { N = 3000 };
	const char *path = folder_path("many");
	FILE *file = fopen(path, "wb");

	for (int i = 0; i < N; i++)
		fprintf(
		    file,
		    "{\"user\":%d,\"prompt\":\"p%d\",\"chosen\":\"w%d\",\"rejected\":\"w%d\"}\n",
		    i % 7, i / 10, i, i + 1);
	fclose(file);
	ck_assert_int_eq(encoder_open("hash:64", &encoder, NULL), STATUS_OK);
	ck_assert_int_eq(
	    dataset_read(path, encoder, TEMPLATE_DEFAULT_PHI, TEMPLATE_DEFAULT_PSI, &dataset, NULL),
	    STATUS_OK);
	encoder_close(encoder);
	ck_assert_uint_eq(dataset.n_pairs, N);
	ck_assert_uint_eq(dataset.phi.n_rows, N + 1);
	ck_assert_uint_eq(dataset.psi.n_rows, N / 10);
	for (uint32_t i = 0; i < N; i++) {
		char word[16];

		ck_assert_uint_eq(dataset.chosen[i], i);
		ck_assert_uint_eq(dataset.rejected[i], i + 1);
		ck_assert_uint_eq(dataset.prompt[i], i / 10);
		ck_assert_uint_eq(dataset.user[i], i % 7);
		snprintf(word, sizeof(word), "w%u", i);
		ck_assert_msg(i % 97 != 0 || is_row_of(&dataset.phi, i, word), "row %u", i);
	}
}
END_TEST

START_TEST(read_of_gzip_gives_the_same_data)
{
	static const char line[] = "{\"chosen\":\"a\",\"rejected\":\"b\"}\n";
	char plain[DIGEST_HEX_LEN + 1];
	const char *path = folder_path("pairs.jsonl.gz");
	gzFile file = gzopen(path, "wb");

	gzputs(file, line);
	ck_assert_int_eq(gzclose(file), Z_OK);
	read_lines("hash:64", line);
	memcpy(plain, dataset.sha256, sizeof(plain));
	dataset_free(&dataset);
	ck_assert_int_eq(encoder_open("hash:64", &encoder, NULL), STATUS_OK);
	ck_assert_int_eq(
	    dataset_read(path, encoder, TEMPLATE_DEFAULT_PHI, TEMPLATE_DEFAULT_PSI, &dataset, NULL),
	    STATUS_OK);
	encoder_close(encoder);
	ck_assert_str_eq(dataset.sha256, plain);
	ck_assert_str_eq(plain, "b43bc6bb4493060791222b51d2bfa1a5c40d4af8d6a0fdd6a590846a3352dc97");
	ck_assert_uint_eq(dataset.n_pairs, 1);
}
END_TEST

/* ---- vectors ---- */

START_TEST(read_takes_vectors_in_three_spellings)
{
	static const float want[] = {1, -2.5f};

	read_lines("none:2",
		   "{\"prompt\":[0,1],\"chosen\":[1,-2.5],\"rejected\":[0,0]}\n"
		   "{\"prompt\":{\"embedding\":[0,1]},\"chosen\":{\"embedding\":[1,-2.5]},"
		   "\"rejected\":{\"embedding\":\"AAAAAAAAgD8=\"}}\n"
		   "{\"prompt\":[0,1],\"chosen\":{\"embedding\":\"AACAPwAAIMA=\"},"
		   "\"rejected\":[0,1.0]}\n");
	ck_assert_uint_eq(dataset.n_pairs, 3);
	ck_assert_uint_eq(dataset.phi.n_rows, 3);
	ck_assert_uint_eq(dataset.psi.n_rows, 1);
	ck_assert(!dataset.phi.sparse);
	ck_assert_mem_eq(features_row(&dataset.phi, 0).value, want, sizeof(want));
	ck_assert_mem_eq(dataset.chosen, ((uint32_t[]){0, 0, 0}), 3 * sizeof(uint32_t));
	ck_assert_mem_eq(dataset.rejected, ((uint32_t[]){1, 2, 2}), 3 * sizeof(uint32_t));
}
END_TEST

START_TEST(read_takes_vectors_in_place_of_texts_for_hash)
{
	float got[4];

	read_lines("hash:4",
		   "{\"prompt\":[0,0,0,0],\"chosen\":[0,3,0,4],\"rejected\":[1,0,0,0]}\n");
	ck_assert(dataset.phi.sparse);
	ck_assert_uint_eq(features_row(&dataset.phi, 0).n_values, 2);
	feature_row_copy(features_row(&dataset.phi, 0), got);
	ck_assert_mem_eq(got, ((float[]){0, 3, 0, 4}), sizeof(got));
}
END_TEST

/* ---- faults ---- */

#define PAIR   "{\"chosen\":\"a\",\"rejected\":\"b\"}"
#define VECTOR "{\"prompt\":[0,0],\"chosen\":[1,0],\"rejected\":[0,1]}"

struct fault_case {
	const char *spec, *lines;
	enum status status;
	const char *message; /* behind the path */
};

static const struct fault_case faults[] = {
    {"hash:8", "", STATUS_INVALID_VALUE,
     ": no pairs, want one JSON object a line with \"prompt\", \"chosen\" and \"rejected\""},
    {"hash:8", "\n \n", STATUS_INVALID_VALUE,
     ": no pairs, want one JSON object a line with \"prompt\", \"chosen\" and \"rejected\""},
    /* not JSON */
    {"hash:8", "{", STATUS_MALFORMED, ":1: column 1: string or '}' expected near end of file"},
    {"hash:8", PAIR "\n\n{\"chosen\": }", STATUS_MALFORMED,
     ":3: column 12: unexpected token near '}'"},
    {"hash:8", PAIR " x", STATUS_MALFORMED, ":1: column 31: end of file expected near 'x'"},
    {"hash:8", PAIR PAIR, STATUS_MALFORMED, ":1: column 30: end of file expected near '{'"},
    {"hash:8", "\"text\"", STATUS_MALFORMED, ":1: column 6: '[' or '{' expected near '\"text\"'"},
    {"hash:8", "{\"chosen\":\"a\",\"chosen\":\"b\",\"rejected\":\"c\"}", STATUS_MALFORMED,
     ":1: column 22: duplicate object key near '\"chosen\"'"},
    {"hash:8", "{\"chosen\":\"\xff\"}", STATUS_MALFORMED,
     ":1: column 11: unable to decode byte 0xff near '\"'"},
    {"hash:8", "{\"chosen\":NaN}", STATUS_MALFORMED, ":1: column 13: invalid token near 'NaN'"},
    {"hash:8", "{\"chosen\":[1e999]}", STATUS_MALFORMED,
     ":1: column 16: real number overflow near '1e999'"},
    {"hash:8", "{\"chosen\\u0000\":\"a\"}", STATUS_MALFORMED,
     ":1: column 15: NUL byte in object key not supported near '\"chosen\\u0000\"'"},
    {"hash:8", "{\"user\":\"a\\u0000\",\"chosen\":\"a\",\"rejected\":\"b\"}", STATUS_INVALID_VALUE,
     ":1: /user: a name has the character U+0000, want none"},
    {"hash:8", "{\"id\":9223372036854775808}", STATUS_MALFORMED,
     ":1: column 25: too big integer near '9223372036854775808'"},
    /* JSON, but no pair */
    {"hash:8", "[]", STATUS_INVALID_TYPE, ":1: want an object, got an array"},
    {"hash:8", PAIR "\n{}", STATUS_MISSING_FIELD,
     ":2: /chosen: missing, want a text or a vector of 8 numbers"},
    {"hash:8", "{\"chosen\":\"a\"}", STATUS_MISSING_FIELD,
     ":1: /rejected: missing, want a text or a vector of 8 numbers"},
    {"hash:8", "{\"chosen\":null,\"rejected\":\"a\"}", STATUS_INVALID_TYPE,
     ":1: /chosen: want a text or a vector of 8 numbers, got null"},
    {"hash:8", "{\"chosen\":\"a\",\"rejected\":1.5}", STATUS_INVALID_TYPE,
     ":1: /rejected: want a text or a vector of 8 numbers, got a number"},
    {"hash:8", "{\"prompt\":false,\"chosen\":\"a\",\"rejected\":\"b\"}", STATUS_INVALID_TYPE,
     ":1: /prompt: want a text or a vector of 8 numbers, got a boolean"},
    {"hash:8", "{\"user\":1.5,\"chosen\":\"a\",\"rejected\":\"b\"}", STATUS_INVALID_TYPE,
     ":1: /user: want a text or an integer, got a number"},
    {"hash:8", "{\"user\":\"\",\"chosen\":\"a\",\"rejected\":\"b\"}", STATUS_INVALID_VALUE,
     ":1: /user: the empty text names nobody: give a name, or leave user out"},
    {"hash:8", "{\"context\":{},\"chosen\":\"a\",\"rejected\":\"b\"}", STATUS_INVALID_TYPE,
     ":1: /context: want a text or an integer, got an object"},
    /* messages */
    {"hash:8", "{\"prompt\":[{}],\"chosen\":\"a\",\"rejected\":\"b\"}", STATUS_INVALID_TYPE,
     ":1: /prompt: 0: role: want a text that is not empty"},
    {"hash:8", "{\"prompt\":[{\"role\":\"user\"}],\"chosen\":\"a\",\"rejected\":\"b\"}",
     STATUS_INVALID_TYPE, ":1: /prompt: 0: content: want a text or an array of texts"},
    {"hash:8",
     "{\"prompt\":[{\"role\":\"user\",\"content\":[{\"type\":\"image\"}]}],\"chosen\":\"a\","
     "\"rejected\":\"b\"}",
     STATUS_INVALID_TYPE, ":1: /prompt: 0: content/0: want {\"type\": \"text\", \"text\": ...}"},
    {"hash:8", "{\"messages\":[],\"chosen\":\"a\",\"rejected\":\"b\"}", STATUS_INVALID_TYPE,
     ":1: /messages: want an array of {\"role\": ..., \"content\": ...}"},
    {"hash:8", "{\"messages\":[{}],\"prompt\":\"p\",\"chosen\":\"a\",\"rejected\":\"b\"}",
     STATUS_INVALID_VALUE, ":1: want /prompt or /messages, not both"},
    {"hash:8",
     "{\"chosen\":[{\"role\":\"user\",\"content\":\"a\"},{\"role\":\"assistant\",\"content\":"
     "\"b\"}],\"rejected\":\"b\"}",
     STATUS_INVALID_VALUE, ":1: /chosen: 2 messages, want one: those before it are the prompt's"},
    /* vectors */
    {"none:2", "{\"prompt\":[0,0],\"chosen\":[1],\"rejected\":[1,0]}", STATUS_WRONG_DIMENSION,
     ":1: /chosen: vector of 1 numbers, want 2"},
    {"none:2", "{\"prompt\":[0,0,0],\"chosen\":[1,0],\"rejected\":[1,0]}", STATUS_WRONG_DIMENSION,
     ":1: /prompt: vector of 3 numbers, want 2"},
    {"none:2", "{\"prompt\":[0,0],\"chosen\":[1,\"2\"],\"rejected\":[1,0]}", STATUS_INVALID_TYPE,
     ":1: /chosen: number 1: want a number, got a text"},
    {"none:2", "{\"prompt\":[0,0],\"chosen\":[1,1e39],\"rejected\":[1,0]}", STATUS_NOT_FINITE,
     ":1: /chosen: number 1: 1e+39 does not fit in a float32, want a magnitude below 3.4028236e38"},
    {"none:2", "{\"prompt\":[0,0],\"chosen\":{\"embedding\":3},\"rejected\":[1,0]}",
     STATUS_INVALID_TYPE, ":1: /chosen: want {\"embedding\": ...} with 2 numbers or their base64"},
    {"none:2", "{\"prompt\":[0,0],\"chosen\":{\"vector\":[1,0]},\"rejected\":[1,0]}",
     STATUS_INVALID_TYPE, ":1: /chosen: want {\"embedding\": ...} with 2 numbers or their base64"},
    {"none:2", "{\"prompt\":[0,0],\"chosen\":{\"embedding\":\"A_==\"},\"rejected\":[1,0]}",
     STATUS_INVALID_BASE64, ":1: /chosen: character 1 (byte 0x5f) is not base64"},
    {"none:2", "{\"chosen\":[1,0],\"rejected\":[0,1]}", STATUS_MISSING_FIELD,
     ":1: /prompt: missing, want a vector of 2 numbers"},
    {"none:2", PAIR, STATUS_INVALID_TYPE,
     ":1: /chosen: want a vector of 2 numbers, got a text, which the encoder none:2 does not read"},
    {"none:2", VECTOR "\n{\"prompt\":\"q\",\"chosen\":[1,0],\"rejected\":[0,1]}",
     STATUS_INVALID_TYPE,
     ":2: /prompt: want a vector of 2 numbers, got a text, which the encoder none:2 does not read"},
    /* both */
    {"hash:2", PAIR "\n" VECTOR, STATUS_INVALID_TYPE,
     ":2: /chosen: got a vector where the file had a text before: want texts or vectors, not both"},
    {"hash:2", VECTOR "\n" PAIR, STATUS_INVALID_TYPE,
     ":2: /chosen: got a text where the file had a vector before: want texts or vectors, not both"},
    {"hash:2", "{\"chosen\":\"a\",\"rejected\":[0,1]}", STATUS_INVALID_TYPE,
     ":1: /rejected: got a vector where the file had a text before: want texts or vectors, not "
     "both"},
    {"hash:2", "{\"prompt\":[0,0],\"chosen\":\"a\",\"rejected\":\"b\"}", STATUS_INVALID_TYPE,
     ":1: /prompt: got a vector where the file had a text before: want texts or vectors, not "
     "both"},
};

START_TEST(read_refuses)
{
	const struct fault_case *c = &faults[_i];
	char want[600];
	struct err err = {.msg = ""};
	enum status status = read_bytes(c->spec, c->lines, strlen(c->lines), &err);

	ck_assert_msg(status == c->status, "%s: %s", c->lines, status_code(status));
	snprintf(want, sizeof(want), "%s%s", folder_path("pairs.jsonl"), c->message);
	ck_assert_str_eq(err.msg, want);
	ck_assert_uint_eq(dataset.n_pairs, 0);
}
END_TEST

START_TEST(read_refuses_a_missing_file)
{
	const char *path = folder_path("missing");
	char want[600];
	struct err err;

	ck_assert_int_eq(encoder_open("hash:8", &encoder, NULL), STATUS_OK);
	ck_assert_int_eq(
	    dataset_read(path, encoder, TEMPLATE_DEFAULT_PHI, TEMPLATE_DEFAULT_PSI, &dataset, &err),
	    STATUS_IO);
	encoder_close(encoder);
	snprintf(want, sizeof(want), "%s: cannot open: No such file or directory", path);
	ck_assert_str_eq(err.msg, want);
}
END_TEST

START_TEST(read_refuses_nesting_without_end)
{
	char lines[5000];
	struct err err = {.msg = ""};

	memset(lines, '[', sizeof(lines));
	ck_assert_int_eq(read_bytes("hash:8", lines, sizeof(lines), &err), STATUS_MALFORMED);
	ck_assert_msg(strstr(err.msg, ":1: column 2049: nested too deep") != NULL, "%s", err.msg);
}
END_TEST

/* ---- dataset_by_user ---- */

START_TEST(by_user_groups_pairs_in_file_order)
{
	/* users: b a - b - a b */
	static const uint32_t want_order[] = {0, 3, 6, 1, 5, 2, 4};
	static const size_t want_start[] = {0, 3, 5, 6, 7};
	uint32_t *order;
	size_t *start, n_groups;

	read_lines("hash:8", "{\"chosen\":\"x\",\"rejected\":\"y\",\"user\":\"b\"}\n"
			     "{\"chosen\":\"x\",\"rejected\":\"y\",\"user\":\"a\"}\n"
			     "{\"chosen\":\"x\",\"rejected\":\"y\"}\n"
			     "{\"chosen\":\"x\",\"rejected\":\"y\",\"user\":\"b\"}\n"
			     "{\"chosen\":\"x\",\"rejected\":\"y\"}\n"
			     "{\"chosen\":\"x\",\"rejected\":\"y\",\"user\":\"a\"}\n"
			     "{\"chosen\":\"x\",\"rejected\":\"y\",\"user\":\"b\"}\n");
	ck_assert_int_eq(dataset_by_user(&dataset, &order, &start, &n_groups, NULL), STATUS_OK);
	ck_assert_uint_eq(n_groups, LENGTH(want_start) - 1);
	ck_assert_mem_eq(order, want_order, sizeof(want_order));
	ck_assert_mem_eq(start, want_start, sizeof(want_start));
	mem_free(order);
	mem_free(start);
}
END_TEST

START_TEST(by_user_without_users_gives_each_pair_a_group)
{
	uint32_t *order;
	size_t *start, n_groups;

	read_lines("hash:8", PAIR "\n" PAIR "\n" PAIR);
	ck_assert_int_eq(dataset_by_user(&dataset, &order, &start, &n_groups, NULL), STATUS_OK);
	ck_assert_uint_eq(n_groups, 3);
	for (size_t i = 0; i < 3; i++) {
		ck_assert_uint_eq(order[i], i);
		ck_assert_uint_eq(start[i], i);
	}
	ck_assert_uint_eq(start[3], 3);
	mem_free(order);
	mem_free(start);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("dataset");
	TCase *read = tcase_create("read");
	TCase *by_user = tcase_create("by_user");

	tcase_add_checked_fixture(read, begin, end);
	tcase_add_test(read, read_makes_rows_of_distinct_texts);
	tcase_add_test(read, read_renders_the_templates);
	tcase_add_test(read, read_takes_integers_as_names);
	tcase_add_test(read, read_takes_null_and_missing_as_absent);
	tcase_add_test(read, read_takes_texts_with_nul);
	tcase_add_test(read, read_ignores_unknown_fields_blank_lines_and_carriage_returns);
	tcase_add_test(read, read_keeps_pairs_of_equal_responses);
	tcase_add_test(read, read_keeps_the_order_of_many_texts);
	tcase_add_test(read, read_of_gzip_gives_the_same_data);
	tcase_add_test(read, read_takes_vectors_in_three_spellings);
	tcase_add_test(read, read_takes_vectors_in_place_of_texts_for_hash);
	tcase_add_loop_test(read, read_refuses, 0, (int)LENGTH(faults));
	tcase_add_test(read, read_refuses_a_missing_file);
	tcase_add_test(read, read_refuses_nesting_without_end);
	suite_add_tcase(suite, read);
	tcase_add_checked_fixture(by_user, begin, end);
	tcase_add_test(by_user, by_user_groups_pairs_in_file_order);
	tcase_add_test(by_user, by_user_without_users_gives_each_pair_a_group);
	suite_add_tcase(suite, by_user);
	return unit_run(suite);
}
