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
	atomic_ullong n_texts;
};

/* The texts of a call. */
struct plan {
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

static void plan_free(struct plan *plan)
{
	mem_free(plan->digest);
	mem_free(plan->order);
	mem_free(plan->first);
	mem_free(plan->slot);
	mem_free(plan->rows);
	mem_free(plan->asked);
}

static enum status plan_texts(struct plan *plan, struct err *err)
{
	size_t n = plan->n_texts;

	plan->digest = mem_array(n, sizeof(*plan->digest));
	plan->order = mem_array(n, sizeof(*plan->order));
	plan->first = mem_array(n, sizeof(*plan->first));
	plan->slot = mem_array(n, sizeof(*plan->slot));
	plan->asked = mem_array(n, sizeof(*plan->asked));
	if (plan->digest == NULL || plan->order == NULL || plan->first == NULL ||
	    plan->slot == NULL || plan->asked == NULL)
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
static void find_distinct(struct plan *plan)
{
	size_t n = plan->n_texts;

	for (size_t i = 0; i < n; i++) {
		plan->digest[i] = embedding_digest(plan->texts[i]);
		plan->order[i] = i;
	}
	qsort_r(plan->order, n, sizeof(*plan->order), compare_texts, plan->digest);
	for (size_t i = 0; i < n; i++) {
		size_t text = plan->order[i], before = i == 0 ? 0 : plan->order[i - 1];
		bool is_new = i == 0 || memcmp(&plan->digest[text], &plan->digest[before],
					       sizeof(*plan->digest)) != 0;

		plan->first[text] = is_new ? text : plan->first[before];
		plan->n_distinct += is_new;
	}
}

/* Take what the cache has; the others are asked for, in their order. */
static void look_up(struct plan *plan, struct embedding_cache *cache)
{
	size_t end = plan->n_distinct;

	for (size_t i = 0; i < plan->n_texts; i++) {
		if (plan->first[i] != i)
			continue;
		if (embedding_cache_get(cache, &plan->digest[i],
					plan->rows + (end - 1) * plan->dim)) {
			plan->slot[i] = --end;
			continue;
		}
		plan->slot[i] = plan->n_asked;
		plan->asked[plan->n_asked++] = plan->texts[i];
	}
}

static enum status make_plan(struct plan *plan, struct embedding_cache *cache, struct err *err)
{
	enum status status = plan_texts(plan, err);
	size_t n_values;

	if (status != STATUS_OK)
		return status;
	find_distinct(plan);
	if (!mem_mul(plan->n_distinct, plan->dim, &n_values))
		return err_no_memory(err, "vectors");
	plan->rows = mem_array(n_values, sizeof(*plan->rows));
	if (plan->rows == NULL)
		return err_no_memory(err, "vectors");
	look_up(plan, cache);
	return STATUS_OK;
}

/* ---- vectors ---- */

static void remember(const struct plan *plan, struct embedding_cache *cache)
{
	for (size_t i = 0; i < plan->n_texts; i++) {
		if (plan->first[i] == i && plan->slot[i] < plan->n_asked)
			embedding_cache_put(cache, &plan->digest[i],
					    plan->rows + plan->slot[i] * plan->dim);
	}
}

/* Which text was the slot's first. */
static size_t text_in_slot(const struct plan *plan, size_t slot)
{
	size_t i = 0;

	while (plan->first[i] != i || plan->slot[i] != slot)
		i++;
	return i;
}

static enum status give_out(const struct plan *plan, struct features *out, struct err *err)
{
	enum status status = STATUS_OK;

	for (size_t i = 0; i < plan->n_texts && status == STATUS_OK; i++) {
		const float *row = plan->rows + plan->slot[plan->first[i]] * plan->dim;

		status = features_append(out, feature_row_dense(row, plan->dim), err);
	}
	return status;
}

enum status encoder_http_encode(const struct encoder *encoder, const struct text *texts,
				size_t n_texts, struct features *out, size_t *refused_out,
				struct err *err)
{
	struct encoder_http *http = encoder->http;
	struct plan plan = {.texts = texts, .n_texts = n_texts, .dim = encoder->dim};
	enum status status = make_plan(&plan, http->cache, err);
	size_t refused = ENCODER_NO_TEXT;

	atomic_fetch_add(&http->n_texts, n_texts);
	if (status == STATUS_OK && plan.n_asked > 0)
		status =
		    remote_encode(http->remote, plan.asked, plan.n_asked, plan.rows, &refused, err);
	*refused_out = refused == ENCODER_NO_TEXT ? refused : text_in_slot(&plan, refused);
	if (status == STATUS_OK) {
		remember(&plan, http->cache);
		status = give_out(&plan, out, err);
	}
	plan_free(&plan);
	return status;
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
	stats_out->n_hits = cache.n_hits;
	stats_out->n_misses = cache.n_misses;
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
