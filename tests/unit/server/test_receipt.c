/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/receipt.h"
#include "tests/unit/unit.h"

#define AGE_US (3600 * 1000000LL)
#define NOW_US 1700000000000000LL

enum { N_RESPONSES = 3, N_HEADS = 2 };

static const struct receipt_key key = {{1, 2, 3}};
static const struct receipt_key other_key = {{1, 2, 4}};
static const float logits[N_HEADS] = {0.5F, -0.25F};
static const float reward[N_RESPONSES * N_HEADS] = {1, -2.5F, 3e-30F, 4e30F, -0.0F, 6};
static const struct receipt sample = {
    .user = "ada \xc3\xa9",
    .context = "",
    .model_id = "b14dea",
    .issued_us = NOW_US,
    .nonce = {0xab, 0xcd},
    .n_responses = N_RESPONSES,
    .n_heads = N_HEADS,
    .logits = logits,
    .reward = reward,
};

static struct arena arena;

static void teardown(void)
{
	arena_free(&arena);
}

static const char *seal(void)
{
	const char *token;
	struct err err;

	ck_assert_msg(receipt_seal(&sample, &key, &arena, &token, &err) == STATUS_OK, "%s",
		      err.msg);
	return token;
}

static enum status open_len(const char *token, size_t len)
{
	struct receipt receipt;
	struct err err = {0};
	enum status status = receipt_open(token, len, &key, &arena, &receipt, &err);

	ck_assert_int_eq(receipt_open(token, len, &key, &arena, &receipt, NULL), status);
	if (status != STATUS_OK) {
		ck_assert_int_eq(err.code, status);
		ck_assert_str_ne(err.msg, "");
	}
	return status;
}

START_TEST(opened_is_what_was_sealed)
{
	const char *token = seal();
	struct receipt r;

	ck_assert_int_eq(receipt_open(token, strlen(token), &key, &arena, &r, NULL), STATUS_OK);
	ck_assert_str_eq(r.user, sample.user);
	ck_assert_str_eq(r.context, "");
	ck_assert_str_eq(r.model_id, sample.model_id);
	ck_assert_int_eq(r.issued_us, NOW_US);
	ck_assert_mem_eq(r.nonce, sample.nonce, sizeof(r.nonce));
	ck_assert_uint_eq(r.n_responses, N_RESPONSES);
	ck_assert_uint_eq(r.n_heads, N_HEADS);
	ck_assert_mem_eq(r.logits, logits, sizeof(logits));
	ck_assert_mem_eq(r.reward, reward, sizeof(reward));
	ck_assert_uint_eq(strspn(token, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
					"0123456789-_"),
			  strlen(token));
}
END_TEST

/* Independent of this code: Python's struct, hmac and base64 made it. */
START_TEST(token_is_the_documented_layout)
{
	static const char golden[] =
	    "AVAAAAAAQB4YJAoGAKvNAAAAAAAAAAAAAAAAAAADAAAAAgAGAGFkYSDDqQAABgBiMTRkZWEAAAA_AACA"
	    "vgAAgD8AACDAkGNzDsrySXIAAACAAADAQI10Pd53rJPXTYLrKw3DEjb0l-G5dUpFWucURFy763KX";

	ck_assert_str_eq(seal(), golden);
}
END_TEST

START_TEST(one_changed_bit_is_no_receipt)
{
	const char *token = seal();
	size_t len = strlen(token);
	char *changed = arena_string(&arena, token, len);

	for (size_t i = 0; i < len; i++) {
		enum status status;

		changed[i] = token[i] == 'A' ? 'B' : 'A';
		status = open_len(changed, len);
		ck_assert(status == STATUS_RECEIPT_FORGED || status == STATUS_RECEIPT_MALFORMED ||
			  status == STATUS_RECEIPT_TRUNCATED);
		if (i > 8)
			ck_assert_msg(status == STATUS_RECEIPT_FORGED || i == len - 1,
				      "character %zu", i);
		changed[i] = token[i];
	}
	ck_assert_int_eq(open_len(changed, len), STATUS_OK);
}
END_TEST

START_TEST(missing_end_is_named)
{
	const char *token = seal();

	for (size_t len = strlen(token) - 1; len > 8; len--)
		ck_assert_msg(open_len(token, len) == STATUS_RECEIPT_TRUNCATED, "%zu", len);
	ck_assert_int_eq(open_len(token, 0), STATUS_RECEIPT_MALFORMED);
}
END_TEST

