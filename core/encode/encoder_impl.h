/* SPDX-License-Identifier: Apache-2.0 */
/* encoder_impl.h - what an encoder implementation gives to encoder.c; private to core/encode. */
#ifndef MICRO_ENCODE_ENCODER_IMPL_H
#define MICRO_ENCODE_ENCODER_IMPL_H

#include "core/encode/encoder.h"

struct encoder_ops {
	const char *scheme; /* the spec's part before ':' */
	const char *syntax; /* for messages: "hash:D" */
	bool sparse;
	bool reads_text;
	/* Append the row of one text; text is valid UTF-8. */
	enum status (*encode)(const struct encoder *encoder, struct text text, struct features *out,
			      struct err *err);
};

struct encoder {
	const struct encoder_ops *ops;
	size_t dim;
	char spec[64];
};

extern const struct encoder_ops encoder_hash_ops;
extern const struct encoder_ops encoder_none_ops;

#endif
