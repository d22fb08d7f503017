/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/key_set.h"
#include "tests/unit/server/key_fixture.h"
#include "tests/unit/unit.h"

static struct key_set set;
static char line_a[API_KEY_LINE_MAX], line_b[API_KEY_LINE_MAX];

static void set_up(void)
{
	key_fixture_line("a", SCOPE_SCORE, "key a", line_a);
	key_fixture_line("b", SCOPE_ALL, "key b", line_b);
}

static void tear_down(void)
{
	key_set_free(&set);
}

static enum status parse(const char *text, struct err *err)
{
	key_set_free(&set);
	return key_set_parse(text, strlen(text), &set, err);
}

START_TEST(finds_each_key_and_no_other)
{
	char text[1024];

	snprintf(text, sizeof(text), "# who\n%s\n\r\n#%s%s", line_a, line_a, line_b);
	ck_assert_int_eq(parse(text, NULL), STATUS_OK);
	ck_assert_uint_eq(set.n_keys, 2);
	ck_assert_uint_eq(key_set_find(&set, "key a", 5), 0);
	ck_assert_uint_eq(key_set_find(&set, "key b", 5), 1);
	ck_assert_uint_eq(key_set_find(&set, "key c", 5), 2);
	ck_assert_uint_eq(key_set_find(&set, "key a", 4), 2);
	ck_assert_uint_eq(key_set_find(&set, "", 0), 2);
}
END_TEST

START_TEST(last_line_needs_no_end)
{
	char text[API_KEY_LINE_MAX];

	strcpy(text, line_a);
	text[strlen(text) - 1] = '\0';
	ck_assert_int_eq(parse(text, NULL), STATUS_OK);
	strcat(text, "\r\n");
	ck_assert_int_eq(parse(text, NULL), STATUS_OK);
	ck_assert_uint_eq(set.n_keys, 1);
}
END_TEST

START_TEST(fault_names_the_line_and_leaves_nothing)
{
	char same_name[1024], same_hash[1024], other[API_KEY_LINE_MAX];
	const struct {
		const char *text, *part;
	} cases[] = {
	    {"", "no key in it"},
	    {"# nothing\n\n", "no key in it"},
	    {same_name, "line 3: key a: a has the same name"},
	    {same_hash, "line 2: key c: a has the same hash"},
	    {"\n\nnonsense", "line 3: want three words"},
	};

	key_fixture_line("c", 0, "key a", other);
	snprintf(same_name, sizeof(same_name), "%s\n%s", line_a, line_a);
	snprintf(same_hash, sizeof(same_hash), "%s%s", line_a, other);
	for (size_t i = 0; i < LENGTH(cases); i++) {
		struct err err = {0};

		ck_assert_msg(parse(cases[i].text, &err) == STATUS_BAD_FILE, "case %zu", i);
		ck_assert_int_eq(err.code, STATUS_BAD_FILE);
		ck_assert_msg(strstr(err.msg, cases[i].part) != NULL, "case %zu: %s", i, err.msg);
		ck_assert_ptr_null(set.keys);
	}
}
END_TEST

START_TEST(bytes_that_are_no_text_are_refused)
{
	static const char zeros[64];

	ck_assert_int_eq(key_set_parse(zeros, sizeof(zeros), &set, NULL), STATUS_BAD_FILE);
}
END_TEST

START_TEST(more_keys_than_the_limit_are_refused)
{
	struct err err = {0};
	struct api_key key = {0};

	for (size_t i = 0; i <= KEY_SET_MAX; i++) {
		enum status want = i < KEY_SET_MAX ? STATUS_OK : STATUS_BAD_FILE;

		snprintf(key.name, sizeof(key.name), "k%zu", i);
		memcpy(key.hash, &i, sizeof(i));
		ck_assert_int_eq(key_set_add(&set, &key, &err), want);
	}
	ck_assert_uint_eq(set.n_keys, KEY_SET_MAX);
	ck_assert_ptr_nonnull(strstr(err.msg, "1024"));
}
END_TEST

START_TEST(file_is_read_or_named)
{
	char path[] = "/tmp/micro-keys-XXXXXX";
	struct err err = {0};
	int fd = mkstemp(path);

	key_fixture_write(path, line_a);
	ck_assert_int_eq(key_set_load(path, &set, &err), STATUS_OK);
	ck_assert_uint_eq(set.n_keys, 1);
	key_set_free(&set);
	ck_assert_int_eq(ftruncate(fd, KEY_SET_MAX_FILE + 1), 0);
	ck_assert_int_eq(key_set_load(path, &set, &err), STATUS_BAD_FILE);
	ck_assert_ptr_nonnull(strstr(err.msg, "1048576"));
	unlink(path);
	close(fd);
	ck_assert_int_eq(key_set_load(path, &set, &err), STATUS_IO);
	ck_assert_ptr_nonnull(strstr(err.msg, path));
	ck_assert_int_eq(key_set_load("/tmp", &set, &err), STATUS_IO);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("key_set");
	TCase *tcase = tcase_create("key_set");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, finds_each_key_and_no_other);
	tcase_add_test(tcase, last_line_needs_no_end);
	tcase_add_test(tcase, fault_names_the_line_and_leaves_nothing);
	tcase_add_test(tcase, bytes_that_are_no_text_are_refused);
	tcase_add_test(tcase, more_keys_than_the_limit_are_refused);
	tcase_add_test(tcase, file_is_read_or_named);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
