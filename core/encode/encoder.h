/* SPDX-License-Identifier: Apache-2.0 */
/*
 * encoder.h - text in, feature vectors out; training and serving use the same.
 *
 *   hash:D   signed hashing of words, built in (encoder_hash.c)
 *   none:D   there is no encoder: callers send vectors of D numbers (encoder_none.c)
 */
#ifndef MICRO_ENCODE_ENCODER_H
#define MICRO_ENCODE_ENCODER_H

#include <stdbool.h>
#include <stddef.h>

#include "core/base/err.h"
#include "core/encode/features.h"

#define ENCODER_MIN_DIM	     1
#define ENCODER_MAX_DIM	     1048576
#define ENCODER_DEFAULT_SPEC "hash:8192"
#define ENCODER_MIN_COSINE   0.999 /* of two fingerprints that count as the same encoder's */

struct encoder; /* opaque; immutable after opening, any number of threads may share it */

/* A piece of UTF-8 text; a view, not NUL-terminated. */
struct text {
	const char *bytes;
	size_t len;
};

/**
 * encoder_open(spec, encoder_out, err): the encoder that spec names, such as
 * "hash:4096". The caller closes it. Errors: STATUS_INVALID_VALUE naming the
 * spec and what would be right, STATUS_NO_MEMORY.
 */
enum status encoder_open(const char *spec, struct encoder **encoder_out, struct err *err);

/** encoder_close(encoder): NULL does nothing. */
void encoder_close(struct encoder *encoder);

/** encoder_spec(encoder): the spec it was opened with, canonical; owned by encoder. */
const char *encoder_spec(const struct encoder *encoder);

/** encoder_dim(encoder): length of its vectors. */
size_t encoder_dim(const struct encoder *encoder);

/** encoder_is_sparse(encoder): whether its rows are sparse. */
bool encoder_is_sparse(const struct encoder *encoder);

/** encoder_reads_text(encoder): false for none:D, which only fixes a dimension. */
bool encoder_reads_text(const struct encoder *encoder);

/**
 * encoder_encode(encoder, texts, n_texts, out, err): append n_texts rows to out
 * (initialized by the caller with encoder_dim and encoder_is_sparse), in order.
 * Blocking and thread-safe; a text's row does not depend on the other texts.
 * Texts must be valid UTF-8 (STATUS_MALFORMED otherwise). On error out keeps
 * the rows it had before the call.
 */
enum status encoder_encode(const struct encoder *encoder, const struct text *texts, size_t n_texts,
			   struct features *out, struct err *err);

/**
 * encoder_fingerprint(encoder, vector_out, err): its dense vector [dim] of a
 * fixed probe text. A model file keeps it, so that training and serving cannot
 * silently disagree about what a vector means. none:D gives the zero vector.
 */
enum status encoder_fingerprint(const struct encoder *encoder, float *vector_out, struct err *err);

/**
 * encoder_check_fingerprint(encoder, fingerprint, when, err): encode the probe text again;
 * STATUS_ENCODER_MISMATCH unless the cosine with fingerprint [dim] is at least
 * ENCODER_MIN_COSINE. when: what the fingerprint was kept for, such as "the model was trained".
 */
enum status encoder_check_fingerprint(const struct encoder *encoder, const float *fingerprint,
				      const char *when, struct err *err);

#endif
