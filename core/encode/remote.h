/* SPDX-License-Identifier: Apache-2.0 */
/*
 * remote.h - an embedding server: texts out, vectors in, and what to do when it is slow,
 * wrong or away.
 *
 * A call is one HTTP request. What may pass is repeated after a while: no connection, one that
 * broke, 408, 425, 429 and 5xx, with the server's Retry-After. A batch that is refused (400, 413,
 * 422) is cut: the server may take fewer texts at once, or it is one of them that it does not take.
 *
 * No vector is given out before the server has shown its fingerprint, at the first text and after
 * every connection that was lost.
 */
#ifndef MICRO_ENCODE_REMOTE_H
#define MICRO_ENCODE_REMOTE_H

#include "core/encode/embedding_link.h"
#include "core/encode/encoder.h"

struct remote; /* opaque; any number of threads may share it */

/**
 * remote_open(question, probe, options, remote_out, err): nothing is sent yet; options->url is
 * there. probe: the text of the fingerprint, static.
 */
enum status remote_open(const struct embedding_question *question, struct text probe,
			const struct encoder_options *options, struct remote **remote_out,
			struct err *err);

/** remote_close(remote): nobody is waiting for it; NULL does nothing. */
void remote_close(struct remote *remote);

/** remote_pin(remote, fingerprint): [dim], what it has to show. */
void remote_pin(struct remote *remote, const float *fingerprint);

/** remote_fingerprint(remote, row_out, err): ask for the probe's vector [dim]. */
enum status remote_fingerprint(struct remote *remote, float *row_out, struct err *err);

/* A first call for texts that nobody waits for; zeroed before. */
struct remote_start {
	struct embedding_call call;
	struct remote *remote;
	bool is_known; /* it gave vectors, and its server has shown its fingerprint */
	void (*done)(void *context);
	void *context;
};

/**
 * remote_start(remote, mux, texts, n_texts, rows_out, start, done, context): send as many of the
 * texts as go into one call; http_mux_run() calls done(context). false: not now, remote_encode()
 * does it all. start is given to remote_encode(), and remote_start_close() releases it.
 */
bool remote_start(struct remote *remote, struct http_mux *mux, const struct text *texts,
		  size_t n_texts, float *rows_out, struct remote_start *start,
		  void (*done)(void *context), void *context);

/** remote_start_is_whole(start, n_texts): remote_encode() of these texts will not wait. */
bool remote_start_is_whole(const struct remote_start *start, size_t n_texts);

/** remote_start_close(start): a zeroed one is allowed. */
void remote_start_close(struct remote_start *start);

/** remote_encode(remote, start, texts, n_texts, rows_out, refused_out, err): rows_out [n_texts,
 * dim]. start: what was done of it before, the same texts and rows; zeroed: nothing.
 * *refused_out becomes the number of the text with STATUS_ENCODER_REFUSED, and is left alone
 * otherwise. */
enum status remote_encode(struct remote *remote, struct remote_start *start,
			  const struct text *texts, size_t n_texts, float *rows_out,
			  size_t *refused_out, struct err *err);

/** remote_health(), remote_stats(), remote_cancel(): encoder_health() and so on. */
enum status remote_health(struct remote *remote, struct err *err);
void remote_stats(struct remote *remote, struct encoder_stats *stats_out);
void remote_cancel(struct remote *remote);

#endif
