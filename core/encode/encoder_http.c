/* SPDX-License-Identifier: Apache-2.0 */
#include "core/encode/encoder_http.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/encode/embedding_cache.h"
#include "core/encode/encoder_impl.h"
#include "core/encode/remote.h"

struct encoder_http {
	struct remote *remote;
	struct embedding_cache *cache;
	atomic_ullong n_texts, n_hits, n_misses; /* of calls that were finished */
};

struct encoder_call {
	struct encoder_http *http;
	const struct text *texts;
	size_t n_texts, dim;
	struct embedding_digest *digest; /* [n_texts] */
	size_t *order;			 /* [n_texts]: texts by digest, then by number */
	size_t *first;			 /* [n_texts]: the first text that is the same */
	size_t *slot; /* [n_texts]: of a first text: where its vector is in rows */
	size_t n_distinct;
	float *rows;	    /* [n_distinct, dim]: asked for, then, from the end, from the cache */
	struct text *asked; /* [n_asked <= n_distinct] */
	size_t n_asked;
	struct remote_start start;
};

/* ---- opening ---- */

enum status encoder_http_open(struct encoder *encoder, const struct encoder_spec *spec,
			      struct text probe, const struct encoder_options *options,
			      struct err *err)
{
	const struct embedding_question question = {
	    .api = spec->ops->api,
	    .dim = spec->dim,
	    .spec = spec->text,
	    .members = spec->members,
	};
	enum status status;

	encoder->http = mem_array(1, sizeof(*encoder->http));
	if (encoder->http == NULL)
		return err_no_memory(err, "an encoder");
	status = embedding_cache_open(spec->dim, options->cache_bytes, &encoder->http->cache, err);
	if (status == STATUS_OK)
		status = remote_open(&question, probe, options, &encoder->http->remote, err);
	if (status != STATUS_OK)
		encoder_http_close(encoder);
	return status;
}

void encoder_http_close(struct encoder *encoder)
{
	if (encoder->http == NULL)
		return;
	remote_close(encoder->http->remote);
	embedding_cache_close(encoder->http->cache);
	mem_free(encoder->http);
	encoder->http = NULL;
}

/* ---- which texts are to be asked for ---- */

static enum status plan_texts(struct encoder_call *call, struct err *err)
{
	size_t n = call->n_texts;

	call->digest = mem_array(n, sizeof(*call->digest));
	call->order = mem_array(n, sizeof(*call->order));
	call->first = mem_array(n, sizeof(*call->first));
	call->slot = mem_array(n, sizeof(*call->slot));
	call->asked = mem_array(n, sizeof(*call->asked));
	if (call->digest == NULL || call->order == NULL || call->first == NULL ||
	    call->slot == NULL || call->asked == NULL)
		return err_no_memory(err, "texts");
	return STATUS_OK;
}

static int compare_texts(const void *a, const void *b, void *context)
{
	const struct embedding_digest *digest = context;
	size_t x = *(const size_t *)a, y = *(const size_t *)b;
	int order = memcmp(&digest[x], &digest[y], sizeof(*digest));

	return order != 0 ? order : (x > y) - (x < y);
}

/* Which texts are the same, and how many are distinct. */
static void find_distinct(struct encoder_call *call)
{
	size_t n = call->n_texts;

	for (size_t i = 0; i < n; i++) {
		call->digest[i] = embedding_digest(call->texts[i]);
		call->order[i] = i;
	}
	qsort_r(call->order, n, sizeof(*call->order), compare_texts, call->digest);
	for (size_t i = 0; i < n; i++) {
		size_t text = call->order[i], before = i == 0 ? 0 : call->order[i - 1];
		bool is_new = i == 0 || memcmp(&call->digest[text], &call->digest[before],
					       sizeof(*call->digest)) != 0;

		call->first[text] = is_new ? text : call->first[before];
		call->n_distinct += is_new;
	}
}

/* Take what the cache has; the others are asked for, in their order. */
static void look_up(struct encoder_call *call)
{
	struct embedding_cache *cache = call->http->cache;
	size_t end = call->n_distinct;

	for (size_t i = 0; i < call->n_texts; i++) {
		if (call->first[i] != i)
			continue;
		if (embedding_cache_get(cache, &call->digest[i],
					call->rows + (end - 1) * call->dim)) {
			call->slot[i] = --end;
			continue;
		}
		call->slot[i] = call->n_asked;
		call->asked[call->n_asked++] = call->texts[i];
	}
}

static enum status make_plan(struct encoder_call *call, struct err *err)
{
	enum status status = plan_texts(call, err);
	size_t n_values;

