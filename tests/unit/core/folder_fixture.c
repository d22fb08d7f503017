/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/core/folder_fixture.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[] = "/tmp/micro-test-XXXXXX";

static void require(bool ok, const char *what)
{
	if (!ok) {
		perror(what);
		abort();
	}
}

void folder_make(void)
{
	strcpy(folder + strlen(folder) - 6, "XXXXXX");
	require(mkdtemp(folder) != NULL, folder);
}

const char *folder_path(const char *name)
{
	static char paths[4][512];
	static size_t next;
	char *path = paths[next++ % 4];

	snprintf(path, sizeof(paths[0]), "%s/%s", folder, name);
	return path;
}

/* Calls visit, if any, with each name in the folder; returns how many. */
static size_t for_each_file(void (*visit)(const char *path))
{
	DIR *entries = opendir(folder);
	const struct dirent *entry;
	size_t n = 0;

	require(entries != NULL, folder);
	while ((entry = readdir(entries)) != NULL) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		n++;
		if (visit != NULL)
			visit(folder_path(entry->d_name));
	}
	closedir(entries);
	return n;
}

static void delete_entry(const char *path)
{
	require(remove(path) == 0, path);
}

void folder_remove(void)
{
	for_each_file(delete_entry);
	require(rmdir(folder) == 0, folder);
}

size_t folder_count(void)
{
	return for_each_file(NULL);
}

const char *folder_write(const char *name, const void *bytes, size_t len)
{
	const char *path = folder_path(name);
	FILE *file = fopen(path, "wb");

	require(file != NULL && fwrite(bytes, 1, len, file) == len && fclose(file) == 0, path);
	return path;
}

char *folder_read(const char *path, size_t *len_out)
{
	FILE *file = fopen(path, "rb");
	char *bytes;
	long len;

	require(file != NULL && fseek(file, 0, SEEK_END) == 0, path);
	len = ftell(file);
	rewind(file);
	bytes = calloc((size_t)len + 1, 1);
	require(bytes != NULL && fread(bytes, 1, (size_t)len, file) == (size_t)len, path);
	fclose(file);
	*len_out = (size_t)len;
	return bytes;
}
