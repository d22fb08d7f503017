/* SPDX-License-Identifier: Apache-2.0 */
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/atomic_file.h"
#include "tests/unit/core/folder_fixture.h"
#include "tests/unit/unit.h"

static enum status replace(const char *path, const char *text, struct err *err)
{
	struct atomic_file file;
	enum status status = atomic_file_open(&file, path, err);

	if (status != STATUS_OK)
		return status;
	status = atomic_file_write(&file, text, strlen(text), err);
	if (status != STATUS_OK) {
		atomic_file_abort(&file);
		return status;
	}
	return atomic_file_commit(&file, err);
}

static void assert_content(const char *path, const char *want)
{
	size_t len;
	char *text = folder_read(path, &len);

	ck_assert_str_eq(text, want);
	free(text);
}

START_TEST(commit_makes_a_file)
{
	ck_assert(replace(folder_path("new"), "hello", NULL) == STATUS_OK);
	assert_content(folder_path("new"), "hello");
	ck_assert_uint_eq(folder_count(), 1);
}
END_TEST

START_TEST(commit_replaces_a_file)
{
	const char *path = folder_write("old", "a longer old text", 17);

	ck_assert(replace(path, "new", NULL) == STATUS_OK);
	assert_content(path, "new");
	ck_assert_uint_eq(folder_count(), 1);
}
END_TEST

START_TEST(commit_in_the_working_folder)
{
	ck_assert_int_eq(chdir(folder_path(".")), 0);
	ck_assert(replace("plain-name", "here", NULL) == STATUS_OK);
	assert_content(folder_path("plain-name"), "here");
	ck_assert_int_eq(chdir("/"), 0);
}
END_TEST

START_TEST(old_content_stays_until_commit)
{
	const char *path = folder_write("file", "old", 3);
	struct atomic_file file;

	ck_assert(atomic_file_open(&file, path, NULL) == STATUS_OK);
	ck_assert(atomic_file_write(&file, "new", 3, NULL) == STATUS_OK);
	assert_content(path, "old");
	ck_assert(atomic_file_commit(&file, NULL) == STATUS_OK);
	assert_content(path, "new");
}
END_TEST

START_TEST(abort_leaves_everything_as_it_was)
{
	const char *path = folder_write("file", "old", 3);
	struct atomic_file file;

	ck_assert(atomic_file_open(&file, path, NULL) == STATUS_OK);
	ck_assert(atomic_file_write(&file, "new", 3, NULL) == STATUS_OK);
	atomic_file_abort(&file);
	assert_content(path, "old");
	ck_assert_uint_eq(folder_count(), 1);
}
END_TEST

START_TEST(permissions_follow_the_umask)
{
	static const mode_t masks[] = {022, 077, 002};

	for (size_t i = 0; i < LENGTH(masks); i++) {
		mode_t before = umask(masks[i]);
		struct stat info;

		ck_assert(replace(folder_path("file"), "x", NULL) == STATUS_OK);
		umask(before);
		ck_assert_int_eq(stat(folder_path("file"), &info), 0);
		ck_assert_uint_eq(info.st_mode & 0777, 0666 & ~masks[i]);
	}
}
END_TEST

START_TEST(symbolic_link_is_kept_and_its_target_replaced)
{
	const char *target = folder_write("target", "old", 3);
	struct stat info;

	ck_assert_int_eq(symlink(target, folder_path("link")), 0);
	ck_assert(replace(folder_path("link"), "new", NULL) == STATUS_OK);
	ck_assert_int_eq(lstat(folder_path("link"), &info), 0);
	ck_assert(S_ISLNK(info.st_mode));
	assert_content(folder_path("target"), "new");
	ck_assert_uint_eq(folder_count(), 2);
}
END_TEST

