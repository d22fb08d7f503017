/* SPDX-License-Identifier: Apache-2.0 */
/*
 * encoder_spec.h - the text that names an encoder in a model file and in --encoder:
 *
 *   SCHEME:D                            hash:4096, none:384
 *   SCHEME:D?FIELD=VALUE&FIELD=VALUE    openai:4096?model=reward&use_activation=false
 *
 * The fields go into every request to a server. A VALUE that is JSON is sent as that, any
 * other as a string; %XX stands for a byte. The canonical text has the fields in the order
 * of their names: model ids are made of it, and so is nothing that depends on where the
 * server runs.
 */
#ifndef MICRO_ENCODE_ENCODER_SPEC_H
#define MICRO_ENCODE_ENCODER_SPEC_H

#include <stddef.h>

#include "core/base/err.h"
#include "core/encode/encoder_impl.h"

#define ENCODER_SPEC_FIELDS 32

struct encoder_spec {
	const struct encoder_ops *ops;
	size_t dim;
	char text[ENCODER_SPEC_MAX + 1]; /* canonical */
	/* of the fields: JSON members, such as "model":"m","x":1; "" if there are none */
	char members[8 * ENCODER_SPEC_MAX];
};

/**
 * encoder_spec_parse(text, spec_out, err): STATUS_INVALID_VALUE with the spec and what would be
 * right, STATUS_NO_MEMORY.
 */
enum status encoder_spec_parse(const char *text, struct encoder_spec *spec_out, struct err *err);

#endif