	if (status != STATUS_OK)
		return status;
	find_distinct(call);
	if (!mem_mul(call->n_distinct, call->dim, &n_values))
		return err_no_memory(err, "vectors");
	call->rows = mem_array(n_values, sizeof(*call->rows));
	if (call->rows == NULL)
		return err_no_memory(err, "vectors");
	look_up(call);
	return STATUS_OK;
}

/* ---- vectors ---- */

static void remember(const struct encoder_call *call, struct embedding_cache *cache)
{
	for (size_t i = 0; i < call->n_texts; i++) {
		if (call->first[i] == i && call->slot[i] < call->n_asked)
			embedding_cache_put(cache, &call->digest[i],
					    call->rows + call->slot[i] * call->dim);
	}
}

/* Which text was the slot's first. */
static size_t text_in_slot(const struct encoder_call *call, size_t slot)
{
	size_t i = 0;

	while (call->first[i] != i || call->slot[i] != slot)
		i++;
	return i;
}

static enum status give_out(const struct encoder_call *call, struct features *out, struct err *err)
{
	enum status status = STATUS_OK;

	for (size_t i = 0; i < call->n_texts && status == STATUS_OK; i++) {
		const float *row = call->rows + call->slot[call->first[i]] * call->dim;

		status = features_append(out, feature_row_dense(row, call->dim), err);
	}
	return status;
}

/* ---- a call ---- */

enum status encoder_http_call_open(const struct encoder *encoder, const struct text *texts,
				   size_t n_texts, struct encoder_call **call_out, struct err *err)
{
	struct encoder_call *call = mem_array(1, sizeof(*call));
	enum status status;

	if (call == NULL)
		return err_no_memory(err, "texts");
	call->http = encoder->http;
	call->texts = texts;
	call->n_texts = n_texts;
	call->dim = encoder->dim;
	status = make_plan(call, err);
	if (status != STATUS_OK) {
		encoder_call_close(call);
		return status;
	}
	*call_out = call;
	return STATUS_OK;
}

bool encoder_call_start(struct encoder_call *call, struct http_mux *mux,
			void (*done)(void *context), void *context)
{
	return remote_start(call->http->remote, mux, call->asked, call->n_asked, call->rows,
			    &call->start, done, context);
}

bool encoder_call_is_ready(const struct encoder_call *call)
{
	return call->n_asked == 0 || remote_start_is_whole(&call->start, call->n_asked);
}

enum status encoder_call_finish(struct encoder_call *call, struct features *out,
				size_t *refused_out, struct err *err)
{
	size_t refused = ENCODER_NO_TEXT, n_rows_before = out->n_rows;
	enum status status = STATUS_OK;

	atomic_fetch_add(&call->http->n_texts, call->n_texts);
	atomic_fetch_add(&call->http->n_hits, call->n_distinct - call->n_asked);
	atomic_fetch_add(&call->http->n_misses, call->n_asked);
	if (call->n_asked > 0)
		status = remote_encode(call->http->remote, &call->start, call->asked, call->n_asked,
				       call->rows, &refused, err);
	*refused_out = refused == ENCODER_NO_TEXT ? refused : text_in_slot(call, refused);
	if (status == STATUS_OK) {
		remember(call, call->http->cache);
		status = give_out(call, out, err);
	}
	if (status != STATUS_OK)
		out->n_rows = n_rows_before;
	return status;
}

void encoder_call_close(struct encoder_call *call)
{
	if (call == NULL)
		return;
	remote_start_close(&call->start);
	mem_free(call->digest);
	mem_free(call->order);
	mem_free(call->first);
	mem_free(call->slot);
	mem_free(call->rows);
	mem_free(call->asked);
	mem_free(call);
}

struct remote *encoder_http_remote(const struct encoder *encoder)
{
	return encoder->http->remote;
}

void encoder_http_stats(const struct encoder *encoder, struct encoder_stats *stats_out)
{
	struct embedding_cache_stats cache;

	remote_stats(encoder->http->remote, stats_out);
	embedding_cache_stats(encoder->http->cache, &cache);
	stats_out->n_texts = atomic_load(&encoder->http->n_texts);
	stats_out->n_hits = atomic_load(&encoder->http->n_hits);
	stats_out->n_misses = atomic_load(&encoder->http->n_misses);
	stats_out->n_evicted = cache.n_evicted;
	stats_out->cache_rows = cache.n_rows;
	stats_out->cache_bytes = cache.n_bytes;
}

const struct encoder_ops encoder_openai_ops = {
    .scheme = "openai",
    .syntax = "openai:D?model=NAME",
    .sparse = false,
    .reads_text = true,
    .api = EMBEDDING_API_OPENAI,
};

const struct encoder_ops encoder_tei_ops = {
    .scheme = "tei",
    .syntax = "tei:D?normalize=false",
    .sparse = false,
    .reads_text = true,
    .api = EMBEDDING_API_TEI,
};
