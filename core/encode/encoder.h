/* SPDX-License-Identifier: Apache-2.0 */
/*
 * encoder.h - text in, feature vectors out; training and serving use the same.
 *
 *   hash:D     signed hashing of words, built in (encoder_hash.c)
 *   none:D     there is no encoder: callers send vectors of D numbers (encoder_none.c)
 *   openai:D   a server with OpenAI's /v1/embeddings, such as vLLM, SGLang, llama.cpp
 *   tei:D      a server with the /embed of Text Embeddings Inference (both: encoder_http.c)
 *
 * A spec says what the vectors are, and is kept in the model file (encoder_spec.h). Where the
 * server is, which key it wants and how patient to be is the operator's: encoder_options.
 */
#ifndef MICRO_ENCODE_ENCODER_H
#define MICRO_ENCODE_ENCODER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/err.h"
#include "core/encode/features.h"

#define ENCODER_MIN_DIM	     1
#define ENCODER_MAX_DIM	     1048576
#define ENCODER_DEFAULT_SPEC "hash:8192"
#define ENCODER_MIN_COSINE   0.999 /* of two fingerprints that count as the same encoder's */
#define ENCODER_SPEC_MAX     1024  /* bytes */
#define ENCODER_NO_TEXT	     ((size_t)-1)
#define ENCODER_KEY_VARIABLE "MICROD_ENCODER_KEY" /* of the environment: a server's key */

struct encoder; /* opaque; immutable after opening, any number of threads may share it */

/* A piece of UTF-8 text; a view, not NUL-terminated. */
struct text {
	const char *bytes;
	size_t len;
};

/* Told of a server that has become unavailable (why) or is back (NULL), in that order, before
 * others see it; on any thread. It must not call the encoder. */
typedef void encoder_notify_fn(void *context, const struct err *why);

/* Of encoders behind HTTP. Strings are copied. */
struct encoder_options {
	const char *url;	   /* of the server's route; NULL: no address is known */
	const char *key;	   /* sent as Authorization: Bearer; NULL: none */
	double connect_timeout;	   /* seconds */
	double timeout;		   /* seconds for a call and all its repetitions */
	size_t n_retries;	   /* repetitions of a call that may pass the next time */
	size_t n_connections;	   /* at once, at most */
	size_t max_batch;	   /* texts of a call; less where the server takes less */
	size_t cache_bytes;	   /* for vectors of texts seen lately; 0: none */
	unsigned max_failures;	   /* of calls in a row until the server counts as down and is only
				      probed, in the background; 0: it is asked again and again */
	encoder_notify_fn *notify; /* NULL: nobody wants to know */
	void *notify_context;
};

/* What an encoder behind HTTP has done; all zero for others. */
struct encoder_stats {
	bool is_remote;		   /* there is a server */
	bool is_up;		   /* it is being asked */
	uint64_t n_texts;	   /* that were to be encoded */
	uint64_t n_sent;	   /* that the server was asked for */
	uint64_t n_calls;	   /* HTTP requests, repetitions included */
	uint64_t n_retries;	   /* repetitions */
	uint64_t n_failed;	   /* calls without vectors in the end, by any fault */
	uint64_t n_trips;	   /* times that the server was found down */
	uint64_t call_us;	   /* time of all calls, microseconds */
	uint64_t n_hits, n_misses; /* of the cache */
	uint64_t n_evicted;
	size_t cache_rows, cache_bytes;
};

/** encoder_options_init(options): no address, and defaults for a program that runs to its end. */
void encoder_options_init(struct encoder_options *options);

/**
 * encoder_open(spec, encoder_out, err): the encoder that spec names, such as
 * "hash:4096". The caller closes it. One behind HTTP has no address: it has a name and a
 * dimension, and encodes nothing. Errors: STATUS_INVALID_VALUE naming the
 * spec and what would be right, STATUS_NO_MEMORY.
 */
enum status encoder_open(const char *spec, struct encoder **encoder_out, struct err *err);

/**
 * encoder_open_at(spec, options, encoder_out, err): the same with a server's address; nothing
 * is sent yet. options are not looked at for encoders that need no server.
 */
enum status encoder_open_at(const char *spec, const struct encoder_options *options,
			    struct encoder **encoder_out, struct err *err);

/** encoder_check_url(url, err): STATUS_INVALID_VALUE unless it may be options.url. */
enum status encoder_check_url(const char *url, struct err *err);

/** encoder_is_remote(encoder): whether its vectors come from a server. */
bool encoder_is_remote(const struct encoder *encoder);

/**
 * encoder_pin(encoder, fingerprint, err): fingerprint [dim] is what the encoder was when its
 * vectors were used before. Without an address this is taken for its fingerprint; with one, the
 * server is held to it at the first text, and whenever its connection was lost. Copies; called
 * before any other thread has the encoder. Error: STATUS_NO_MEMORY.
 */
enum status encoder_pin(struct encoder *encoder, const float *fingerprint, struct err *err);