START_TEST(what_is_no_token_is_malformed)
{
	static const char *const texts[] = {"x",       "evt-1", "not base64!",
					    "AgAAAAA", "====",	"AVYAAAAA+MUBMQoGAKvN"};
	char *longer = arena_string(&arena, seal(), strlen(seal()));

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		ck_assert_msg(open_len(texts[i], strlen(texts[i])) == STATUS_RECEIPT_MALFORMED,
			      "%s", texts[i]);
	longer = strcat(strcpy(arena_array(&arena, strlen(longer) + 5, 1), longer), "AAAA");
	ck_assert_int_eq(open_len(longer, strlen(longer)), STATUS_RECEIPT_MALFORMED);
}
END_TEST

START_TEST(another_keys_receipt_is_forged)
{
	const char *token;
	struct receipt r;

	ck_assert_int_eq(receipt_seal(&sample, &other_key, &arena, &token, NULL), STATUS_OK);
	ck_assert_int_eq(receipt_open(token, strlen(token), &key, &arena, &r, NULL),
			 STATUS_RECEIPT_FORGED);
	ck_assert_int_eq(receipt_open(token, strlen(token), &other_key, &arena, &r, NULL),
			 STATUS_OK);
}
END_TEST

START_TEST(too_many_numbers_are_refused)
{
	struct receipt large = sample;
	const char *token;
	struct err err;

	large.n_responses = SIZE_MAX / N_HEADS;
	ck_assert_int_eq(receipt_seal(&large, &key, &arena, &token, &err), STATUS_TOO_LARGE);
	large.n_responses = RECEIPT_MAX / sizeof(float) / N_HEADS;
	ck_assert_int_eq(receipt_seal(&large, &key, &arena, &token, &err), STATUS_TOO_LARGE);
}
END_TEST

/* ---- receipt_check ---- */

static const struct {
	const char *name;
	struct receipt_bearer bearer;
	int64_t age_us;
	enum status want;
} checks[] = {
    {"fresh", {"ada \xc3\xa9", "", "b14dea"}, 0, STATUS_OK},
    {"nobody said", {NULL, NULL, "b14dea"}, 5, STATUS_OK},
    {"just in time", {NULL, NULL, "b14dea"}, AGE_US, STATUS_OK},
    {"too late", {NULL, NULL, "b14dea"}, AGE_US + 1, STATUS_RECEIPT_EXPIRED},
    {"clock set back", {NULL, NULL, "b14dea"}, -10 * AGE_US, STATUS_OK},
    {"other user", {"bob", NULL, "b14dea"}, 0, STATUS_RECEIPT_FOREIGN},
    {"other context", {NULL, "terse", "b14dea"}, 0, STATUS_RECEIPT_FOREIGN},
    {"other model", {NULL, NULL, "b14deb"}, 0, STATUS_RECEIPT_FOREIGN},
    {"other model and late", {NULL, NULL, "b14deb"}, 2 * AGE_US, STATUS_RECEIPT_FOREIGN},
};

START_TEST(check_tells_whose_and_how_old)
{
	struct err err = {0};

	ck_assert_msg(receipt_check(&sample, NOW_US + checks[_i].age_us, AGE_US, &checks[_i].bearer,
				    &err) == checks[_i].want,
		      "%s: %s", checks[_i].name, err.msg);
}
END_TEST

START_TEST(event_id_is_of_the_nonce)
{
	char id[RECEIPT_ID_LEN + 1];

	receipt_event_id(&sample, id);
	ck_assert_str_eq(id, "receipt-abcd0000000000000000000000000000");
}
END_TEST

/* ---- receipt_key ---- */

static void count_up(void *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		((unsigned char *)bytes)[i] = (unsigned char)i;
}

static char path[64];

static void new_path(void)
{
	strcpy(path, "/tmp/test_receipt.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(path));
	strcat(path, "/key");
}

static void remove_path(void)
{
	unlink(path);
	*strrchr(path, '/') = '\0';
	ck_assert_int_eq(rmdir(path), 0);
}

static void write_key_file(const char *text, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, mode);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fchmod(fd, mode), 0);
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

