/* SPDX-License-Identifier: Apache-2.0 */
/*
 * embedding_api.h - the bytes that embedding servers take and give.
 *
 *   OPENAI  POST .../v1/embeddings of vLLM, SGLang, llama.cpp and others
 *           {"input":["a","b"],"encoding_format":"base64",...}
 *        -> {"data":[{"index":1,"embedding":"<base64 float32>"},{"index":0,"embedding":[...]}],...}
 *   TEI     POST .../embed of Text Embeddings Inference
 *           {"inputs":["a","b"],...} -> [[...],[...]]
 */
#ifndef MICRO_ENCODE_EMBEDDING_API_H
#define MICRO_ENCODE_EMBEDDING_API_H

#include <stddef.h>

#include "core/base/err.h"
#include "core/encode/encoder.h"

enum embedding_api { EMBEDDING_API_NONE, EMBEDDING_API_OPENAI, EMBEDDING_API_TEI };

/**
 * embedding_request_make(api, members, texts, n_texts, len_out): the request's body, a new string
 * of *len_out bytes that the caller frees with mem_free(); NULL without memory. members: JSON
 * members of the encoder's spec, "" for none. texts: valid UTF-8, n_texts >= 1.
 */
char *embedding_request_make(enum embedding_api api, const char *members, const struct text *texts,
			     size_t n_texts, size_t *len_out);

/** embedding_request_size(text): the bytes that text adds to a body. */
size_t embedding_request_size(struct text text);

/**
 * embedding_reply_read(api, body, len, n_texts, dim, rows_out, err): the vectors of a reply's
 * body, which a NUL follows, in the order of the request's texts: rows_out [n_texts, dim].
 * STATUS_NO_MEMORY, STATUS_ENCODER_FAULT saying
 * what is wrong, in our own words: no JSON, another shape, too few or too many vectors, the same
 * one twice, another dimension, a number that is not finite, or a vector of zeros, which no text
 * has.
 */
enum status embedding_reply_read(enum embedding_api api, const char *body, size_t len,
				 size_t n_texts, size_t dim, float *rows_out, struct err *err);

/**
 * embedding_reply_complaint(body, len, out, size): the message of an error's body, which a NUL
 * follows, in any of the shapes that servers use, or the beginning of the body. out [size].
 */
void embedding_reply_complaint(const char *body, size_t len, char *out, size_t size);

#endif
