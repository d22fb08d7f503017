/* SPDX-License-Identifier: Apache-2.0 */
/*
 * row_set.h - distinct texts or vectors as rows of features, each encoded once.
 *
 * Texts are recognized by their BLAKE2b digest, so that none has to be kept after
 * it is encoded: features of long texts are much smaller than the texts.
 */
#ifndef MICRO_DATA_ROW_SET_H
#define MICRO_DATA_ROW_SET_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/err.h"
#include "core/data/intern.h"
#include "core/encode/encoder.h"
#include "core/encode/features.h"

#define ROW_SET_BLOCK 256 /* texts: what one call of the encoder gets */

/* Invariant: digests.n = features->n_rows + n_pending. */
struct row_set {
	const struct encoder *encoder;
	struct features *features; /* owned by the caller */
	struct intern digests;
	struct text pending[ROW_SET_BLOCK]; /* not encoded yet; owned */
	size_t n_pending;
};

/** row_set_init(set, encoder, features): features is initialized and empty. */
void row_set_init(struct row_set *set, const struct encoder *encoder, struct features *features);

/**
 * row_set_add_text(set, text, row_out, err): the row of text, whose bytes are from
 * mem.h and belong to set from now on, also on error. The row is there after
 * row_set_flush(). Errors: the encoder's, STATUS_NO_MEMORY.
 */
enum status row_set_add_text(struct row_set *set, struct text text, uint32_t *row_out,
			     struct err *err);

/** row_set_add_vector(set, vector, row_out, err): the row of vector [dim]; not mixed with texts. */
enum status row_set_add_vector(struct row_set *set, const float *vector, uint32_t *row_out,
			       struct err *err);

/** row_set_flush(set, err): encode what is pending. */
enum status row_set_flush(struct row_set *set, struct err *err);

/** row_set_free(set): releases all but features. */
void row_set_free(struct row_set *set);

#endif
