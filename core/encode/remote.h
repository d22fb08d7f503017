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

/** remote_encode(remote, texts, n_texts, rows_out, refused_out, err): rows_out [n_texts, dim].
 * *refused_out becomes the number of the text with STATUS_ENCODER_REFUSED, and is left alone
 * otherwise. */
enum status remote_encode(struct remote *remote, const struct text *texts, size_t n_texts,
			  float *rows_out, size_t *refused_out, struct err *err);

/** remote_health(), remote_stats(), remote_cancel(): encoder_health() and so on. */
enum status remote_health(struct remote *remote, struct err *err);
void remote_stats(struct remote *remote, struct encoder_stats *stats_out);
void remote_cancel(struct remote *remote);

#endif
