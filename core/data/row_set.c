/* SPDX-License-Identifier: Apache-2.0 */
#include "core/data/row_set.h"

#include <assert.h>

#include <sodium.h>

#include "core/base/mem.h"

void row_set_init(struct row_set *set, const struct encoder *encoder, struct features *features)
{
	*set = (struct row_set){.encoder = encoder, .features = features};
}

static void drop_pending(struct row_set *set)
{
	for (size_t i = 0; i < set->n_pending; i++)
		mem_free((char *)set->pending[i].bytes);
	set->n_pending = 0;
}

void row_set_free(struct row_set *set)
{
	drop_pending(set);
	intern_free(&set->digests);
}

static enum status add_digest(struct row_set *set, const void *bytes, size_t len, uint32_t *row_out,
			      struct err *err)
{
	char digest[crypto_generichash_BYTES];

	crypto_generichash((unsigned char *)digest, sizeof(digest), bytes, len, NULL, 0);
	return intern_add(&set->digests, digest, sizeof(digest), row_out, err);
}

enum status row_set_add_text(struct row_set *set, struct text text, uint32_t *row_out,
			     struct err *err)
{
	uint32_t n_before = set->digests.n;
	enum status status = add_digest(set, text.bytes, text.len, row_out, err);

	if (status != STATUS_OK || *row_out < n_before) {
		mem_free((char *)text.bytes);
		return status;
	}
	set->pending[set->n_pending++] = text;
	return set->n_pending == ROW_SET_BLOCK ? row_set_flush(set, err) : STATUS_OK;
}

enum status row_set_add_vector(struct row_set *set, const float *vector, uint32_t *row_out,
			       struct err *err)
{
	size_t dim = set->features->dim;
	uint32_t n_before = set->digests.n;
	enum status status = add_digest(set, vector, dim * sizeof(*vector), row_out, err);

	if (status != STATUS_OK || *row_out < n_before)
		return status;
	assert(set->n_pending == 0);
	return features_append(set->features, feature_row_dense(vector, dim), err);
}

enum status row_set_flush(struct row_set *set, struct err *err)
{
	enum status status =
	    encoder_encode(set->encoder, set->pending, set->n_pending, set->features, err);

	drop_pending(set);
	return status;
}
