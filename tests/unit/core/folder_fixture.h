/* SPDX-License-Identifier: Apache-2.0 */
/* folder_fixture.h - a temporary folder for the files of one test; aborts where it cannot. */
#ifndef TESTS_UNIT_FOLDER_FIXTURE_H
#define TESTS_UNIT_FOLDER_FIXTURE_H

#include <stddef.h>

/** folder_make(), folder_remove(): fixture of a TCase; remove deletes all files in it. */
void folder_make(void);
void folder_remove(void);

/** folder_path(name): a path in the folder; static, valid until the fourth next call. */
const char *folder_path(const char *name);

/** folder_count(): number of files in the folder. */
size_t folder_count(void);

/** folder_write(name, bytes, len): make a file; returns its path as folder_path(). */
const char *folder_write(const char *name, const void *bytes, size_t len);

/** folder_read(path, len_out): the file's bytes and a NUL; free(). */
char *folder_read(const char *path, size_t *len_out);

#endif
