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

/** text_batch_wanted(served, question): whether a server is asked for texts of the question. */
bool text_batch_wanted(const struct served_model *served, const struct question *question);

/**
 * text_batch_encode(served, questions, n_questions, arena, err): fill in the encoded vectors of
 * all texts of the questions, which have passed judge_check(); they live in arena. Nothing to do
 * for encoders without a server. Errors: the encoder's, of STATUS_ENCODER_REFUSED
 * with the text's place, STATUS_NO_MEMORY.
 */
enum status text_batch_encode(const struct served_model *served, struct question *const *questions,
			      size_t n_questions, struct arena *arena, struct err *err);

#endif
