/* SPDX-License-Identifier: Apache-2.0 */
/* encoder_impl.h - what an encoder implementation gives to encoder.c; private to core/encode. */
#ifndef MICRO_ENCODE_ENCODER_IMPL_H
#define MICRO_ENCODE_ENCODER_IMPL_H

#include "core/encode/embedding_api.h"
#include "core/encode/encoder.h"

struct encoder_http; /* encoder_http.c */

struct encoder_ops {
	const char *scheme; /* the spec's part before ':' */
	const char *syntax; /* for messages: "hash:D" */
	bool sparse;
	bool reads_text;
	enum embedding_api api; /* what a server behind HTTP speaks; NONE: there is no server */
	/* Without a server: append the row of one text; text is valid UTF-8. */
	enum status (*encode)(const struct encoder *encoder, struct text text, struct features *out,
			      struct err *err);
};

struct encoder {
	const struct encoder_ops *ops;
	size_t dim;
	char *spec;    /* canonical; owned */
	float *pinned; /* [dim]: the probe's vector must be this; NULL: not known; owned */
	struct encoder_http *http; /* the server; NULL: none, or no address is known; owned */
};

extern const struct encoder_ops encoder_hash_ops;
extern const struct encoder_ops encoder_none_ops;
extern const struct encoder_ops encoder_openai_ops;
extern const struct encoder_ops encoder_tei_ops;

#endif
