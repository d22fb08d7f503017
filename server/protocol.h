/* SPDX-License-Identifier: Apache-2.0 */
/*
 * protocol.h - scores for clients that were written for another server: each speaks its own JSON,
 * in which the same question is asked and answered.
 *
 * A protocol has a reading and a writing function; protocol_of() is their table. What they have
 * in common: fields that they do not know are ignored, as the servers do whose clients these are;
 * user and context come beside the body (struct person), where it has no place for them.
 */
#ifndef MICRO_SERVER_PROTOCOL_H
#define MICRO_SERVER_PROTOCOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/buffer.h"
#include "server/person.h"
#include "server/reader.h"
#include "server/route.h"
#include "server/service.h"
#include "server/wire_read.h"

/* How a number of the model is told: as it is, or between 0 and 1. */
enum protocol_scale { SCALE_REWARD, SCALE_SIGMOID };

/* A response and its place in the question. */
struct ranked {
	double reward;
	size_t index;
};

/* A question of another server's client, and what its answer has to look like. */
struct protocol_request {
	struct score_request score;
	enum protocol_scale scale;
	bool is_single;		/* the answer is the one element, not an array of it */
	bool is_bare;		/* the answer is a number, or an array without a frame */
	bool with_documents;	/* a ranking quotes what it ranks */
	size_t top_n;		/* of a ranking: its best ones */
	struct ranked *ranking; /* [n_responses]: room for it */
};

/* What an answer tells besides the scores. */
struct protocol_facts {
	const char *model_id;
	const char *request_id;
	int64_t time_us;
};

struct protocol_reading {
	const struct reader *reader;
	const struct wire_limits *limits;
	const struct person *person;
	const char *format; /* "format" of the query, NULL: none */
};

struct protocol {
	enum status (*read)(const struct protocol_reading *in, struct protocol_request *out);
	void (*write)(struct buffer *out, const struct protocol_request *request,
		      const struct protocol_facts *facts);
};

/** protocol_of(route): NULL for routes of our own. Static. */
const struct protocol *protocol_of(enum route route);

/** protocol_slime(): {"prompt", "response", "label"}, which comes to POST /score as well. Static.
 */
const struct protocol *protocol_slime(void);

/** protocol_is_slime(root): is this body such a question? */
bool protocol_is_slime(const struct node *root);

/* ---- for the protocols ---- */

/* Clients read the field; nobody counts tokens here. */
#define PROTOCOL_NO_TOKENS                                                                         \
	"\"usage\":{\"prompt_tokens\":0,\"total_tokens\":0,\"completion_tokens\":0,"               \
	"\"prompt_tokens_details\":null}"

/* Some texts of a request: an array of strings, or one. */
struct protocol_texts {
	struct input *input; /* [n], INPUT_TEXT */
	size_t n;
	bool is_single; /* it was no array */
};

/**
 * protocol_text(in, node, field, index, out): a string; index PLACE_NONE: it stands in no array.
 * protocol_prompt(): the same, or an array of messages.
 */
enum status protocol_text(const struct protocol_reading *in, const struct node *node,
			  const char *field, size_t index, struct input *out);
enum status protocol_prompt(const struct protocol_reading *in, const struct node *node,
			    const char *field, size_t index, struct input *out);

/* One of the two. */
typedef enum status protocol_read_text(const struct protocol_reading *in, const struct node *node,
				       const char *field, size_t index, struct input *out);

/**
 * protocol_texts(in, field, read, texts_out): n is 0 if the field is missing or null or an empty
 * array; STATUS_INVALID_VALUE for more than --max-items.
 */
enum status protocol_texts(const struct protocol_reading *in, const char *field,
			   protocol_read_text *read, struct protocol_texts *texts_out);

/** protocol_item(in, request_out): one item, for in->person; prompt and responses are missing yet.
 */
enum status protocol_item(const struct protocol_reading *in, struct protocol_request *request_out);

/** protocol_named_item(in, request_out): the same for "user" and "context" of the body, where it
 * has them; STATUS_INVALID_VALUE if in->person is another. */
enum status protocol_named_item(const struct protocol_reading *in,
				struct protocol_request *request_out);

/**
 * protocol_items(in, texts, request_out): an item for each text, which is its one response;
 * the prompt is the empty text, user and context are in->person's.
 */
enum status protocol_items(const struct protocol_reading *in, const struct protocol_texts *texts,
			   struct protocol_request *request_out);

/**
 * protocol_conversation(in, messages, request_out): one item of "messages", the last of which is
 * its response (wire_chat_answered()); user and context are in->person's.
 */
enum status protocol_conversation(const struct protocol_reading *in, const struct node *messages,
				  struct protocol_request *request_out);

/** protocol_number(request, reward): on the request's scale. */
double protocol_number(const struct protocol_request *request, double reward);

/** protocol_entropy(item): of its weights, in nats. */
double protocol_entropy(const struct score_item *item);

/** protocol_write_head(out, kind, facts): {"id":"KIND-...","model":"...", without the bracket's
 * end. */
void protocol_write_head(struct buffer *out, const char *kind, const struct protocol_facts *facts);

extern const struct protocol protocol_openrlhf, protocol_classify, protocol_llamafactory,
    protocol_rerank;

#endif
