/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_features_part.c - any bytes where an interrupted embed would have left its FILE.part:
 * refused with a message and left as they are, or gone on from to a features file that is
 * read, or refused by its own reader.
 */
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/data/dataset.h"
#include "core/data/features_part.h"
#include "core/data/features_writer.h"
#include "core/encode/template.h"
#include "tests/fuzz/fuzz.h"

#define PAIRS                                                                                      \
	"{\"prompt\":[1,0],\"chosen\":[0,1],\"rejected\":[2,3]}\n"                                 \
	"{\"prompt\":[0,1],\"chosen\":[1,1],\"rejected\":[3,2]}\n"

static struct encoder *encoder;
static char folder[64], data[96], out[96], part[112];

static void require(bool ok, const char *what, const struct err *err)
{
	if (ok)
		return;
	fprintf(stderr, "%s: %s\n", what, err->msg);
	abort();
}

static void write_file(const char *path, const void *bytes, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0 || write(fd, bytes, len) != (ssize_t)len)
		abort();
	close(fd);
}

static void tear_down(void)
{
	encoder_close(encoder);
	unlink(data);
	unlink(out);
	unlink(part);
	rmdir(folder);
}

/* In memory where there is such a folder: every file is flushed to disk several times. */
static void set_up(void)
{
	snprintf(folder, sizeof(folder), "%s/micro-fuzz-part-XXXXXX",
		 access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	if (mkdtemp(folder) == NULL || encoder_open("none:2", &encoder, NULL) != STATUS_OK)
		abort();
	snprintf(data, sizeof(data), "%s/pairs.jsonl", folder);
	snprintf(out, sizeof(out), "%s/features", folder);
	snprintf(part, sizeof(part), "%s" FEATURES_PART_SUFFIX, out);
	write_file(data, PAIRS, strlen(PAIRS));
	atexit(tear_down);
}

static bool is_whole(const uint8_t *bytes, size_t len)
{
	struct stat info;
	char *there = malloc(len + 1);
	int fd = open(part, O_RDONLY | O_CLOEXEC);
	bool same = there != NULL && fd >= 0 && fstat(fd, &info) == 0 &&
		    (size_t)info.st_size == len && read(fd, there, len) == (ssize_t)len &&
		    memcmp(there, bytes, len) == 0;

	if (fd >= 0)
		close(fd);
	free(there);
	return same;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	const struct features_recipe recipe = {
	    data, out, encoder, TEMPLATE_DEFAULT_PHI, TEMPLATE_DEFAULT_PSI, DTYPE_F32};
	struct features_written written;
	struct err err = {.msg = ""};
	struct dataset dataset;

	if (encoder == NULL) {
		set_up();
		return LLVMFuzzerTestOneInput(bytes, len);
	}
	write_file(part, bytes, len);
	if (features_write(&recipe, NULL, NULL, &written, &err) != STATUS_OK) {
		require(err.code == STATUS_INVALID_VALUE && strstr(err.msg, "features") != NULL,
			"refusal", &err);
		require(is_whole(bytes, len), "a file that was refused has changed", &err);
		return 0;
	}
	require(access(part, F_OK) != 0 && written.n_pairs == 2, "result", &err);
	if (dataset_read(out, encoder, TEMPLATE_DEFAULT_PHI, TEMPLATE_DEFAULT_PSI, &dataset,
			 &err) == STATUS_OK)
		dataset_free(&dataset);
	else
		require(err.code == STATUS_NOT_FINITE || err.code == STATUS_INVALID_VALUE ||
			    err.code == STATUS_BAD_FILE,
			"reading", &err);
	return 0;
}
