/* SPDX-License-Identifier: Apache-2.0 */
/* dataset_line.h - the fields of one line of a preference file (schema/preference.md). */
#ifndef MICRO_DATA_DATASET_LINE_H
#define MICRO_DATA_DATASET_LINE_H

#include <stddef.h>

#include <jansson.h>

#include "core/base/arena.h"
#include "core/base/err.h"
#include "core/encode/chat.h"
#include "core/encode/encoder.h"

enum dataset_kind {
	DATASET_ABSENT, /* prompts only */
	DATASET_TEXT,
	DATASET_VECTOR,
};

/* A prompt or a response. */
struct dataset_input {
	enum dataset_kind kind;
	struct text text; /* DATASET_TEXT */
	float *vector;	  /* [dim], filled for DATASET_VECTOR; owned by the line */
};

#define DATASET_LINE_DIGITS 24 /* of any integer, with sign and NUL */

/* One line at a time; what it holds is valid until the next one is parsed. */
struct dataset_line {
	struct dataset_input prompt, chosen, rejected;
	struct chat chat;    /* of a prompt that is messages; its text is chat_text() */
	struct text user;    /* bytes NULL: absent */
	struct text context; /* bytes NULL: absent */
	size_t dim;
	float *vectors;	    /* [3, dim], of the inputs */
	json_t *json;	    /* owns the texts */
	struct arena arena; /* owns the messages */
	char user_digits[DATASET_LINE_DIGITS], context_digits[DATASET_LINE_DIGITS];
};

/** dataset_line_init(line, dim, err): STATUS_NO_MEMORY; dataset_line_free() releases. */
enum status dataset_line_init(struct dataset_line *line, size_t dim, struct err *err);

/** dataset_line_free(line): a zeroed line is allowed. */
void dataset_line_free(struct dataset_line *line);

/**
 * dataset_line_parse(line, bytes, err): read one JSON object. Unknown fields are ignored; null
 * stands for an absent field. Errors name the column or the JSON pointer and what would be right:
 * STATUS_MALFORMED, STATUS_MISSING_FIELD, STATUS_INVALID_TYPE, STATUS_INVALID_VALUE,
 * STATUS_WRONG_DIMENSION, STATUS_NOT_FINITE, STATUS_INVALID_BASE64, STATUS_NO_MEMORY.
 */
enum status dataset_line_parse(struct dataset_line *line, struct text bytes, struct err *err);

#endif
