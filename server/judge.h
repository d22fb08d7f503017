/* SPDX-License-Identifier: Apache-2.0 */
/*
 * judge.h - what the model says of one prompt and its responses: the head
 * rewards r_k(x,a) of each response and the router's logits g(c,x).
 *
 * Each row goes through the model alone, so that a response's rewards never
 * depend on what else is in the request, not by one bit.
 */
#ifndef MICRO_SERVER_JUDGE_H
#define MICRO_SERVER_JUDGE_H

#include "core/base/err.h"
#include "core/encode/encoder.h"
#include "core/encode/features.h"
#include "server/live_model.h"
#include "server/place.h"

enum input_kind { INPUT_ABSENT, INPUT_TEXT, INPUT_VECTOR };

/* A prompt or a response. A vector stands for phi or psi itself. */
struct input {
	enum input_kind kind;
	struct text text;	   /* INPUT_TEXT: valid UTF-8 */
	struct feature_row vector; /* INPUT_VECTOR: dense, the model's dim, finite */
	const float *encoded; /* [dim]: phi, of a prompt psi, of the text; NULL: not made yet */
	struct place place;
};

struct question {
	const char *context; /* "": none */
	struct input prompt;
	struct input *responses; /* [n_responses] */
	size_t n_responses;
};

/**
 * judge_check(served, question, err): can this model answer it? STATUS_MISSING_FIELD
 * for a prompt that the router or a template needs, STATUS_INVALID_TYPE for a text
 * where only a vector can serve, or the other way round.
 */
enum status judge_check(const struct served_model *served, const struct question *question,
			struct err *err);

/** judge_rewards(served, question, reward_out, err): reward_out [n_responses, n_heads].
 * The question has passed judge_check(). */
enum status judge_rewards(const struct served_model *served, const struct question *question,
			  float *reward_out, struct err *err);

/** judge_logits(served, question, first, logits_out, err): first: scratch, as many as the router's
 * first layer has outputs; logits_out [n_heads]. The question has passed judge_check(). */
enum status judge_logits(const struct served_model *served, const struct question *question,
			 float *first, float *logits_out, struct err *err);

#endif
