/* SPDX-License-Identifier: Apache-2.0 */
/*
 * encoder_http.h - the texts of one call to an encoder behind HTTP: each distinct one once, those
 * seen lately from the cache, the others from the server. Private to core/encode.
 */
#ifndef MICRO_ENCODE_ENCODER_HTTP_H
#define MICRO_ENCODE_ENCODER_HTTP_H

#include "core/encode/encoder.h"
#include "core/encode/encoder_spec.h"
#include "core/encode/remote.h"

/** encoder_http_open(encoder, spec, options, err): give encoder its server and cache;
 * encoder_http_close() releases. */
enum status encoder_http_open(struct encoder *encoder, const struct encoder_spec *spec,
			      struct text probe, const struct encoder_options *options,
			      struct err *err);

/** encoder_http_close(encoder): one without a server is allowed. */
void encoder_http_close(struct encoder *encoder);

/** encoder_http_call_open(...): encoder_call_open() of texts that are UTF-8, of an encoder with a
 * server; the other encoder_call_ functions are in encoder_http.c. */
enum status encoder_http_call_open(const struct encoder *encoder, const struct text *texts,
				   size_t n_texts, struct encoder_call **call_out, struct err *err);

/** encoder_http_remote(encoder): its server; encoder owns it. */
struct remote *encoder_http_remote(const struct encoder *encoder);

/** encoder_http_stats(encoder, stats_out): encoder_stats(). */
void encoder_http_stats(const struct encoder *encoder, struct encoder_stats *stats_out);

#endif
