/* SPDX-License-Identifier: Apache-2.0 */
/*
 * replay.c - runs a fuzz target on every file of the folders named on the command line, so that
 * seeds and past failures are tested in every build and with every compiler. A folder that is
 * not there holds no files (regressions appear with the first failure); no file at all fails.
 */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "tests/fuzz/fuzz.h"

static int replay_file(const char *path)
{
	struct stat info;
	FILE *file = fopen(path, "rb");
	uint8_t *data;
	size_t size;

	if (file == NULL || fstat(fileno(file), &info) != 0) {
		perror(path);
		return -1;
	}
	/* exactly as long as the file, so that a sanitizer sees a read past the end */
	size = (size_t)info.st_size;
	data = malloc(size > 0 ? size : 1);
	if (data == NULL || fread(data, 1, size, file) != size) {
		perror(path);
		return -1;
	}
	fclose(file);
	LLVMFuzzerTestOneInput(data, size);
	free(data);
	return 0;
}

/* The number of files replayed, -1 on error. */
static int replay_folder(const char *folder)
{
	DIR *entries = opendir(folder);
	const struct dirent *entry;
	char path[4096];
	int n_files = 0;

	if (entries == NULL && errno == ENOENT)
		return 0;
	if (entries == NULL) {
		perror(folder);
		return -1;
	}
	while ((entry = readdir(entries)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
		if (replay_file(path) != 0) {
			closedir(entries);
			return -1;
		}
		n_files++;
	}
	closedir(entries);
	return n_files;
}

int main(int argc, char **argv)
{
	int total = 0;

	for (int i = 1; i < argc; i++) {
		int n_files = replay_folder(argv[i]);

		if (n_files < 0)
			return 1;
		total += n_files;
	}
	printf("%d files\n", total);
	return total > 0 ? 0 : 1;
}
