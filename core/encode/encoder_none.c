/* SPDX-License-Identifier: Apache-2.0 */
/* encoder_none.c - no encoder: only the dimension of the vectors that callers send. */
#include "core/encode/encoder_impl.h"

static enum status encode_none(const struct encoder *encoder, struct text text,
			       struct features *out, struct err *err)
{
	(void)text;
	(void)out;
	return err_set(err, STATUS_INVALID_TYPE,
		       "the encoder %s reads no text, want a vector of %zu numbers", encoder->spec,
		       encoder->dim);
}

const struct encoder_ops encoder_none_ops = {
    .scheme = "none",
    .syntax = "none:D",
    .sparse = false,
    .reads_text = false,
    .encode = encode_none,
};
