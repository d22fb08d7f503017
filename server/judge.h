/* SPDX-License-Identifier: Apache-2.0 */
/*
 * judge.h - what the model says of one prompt and its responses: the head
 * rewards r_k(x,a) of each response and the router's logits g(c,x).
 *
 * What comes of a row never depends on what else is in the request, not by one bit, although
 * vectors are multiplied several at a time (packed.h). Equal ones go through the model once.
 */
#ifndef MICRO_SERVER_JUDGE_H
#define MICRO_SERVER_JUDGE_H

#include "core/base/err.h"
#include "core/encode/chat.h"
#include "core/encode/encoder.h"
#include "core/encode/features.h"
#include "server/live_model.h"
#include "server/memo.h"
#include "server/place.h"

#define JUDGE_TOGETHER 4 /* vectors that are multiplied by one call */

enum input_kind { INPUT_ABSENT, INPUT_TEXT, INPUT_VECTOR };

/* A prompt or a response. A vector stands for phi or psi itself. */
struct input {
	enum input_kind kind;
	struct text text;	   /* INPUT_TEXT: valid UTF-8 */
	struct feature_row vector; /* INPUT_VECTOR: dense, the model's dim, finite */
	struct chat chat;	   /* of a prompt that is messages; its text is chat_text() */
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

/* The work of one request: scratch, and what was said of its texts and vectors before. */
struct judge {
	const struct served_model *served;
	unsigned phi_parts; /* of enum template_part: what the templates use */
	unsigned psi_parts;
	struct memo rewards;	 /* [n_heads] of each response */
	struct memo logits;	 /* [n_heads] of each prompt */
	struct features encoded; /* scratch: the row of a text */
	float *product;		 /* scratch [JUDGE_TOGETHER, most outputs of heads or router] */
	/* of judge_prepare(): questions, NULL where there is none, and their logits */
	const struct question *ready[JUDGE_TOGETHER];
	float *ready_logits; /* [JUDGE_TOGETHER, n_heads] */
};

/** judge_open(judge, served, n_questions, n_responses, arena, err): for a request with so many
 * of each; what it takes of arena is bounded. judge_close() releases the rest, also after an
 * error. */
enum status judge_open(struct judge *judge, const struct served_model *served, size_t n_questions,
		       size_t n_responses, struct arena *arena, struct err *err);
void judge_close(struct judge *judge);

/**
 * judge_rewards(judge, question, reward_out, err): reward_out [n_responses, n_heads]. The question
 * has passed judge_check(), and stays until judge_close(): equal responses are encoded and
 * multiplied once.
 */
enum status judge_rewards(struct judge *judge, const struct question *question, float *reward_out,
			  struct err *err);

/** judge_prepare(judge, questions, n): that judge_logits() will soon be called for these, at most
 * JUDGE_TOGETHER: their vectors are multiplied together now. Nobody needs to call it. */
void judge_prepare(struct judge *judge, const struct question *const *questions, size_t n);

/** judge_logits(judge, question, logits_out, err): logits_out [n_heads]; as judge_rewards(). */
enum status judge_logits(struct judge *judge, const struct question *question, float *logits_out,
			 struct err *err);

#endif
