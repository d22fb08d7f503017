/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fingerprint.h - an encoder's vector of a fixed text, and whether two of them are one encoder's.
 * Private to core/encode.
 */
#ifndef MICRO_ENCODE_FINGERPRINT_H
#define MICRO_ENCODE_FINGERPRINT_H

#include <stddef.h>

#include "core/base/err.h"
#include "core/encode/encoder.h"

/* Lengths of two vectors: a server that has begun to normalize changes nothing but the length. */
#define FINGERPRINT_MAX_RATIO 1.02

/** fingerprint_probe(): the text; static. */
struct text fingerprint_probe(void);

/**
 * fingerprint_compare(name, vector, reference, dim, when, err): STATUS_ENCODER_MISMATCH unless the
 * cosine of the two [dim] is at least ENCODER_MIN_COSINE and neither is more than
 * FINGERPRINT_MAX_RATIO times as long as the other. name: the encoder's; when: what reference is
 * from, such as "when the model was trained".
 */
enum status fingerprint_compare(const char *name, const float *vector, const float *reference,
				size_t dim, const char *when, struct err *err);

#endif
