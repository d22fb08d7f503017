/* SPDX-License-Identifier: Apache-2.0 */
/*
 * embedding_link.h - calls to an embedding server: one batch of texts, asked for until there are
 * vectors, there is no hope, or there is no time left.
 */
#ifndef MICRO_ENCODE_EMBEDDING_LINK_H
#define MICRO_ENCODE_EMBEDDING_LINK_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/encode/embedding_api.h"
#include "core/encode/encoder.h"
#include "core/encode/http_pool.h"

/* What is asked of a server. */
struct embedding_question {
	enum embedding_api api;
	size_t dim;
	const char *spec;    /* the encoder's name */
	const char *members; /* JSON members of every request */
};

struct embedding_link {
	enum embedding_api api;
	size_t dim;
	char *members;	/* owned */
	char *name;	/* spec and address, for messages; owned */
	double timeout; /* seconds for a call and its repetitions */
	unsigned n_retries;
	struct http_pool *pool;
	atomic_bool cancelled;
	pthread_mutex_t lock; /* of waking */
	pthread_cond_t woken; /* by embedding_link_cancel() */
	atomic_ullong n_calls, n_retried, n_failed, n_sent, call_us;
};

#define EMBEDDING_COMPLAINT_SIZE 200

/* What else is known of a call. */
struct embedding_call_facts {
	bool reconnected; /* a connection was lost on the way */
	/* What the server said of a call that it refused, "" for nothing. It may quote the texts,
	 * so it is for who sent them, and nothing that is logged, kept or told to others. */
	char complaint[EMBEDDING_COMPLAINT_SIZE];
};

/** embedding_link_open(link, question, options, err): link is zeroed; embedding_link_close()
 * releases, also on error. */
enum status embedding_link_open(struct embedding_link *link,
				const struct embedding_question *question,
				const struct encoder_options *options, struct err *err);

/** embedding_link_close(link): no call is under way. */
void embedding_link_close(struct embedding_link *link);

enum embedding_start {
	EMBEDDING_NOT_STARTED,
	EMBEDDING_STARTED,
	EMBEDDING_REPLIED, /* status and err are its outcome */
	EMBEDDING_UNREAD,  /* so long a reply is left to embedding_call_finish() */
};

/* One batch of texts. The caller zeroes it but for its own members. */
struct embedding_call {
	const struct text *texts; /* [n_texts]; the caller's, until the call is closed */
	size_t n_texts;
	float *rows_out; /* [n_texts, dim]; the caller's */
	struct embedding_call_facts facts;
	/* the link's */
	struct embedding_link *link;
	char *body;
	size_t body_len;
	double deadline;
	double began, took; /* the last request; seconds, when it has ended */
	bool may_pass;	    /* the same may have another outcome the next time */
	double asked;	    /* Retry-After, seconds */
	/* of a first request that nobody waits for */
	enum embedding_start start;
	enum status status;
	struct err err;
	struct http_reply reply;
	struct http_flight flight;
	void (*done)(void *context);
	void *context;
};

/** embedding_call_open(link, call, err): make its request. STATUS_NO_MEMORY.
 * embedding_call_close() releases, also after an error. */
enum status embedding_call_open(struct embedding_link *link, struct embedding_call *call,
				struct err *err);

/**
 * embedding_call_start(call, mux, done, context): send the first request; http_mux_run() calls
 * done(context) with its outcome in call->status, but for EMBEDDING_UNREAD. false: nothing was
 * begun (http_pool_start()).
 */
bool embedding_call_start(struct embedding_call *call, struct http_mux *mux,
			  void (*done)(void *context), void *context);

/**
 * embedding_call_finish(call, err): wait until there are vectors, there is no hope, or there is no
 * time left; not at all after a first request that gave vectors. Errors, with the server's name:
 * STATUS_ENCODER_DOWN, STATUS_ENCODER_FAULT, STATUS_ENCODER_REFUSED (of several texts: fewer may be
 * taken), STATUS_OVERLOADED, STATUS_INTERRUPTED, STATUS_NO_MEMORY. But for STATUS_ENCODER_REFUSED,
 * whose message shows where the text begins, messages are our own words: of the server's there is
 * its HTTP status alone.
 */
enum status embedding_call_finish(struct embedding_call *call, struct err *err);

/** embedding_call_close(call): no request of it is under way. */
void embedding_call_close(struct embedding_call *call);

/** embedding_link_cancel(link): calls under way end soon, later ones at once. */
void embedding_link_cancel(struct embedding_link *link);

#endif
