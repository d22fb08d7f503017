/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_dataset.c - any file: refused with a message, or pairs whose promises hold. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/base/mem.h"
#include "core/data/dataset.h"
#include "core/encode/template.h"
#include "tests/fuzz/fuzz.h"

static void require(bool ok)
{
	if (!ok)
		abort();
}

static void check_indices(const uint32_t *index, size_t n, size_t limit, bool optional)
{
	for (size_t i = 0; i < n; i++)
		require(index[i] < limit || (optional && index[i] == DATASET_NONE));
}

static void check_names(char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		require(names[i][0] != '\0');
		for (size_t k = 0; k < i; k++)
			require(strcmp(names[i], names[k]) != 0);
	}
}

static void check_groups(const struct dataset *d)
{
	uint32_t *order;
	size_t *start, n_groups;

	require(dataset_by_user(d, &order, &start, &n_groups, NULL) == STATUS_OK);
	require(start[0] == 0 && start[n_groups] == d->n_pairs);
	for (size_t g = 0; g < n_groups; g++) {
		require(start[g] < start[g + 1]);
		for (size_t i = start[g]; i < start[g + 1]; i++) {
			require(i == start[g] || order[i] > order[i - 1]);
			require(g >= d->n_users || d->user[order[i]] == g);
		}
	}
	mem_free(order);
	mem_free(start);
}

static void check_digest(const struct dataset *d, const uint8_t *bytes, size_t len)
{
	struct digest digest;
	char hex[DIGEST_HEX_LEN + 1];

	if (d->phi.mapped != NULL)
		return; /* a features file: fuzz_features.c */
	if (len >= 2 && bytes[0] == 0x1f && bytes[1] == 0x8b)
		return; /* gzip: the digest is of what is in it */
	digest_init(&digest);
	digest_add(&digest, bytes, len);
	digest_hex(&digest, hex);
	require(strcmp(hex, d->sha256) == 0);
}

static void check_dataset(const struct dataset *d, const uint8_t *bytes, size_t len)
{
	require(d->n_pairs > 0);
	check_indices(d->chosen, d->n_pairs, d->phi.n_rows, false);
	check_indices(d->rejected, d->n_pairs, d->phi.n_rows, false);
	check_indices(d->prompt, d->n_pairs, d->psi.n_rows, false);
	check_indices(d->user, d->n_pairs, d->n_users, true);
	check_indices(d->context, d->n_pairs, d->n_contexts, true);
	check_names(d->user_names, d->n_users);
	check_names(d->context_names, d->n_contexts);
	check_groups(d);
	check_digest(d, bytes, len);
}

static void read_as(const char *spec, const char *path, const uint8_t *bytes, size_t len)
{
	struct encoder *encoder;
	struct dataset dataset;
	struct err err = {.msg = ""};

	require(encoder_open(spec, &encoder, NULL) == STATUS_OK);
	if (dataset_read(path, encoder, TEMPLATE_DEFAULT_PHI, TEMPLATE_DEFAULT_PSI, &dataset,
			 &err) == STATUS_OK) {
		check_dataset(&dataset, bytes, len);
		dataset_free(&dataset);
	} else {
		require(strncmp(err.msg, path, strlen(path)) == 0 && err.msg[strlen(path)] == ':');
	}
	encoder_close(encoder);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	int fd = memfd_create("pairs", 0);
	char path[64];

	require(fd >= 0 && write(fd, bytes, len) == (ssize_t)len);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	read_as("hash:16", path, bytes, len);
	read_as("none:2", path, bytes, len);
	close(fd);
	return 0;
}