/**
 * encoder_health(encoder, err): STATUS_OK, or why its server is not asked at present. Never
 * waits for the server.
 */
enum status encoder_health(const struct encoder *encoder, struct err *err);

/** encoder_stats(encoder, stats_out): as of now. */
void encoder_stats(const struct encoder *encoder, struct encoder_stats *stats_out);

/** encoder_cancel(encoder): calls under way end soon, with STATUS_INTERRUPTED, and so do later
 * ones. */
void encoder_cancel(struct encoder *encoder);

/** encoder_close(encoder): NULL does nothing. */
void encoder_close(struct encoder *encoder);

/** encoder_spec(encoder): the spec it was opened with, canonical; owned by encoder. */
const char *encoder_spec(const struct encoder *encoder);

/** encoder_dim(encoder): length of its vectors. */
size_t encoder_dim(const struct encoder *encoder);

/** encoder_is_sparse(encoder): whether its rows are sparse. */
bool encoder_is_sparse(const struct encoder *encoder);

/** encoder_reads_text(encoder): false for none:D, which only fixes a dimension. */
bool encoder_reads_text(const struct encoder *encoder);

/**
 * encoder_encode(encoder, texts, n_texts, out, err): append n_texts rows to out
 * (initialized by the caller with encoder_dim and encoder_is_sparse), in order.
 * Blocking and thread-safe; a text's row does not depend on the other texts. One call for
 * many texts is cheaper than many: a server is asked for each distinct text once, in as few
 * requests as it allows.
 * Texts must be valid UTF-8 (STATUS_MALFORMED otherwise). Errors of a server, with its name:
 * STATUS_ENCODER_DOWN, STATUS_ENCODER_FAULT (its answer is wrong), STATUS_ENCODER_REFUSED (it
 * does not take a text), STATUS_ENCODER_MISMATCH (it is another encoder than it was),
 * STATUS_OVERLOADED, STATUS_INTERRUPTED. On error out keeps the rows it had before the call.
 */
enum status encoder_encode(const struct encoder *encoder, const struct text *texts, size_t n_texts,
			   struct features *out, struct err *err);

/**
 * encoder_encode_many(encoder, texts, n_texts, out, refused_out, err): encoder_encode(), and of
 * STATUS_ENCODER_REFUSED which of the texts its server does not take, the first of several;
 * *refused_out is ENCODER_NO_TEXT otherwise. To find it among many that were refused together takes
 * about 2 log2(texts of a call) calls.
 */
enum status encoder_encode_many(const struct encoder *encoder, const struct text *texts,
				size_t n_texts, struct features *out, size_t *refused_out,
				struct err *err);

struct encoder_call; /* opaque; texts that a server is asked for; one thread at a time has it */
struct http_mux;     /* http_mux.h */

/**
 * encoder_call_open(encoder, texts, n_texts, call_out, err): what encoder_encode_many() does, in
 * parts, for threads that must not wait; of an encoder behind HTTP, n_texts >= 1. Vectors that
 * the cache has are there already. texts stay until encoder_call_close(). Errors:
 * STATUS_MALFORMED, STATUS_USAGE, STATUS_NO_MEMORY.
 */
enum status encoder_call_open(const struct encoder *encoder, const struct text *texts,
			      size_t n_texts, struct encoder_call **call_out, struct err *err);

/**
 * encoder_call_start(call, mux, done, context): send the first request; http_mux_run(mux) calls
 * done(context) when it has an outcome, after which encoder_call_is_ready() may be true. false:
 * nothing was begun, and done is not called: the server is down, its connections are in
 * use, or there is no memory.
 */
bool encoder_call_start(struct encoder_call *call, struct http_mux *mux,
			void (*done)(void *context), void *context);

/** encoder_call_is_ready(call): encoder_call_finish() will not wait. */
bool encoder_call_is_ready(const struct encoder_call *call);

/** encoder_call_finish(call, out, refused_out, err): do what is left, and wait for it, as
 * encoder_encode_many(); once. What was started is done. */
enum status encoder_call_finish(struct encoder_call *call, struct features *out,
				size_t *refused_out, struct err *err);

/** encoder_call_close(call): nothing of it is under way; NULL does nothing. */
void encoder_call_close(struct encoder_call *call);

/**
 * encoder_fingerprint(encoder, vector_out, err): its dense vector [dim] of a
 * fixed probe text. A model file keeps it, so that training and serving cannot
 * silently disagree about what a vector means. none:D gives the zero vector.
 */
enum status encoder_fingerprint(const struct encoder *encoder, float *vector_out, struct err *err);

/**
 * encoder_check_fingerprint(encoder, fingerprint, when, err): encode the probe text again;
 * STATUS_ENCODER_MISMATCH unless the cosine with fingerprint [dim] is at least
 * ENCODER_MIN_COSINE and the lengths are about the same. when: what the fingerprint is from, such
 * as "when the model was trained".
 */
enum status encoder_check_fingerprint(const struct encoder *encoder, const float *fingerprint,
				      const char *when, struct err *err);

#endif
