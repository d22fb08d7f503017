/* SPDX-License-Identifier: Apache-2.0 */
/*
 * text_batch.h - all texts of a request through the templates and in one call of the encoder, equal
 * ones once, for encoders whose calls are dear. judge.c then finds the vectors where the texts are.
 */
#ifndef MICRO_SERVER_TEXT_BATCH_H
#define MICRO_SERVER_TEXT_BATCH_H

#include <stdbool.h>
#include <stddef.h>

#include "core/base/arena.h"
#include "core/base/err.h"
#include "server/judge.h"
#include "server/live_model.h"

struct text_batch; /* opaque; in the request's arena; one thread at a time has it */

/**
 * text_batch_gather(served, questions, n_questions, arena, batch_out, err): the texts of the
 * questions, which have passed judge_check(), for the encoder's server; *batch_out becomes NULL
 * where no server is asked for any. questions stay until text_batch_finish() or
 * text_batch_close(). Errors: STATUS_NO_MEMORY, those of encoder_call_open().
 */
enum status text_batch_gather(const struct served_model *served, struct question *const *questions,
			      size_t n_questions, struct arena *arena,
			      struct text_batch **batch_out, struct err *err);

/** text_batch_start(), text_batch_is_ready(): encoder_call_start(), encoder_call_is_ready(). */
bool text_batch_start(struct text_batch *batch, struct http_mux *mux, void (*done)(void *context),
		      void *context);
bool text_batch_is_ready(const struct text_batch *batch);

/** text_batch_finish(batch, err): fill in the encoded vectors of the texts, in the arena, and
 * close the batch. Errors: the encoder's, of STATUS_ENCODER_REFUSED with the text's place,
 * STATUS_NO_MEMORY. */
enum status text_batch_finish(struct text_batch *batch, struct err *err);

/** text_batch_close(batch): release what it holds besides the arena; nothing is under way. NULL and
 * one that is closed are allowed. */
void text_batch_close(struct text_batch *batch);

#endif