START_TEST(key_file_is_made_once_for_its_owner_only)
{
	struct receipt_key first, again;
	struct err err = {0};
	struct stat file;

	ck_assert_int_eq(receipt_key_check(path, NULL), STATUS_NOT_FOUND);
	ck_assert_int_eq(receipt_key_load(path, count_up, &first, &err), STATUS_OK);
	ck_assert_int_eq(err.code, STATUS_OK);
	ck_assert_int_eq(receipt_key_check(path, NULL), STATUS_OK);
	ck_assert_int_eq(stat(path, &file), 0);
	ck_assert_int_eq(file.st_mode & ALLPERMS, 0600);
	for (size_t i = 0; i < sizeof(first.bytes); i++)
		ck_assert_int_eq(first.bytes[i], (int)i);
	ck_assert_int_eq(receipt_key_load(path, NULL, &again, NULL), STATUS_OK);
	ck_assert_mem_eq(first.bytes, again.bytes, sizeof(first.bytes));
}
END_TEST

#define DIGITS "000102030405060708090a0b0c0d0e0f101112131415161718191A1B1C1D1E1F"

static const struct {
	const char *text;
	mode_t mode;
	const char *fragment; /* NULL: taken */
} files[] = {
    {DIGITS, 0600, NULL},
    {DIGITS " \r\n", 0400, NULL},
    {DIGITS, 0640, "want mode 0600"},
    {DIGITS, 0604, "want mode 0600"},
    {"", 0600, "want a key of 64 hexadecimal digits"},
    {DIGITS "0", 0600, "want a key of 64 hexadecimal digits"},
    {"x" DIGITS, 0600, "want a key of 64 hexadecimal digits"},
    {DIGITS "\n" DIGITS, 0600, "want a key of 64 hexadecimal digits"},
};

START_TEST(key_file_is_checked)
{
	struct receipt_key loaded;
	struct err err = {0};
	enum status status;

	write_key_file(files[_i].text, files[_i].mode);
	status = receipt_key_load(path, count_up, &loaded, &err);
	if (files[_i].fragment == NULL) {
		ck_assert_msg(status == STATUS_OK, "%s", err.msg);
		ck_assert_int_eq(loaded.bytes[31], 31);
		return;
	}
	ck_assert_int_eq(status, STATUS_BAD_FILE);
	ck_assert_int_eq(err.code, STATUS_BAD_FILE);
	ck_assert_ptr_nonnull(strstr(err.msg, files[_i].fragment));
	ck_assert_ptr_nonnull(strstr(err.msg, path));
	ck_assert_ptr_null(strstr(err.msg, "0203"));
}
END_TEST

START_TEST(key_in_no_folder_is_an_error)
{
	struct receipt_key loaded;
	struct err err = {0};

	ck_assert_int_eq(receipt_key_load("/nowhere/at/all/key", count_up, &loaded, &err),
			 STATUS_IO);
	ck_assert_ptr_nonnull(strstr(err.msg, "/nowhere/at/all/key"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("receipt");
	TCase *tokens = tcase_create("tokens"), *keys = tcase_create("keys");

	tcase_add_checked_fixture(tokens, NULL, teardown);
	tcase_add_test(tokens, opened_is_what_was_sealed);
	tcase_add_test(tokens, token_is_the_documented_layout);
	tcase_add_test(tokens, one_changed_bit_is_no_receipt);
	tcase_add_test(tokens, missing_end_is_named);
	tcase_add_test(tokens, what_is_no_token_is_malformed);
	tcase_add_test(tokens, another_keys_receipt_is_forged);
	tcase_add_test(tokens, too_many_numbers_are_refused);
	tcase_add_loop_test(tokens, check_tells_whose_and_how_old, 0,
			    sizeof(checks) / sizeof(checks[0]));
	tcase_add_test(tokens, event_id_is_of_the_nonce);
	suite_add_tcase(suite, tokens);

	tcase_add_checked_fixture(keys, new_path, remove_path);
	tcase_add_test(keys, key_file_is_made_once_for_its_owner_only);
	tcase_add_loop_test(keys, key_file_is_checked, 0, sizeof(files) / sizeof(files[0]));
	tcase_add_test(keys, key_in_no_folder_is_an_error);
	suite_add_tcase(suite, keys);
	return unit_run(suite);
}