START_TEST(open_refuses_what_it_cannot_replace)
{
	struct err err;

	ck_assert_int_eq(symlink("/nowhere/at/all", folder_path("dangling")), 0);
	ck_assert(replace(folder_path("dangling"), "x", &err) == STATUS_IO);
	ck_assert_str_eq(err.msg, "follow the symbolic link: No such file or directory");
	ck_assert_int_eq(mkfifo(folder_path("fifo"), 0600), 0);
	ck_assert(replace(folder_path("fifo"), "x", &err) == STATUS_IO);
	ck_assert_str_eq(err.msg, "not a regular file, so it is not replaced");
	ck_assert(replace(folder_path("."), "x", &err) == STATUS_IO);
	ck_assert_str_eq(err.msg, "not a regular file, so it is not replaced");
	ck_assert(replace(folder_path("no/such/folder"), "x", &err) == STATUS_IO);
	ck_assert_str_eq(err.msg, "create a temporary file beside it: No such file or directory");
	ck_assert_uint_eq(folder_count(), 2);
}
END_TEST

START_TEST(open_refuses_a_path_that_is_too_long)
{
	char path[PATH_MAX + 100];
	struct err err;

	memset(path, 'a', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	ck_assert(replace(path, "x", &err) == STATUS_IO);
	ck_assert_str_eq(err.msg, "look for the old file: File name too long");
	/* room for the name, none for the temporary file's */
	for (size_t i = 1; i < PATH_MAX; i += 2)
		path[i] = '/', path[i - 1] = '.';
	path[PATH_MAX - 5] = '\0';
	memcpy(path + PATH_MAX - 9, "name", 5);
	ck_assert(replace(path, "x", &err) == STATUS_IO);
	ck_assert_str_eq(err.msg, "create a temporary file beside it: File name too long");
}
END_TEST

/* A full disk, as this process sees it. */
static void limit_file_size(rlim_t n_bytes)
{
	struct rlimit limit = {.rlim_cur = n_bytes, .rlim_max = RLIM_INFINITY};

	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

START_TEST(full_disk_leaves_the_old_file_and_no_temporary_one)
{
	const char *path = folder_write("file", "old", 3);
	struct err err;
	enum status status;

	signal(SIGXFSZ, SIG_IGN);
	limit_file_size(4);
	status = replace(path, "a new text", &err);
	limit_file_size(RLIM_INFINITY);
	ck_assert(status == STATUS_IO);
	ck_assert_str_eq(err.msg, "write: File too large");
	assert_content(path, "old");
	ck_assert_uint_eq(folder_count(), 1);
}
END_TEST

START_TEST(killed_writer_leaves_the_old_file)
{
	const char *path = folder_write("file", "old", 3);
	int status;
	pid_t child = fork();

	if (child == 0) {
		struct atomic_file file;

		if (atomic_file_open(&file, path, NULL) == STATUS_OK &&
		    atomic_file_write(&file, "new", 3, NULL) == STATUS_OK)
			raise(SIGKILL);
		_exit(1);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert(WIFSIGNALED(status));
	assert_content(path, "old");
	/* what it left behind is in nobody's way */
	ck_assert(replace(path, "next", NULL) == STATUS_OK);
	assert_content(path, "next");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("atomic file");
	TCase *tcase = tcase_create("atomic file");

	tcase_add_checked_fixture(tcase, folder_make, folder_remove);
	tcase_add_test(tcase, commit_makes_a_file);
	tcase_add_test(tcase, commit_replaces_a_file);
	tcase_add_test(tcase, commit_in_the_working_folder);
	tcase_add_test(tcase, old_content_stays_until_commit);
	tcase_add_test(tcase, abort_leaves_everything_as_it_was);
	tcase_add_test(tcase, permissions_follow_the_umask);
	tcase_add_test(tcase, symbolic_link_is_kept_and_its_target_replaced);
	tcase_add_test(tcase, open_refuses_what_it_cannot_replace);
	tcase_add_test(tcase, open_refuses_a_path_that_is_too_long);
	tcase_add_test(tcase, full_disk_leaves_the_old_file_and_no_temporary_one);
	tcase_add_test(tcase, killed_writer_leaves_the_old_file);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
