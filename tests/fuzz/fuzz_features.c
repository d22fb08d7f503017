/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_features.c - any file: refused with a message, or a features file whose promises hold. */
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/data/features_file.h"
#include "core/encode/template.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/safetensors_mutator.h"

#define DIM 2

static void require(bool ok)
{
	if (!ok)
		abort();
}

static void check_rows(const struct features *f)
{
	float x[DIM];

	require(f->mapped != NULL && f->dim == DIM);
	for (size_t i = 0; i < f->n_rows; i++) {
		uint32_t row = (uint32_t)i;
		struct err err = {.msg = ""};
		enum status status = features_gather(f, &row, 1, x, &err);

		require(status == STATUS_OK || (status == STATUS_NOT_FINITE && err.msg[0] != '\0'));
		for (size_t j = 0; j < DIM && status == STATUS_OK; j++)
			require(isfinite(x[j]));
	}
}

static void check_names(const uint32_t *id, size_t n_pairs, char *const *names, size_t n_names)
{
	for (size_t i = 0; i < n_pairs; i++)
		require(id[i] < n_names || id[i] == DATASET_NONE);
	for (size_t k = 0; k < n_names; k++) {
		bool used = false;

		require(names[k][0] != '\0');
		for (size_t i = 0; i < n_pairs; i++)
			used |= id[i] == k;
		require(used);
	}
}

static void check_dataset(const struct dataset *d)
{
	require(d->n_pairs > 0 && d->phi.n_rows == 2 * d->n_pairs && d->psi.n_rows == d->n_pairs);
	require(strlen(d->sha256) == DIGEST_HEX_LEN);
	check_names(d->user, d->n_pairs, d->user_names, d->n_users);
	check_names(d->context, d->n_pairs, d->context_names, d->n_contexts);
	check_rows(&d->phi);
	check_rows(&d->psi);
	dataset_expect(d, d->n_pairs - 1, dataset_block(d));
}

static void read_as(const char *spec, const char *path)
{
	struct encoder *encoder;
	struct dataset dataset;
	struct features_origin origin;
	struct err err = {.msg = ""};

	require(encoder_open(spec, &encoder, NULL) == STATUS_OK);
	if (features_file_read(path, encoder, TEMPLATE_DEFAULT_PHI, TEMPLATE_DEFAULT_PSI, &dataset,
			       &err) == STATUS_OK) {
		check_dataset(&dataset);
		dataset_free(&dataset);
	} else {
		require(strncmp(err.msg, path, strlen(path)) == 0 && err.msg[strlen(path)] == ':');
	}
	if (features_file_origin(path, &origin, NULL) == STATUS_OK) {
		require(origin.encoder != NULL);
		features_origin_free(&origin);
	}
	encoder_close(encoder);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	int fd = memfd_create("features", 0);
	char path[64];

	require(fd >= 0 && write(fd, bytes, len) == (ssize_t)len);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	(void)features_file_is(path);
	read_as("none:2", path);
	read_as("hash:2", path);
	close(fd);
	return 0;
}
