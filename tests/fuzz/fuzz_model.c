/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_model.c - any file: refused with a message, or a model that can be served. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/base/mem.h"
#include "core/model/mixture.h"
#include "core/model/model.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/safetensors_mutator.h"

static void require(int ok)
{
	if (!ok)
		abort();
}

/* The weights at psi = 0 are a distribution over the heads that are not masked. */
static void check_weights(const struct model *model)
{
	size_t n_heads = model->heads.n_heads;
	float *psi = mem_array(model->heads.dim, sizeof(*psi));
	float *hidden = mem_array(model->router.n_hidden, sizeof(*hidden));
	float *logits = mem_array(n_heads, sizeof(*logits));
	double *log_weight = mem_array(n_heads, sizeof(*log_weight));

	require(psi != NULL && hidden != NULL && logits != NULL && log_weight != NULL);
	router_logits(&model->router, feature_row_dense(psi, model->heads.dim), hidden, logits);
	for (size_t k = 0; k < n_heads; k++) {
		if (!isfinite(logits[k])) /* finite weights whose products are too large */
			goto done;
	}
	mixture_log_weights(logits, NULL, model->mask, n_heads, log_weight);
	for (size_t k = 0; k < n_heads; k++)
		require(log_weight[k] <= 0 && (!model->mask[k] || log_weight[k] == -INFINITY));
done:
	mem_free(psi);
	mem_free(hidden);
	mem_free(logits);
	mem_free(log_weight);
}

static void check_model(struct model *model)
{
	char id[DIGEST_HEX_LEN + 1];

	require(strlen(model->id) == DIGEST_HEX_LEN);
	memcpy(id, model->id, sizeof(id));
	model_update_id(model);
	require(strcmp(id, model->id) == 0);
	for (size_t k = 0; k < model->heads.n_heads; k++)
		require(model->labels[k] != NULL);
	for (size_t i = 0; i < model->n_facts; i++)
		require(model_fact(model, model->facts[i].key) == model->facts[i].value);
	check_weights(model);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	int fd = memfd_create("model", MFD_CLOEXEC);
	struct err err = {.msg = ""};
	struct model model;
	enum status status;
	char path[64];

	require(fd >= 0 && write(fd, bytes, len) == (ssize_t)len);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	status = model_load(path, &model, &err);
	close(fd);
	if (status == STATUS_OK) {
		check_model(&model);
		model_free(&model);
	} else {
		require(status == STATUS_BAD_FILE && err.code == status);
		require(strncmp(err.msg, "load model /proc/", 17) == 0);
	}
	return 0;
}
