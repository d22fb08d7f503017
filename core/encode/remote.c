/* SPDX-License-Identifier: Apache-2.0 */
#include "core/encode/remote.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/base/monotonic.h"
#include "core/encode/batch_limit.h"
#include "core/encode/circuit_breaker.h"
#include "core/encode/fingerprint.h"

/* Seconds. A server that closes idle connections is not asked for its fingerprint more often; none
 * can be another one and have loaded its model in that time. */
#define VERIFIED_FOR 1.0

#define MAX_BODY ((size_t)1 << 20) /* bytes of the texts of a call, unless it is one text */

struct remote {
	struct embedding_link link;
	struct text probe;
	size_t dim;
	size_t max_batch;
	encoder_notify_fn *notify;
	void *notify_context;
	pthread_t watcher;
	bool is_watched;	/* there is a watcher */
	pthread_mutex_t lock;	/* guards what follows */
	pthread_cond_t changed; /* the breaker has opened, or closing is true */
	bool closing;
	struct circuit_breaker breaker;
	struct err last; /* why the breaker is not closed; everybody is told: nothing of a text */
	struct batch_limit limit;
	float *reference; /* [dim]: the probe's vector that the server has to show */
	bool has_reference;
	bool is_verified; /* it has shown it */
	double verified_at;
};

/* ---- the breaker ---- */

static void tell(const struct remote *remote, const struct err *why)
{
	if (remote->notify != NULL)
		remote->notify(remote->notify_context, why);
}

/* Which call had an outcome. */
enum call_kind {
	CALL_TEXTS,
	CALL_FINGERPRINT, /* without it the server is not asked for anything */
	CALL_PROBE,	  /* the watcher's, of a server that is down */
};

/* err: of a status that is not OK */
static void record_closed(struct remote *remote, enum call_kind kind, enum status status,
			  const struct err *err)
{
	struct circuit_breaker *breaker = &remote->breaker;
	bool is_fault = status == STATUS_ENCODER_DOWN || status == STATUS_ENCODER_FAULT;

	if (status == STATUS_OK || status == STATUS_ENCODER_REFUSED)
		circuit_breaker_success(breaker);
	else if (status == STATUS_ENCODER_MISMATCH || (is_fault && kind == CALL_FINGERPRINT))
		circuit_breaker_trip(breaker, monotonic_seconds(), err->retry_after);
	else if (is_fault)
		circuit_breaker_failure(breaker, monotonic_seconds(), err->retry_after);
}

/* What a call's outcome says about the server. Answers to what was asked before the breaker
 * opened say nothing. err is logged and told to others. */
static void record(struct remote *remote, enum call_kind kind, enum status status,
		   const struct err *err)
{
	struct circuit_breaker *breaker = &remote->breaker;
	enum breaker_state before, after;

	pthread_mutex_lock(&remote->lock);
	before = breaker->state;
	if (before == BREAKER_CLOSED)
		record_closed(remote, kind, status, err);
	else if (kind == CALL_PROBE && status == STATUS_OK)
		circuit_breaker_success(breaker);
	else if (kind == CALL_PROBE)
		circuit_breaker_failure(breaker, monotonic_seconds(), err->retry_after);
	after = breaker->state;
	if (status != STATUS_OK && after == BREAKER_OPEN &&
	    (before == BREAKER_CLOSED || kind == CALL_PROBE))
		remote->last = *err;
	/* told under the lock: in the order in which it happened, and before anyone can see it */
	if (before == BREAKER_CLOSED && after == BREAKER_OPEN) {
		pthread_cond_broadcast(&remote->changed);
		tell(remote, err);
	}
	if (before != BREAKER_CLOSED && after == BREAKER_CLOSED)
		tell(remote, NULL);
	pthread_mutex_unlock(&remote->lock);
}

enum status remote_health(struct remote *remote, struct err *err)
{
	const struct circuit_breaker *breaker = &remote->breaker;
	enum status status = STATUS_OK;
	double now = monotonic_seconds();

	pthread_mutex_lock(&remote->lock);
	if (breaker->state != BREAKER_CLOSED) {
		status = remote->last.code;
		err_set(err, status, "for %.0f s: %s", now - breaker->opened_at, remote->last.msg);
		err_retry_after(err, breaker->retry_at - now);
	}
	pthread_mutex_unlock(&remote->lock);
	return status;
}

/* ---- the fingerprint ---- */

static enum status compare(struct remote *remote, const float *row, struct err *err)
{
	if (!remote->has_reference) {
		memcpy(remote->reference, row, remote->dim * sizeof(*row));
		remote->has_reference = true;
	}
	return fingerprint_compare(remote->link.name, row, remote->reference, remote->dim, "before",
				   err);
}

/* Open, finish and close a call. */
static enum status ask(struct remote *remote, struct embedding_call *call, struct err *err)
{
	enum status status = embedding_call_open(&remote->link, call, err);

	if (status == STATUS_OK)
		status = embedding_call_finish(call, err);
	embedding_call_close(call);
	return status;
}

/* The server's words, for who sent it the texts. */
static void add_complaint(struct err *err, const struct embedding_call_facts *facts)
{
	if (facts->complaint[0] != '\0')
		err_append(err, ": %s", facts->complaint);
}

/* Ask for the probe's vector, row [dim], and hold it against the reference. The probe is ours:
 * what the server says of it may be told to everybody. */
static enum status verify(struct remote *remote, enum call_kind kind, float *row, struct err *err)
{
	struct embedding_call call = {.texts = &remote->probe, .n_texts = 1, .rows_out = row};
	enum status status = ask(remote, &call, err);

	add_complaint(err, &call.facts);
	/* who does not take this text takes none */
	if (status == STATUS_ENCODER_REFUSED)
		status = err->code = STATUS_ENCODER_FAULT;
	pthread_mutex_lock(&remote->lock);
	if (status == STATUS_OK)
		status = compare(remote, row, err);
	if (status == STATUS_OK) {
		remote->is_verified = true;
		remote->verified_at = monotonic_seconds();
	}
	pthread_mutex_unlock(&remote->lock);
	record(remote, kind, status, err);
	return status;
}

static enum status verify_again(struct remote *remote, enum call_kind kind, struct err *err)
{
	float *row = mem_array(remote->dim, sizeof(*row));
	enum status status;

	if (row == NULL)
		return err_no_memory(err, "fingerprint");
	status = verify(remote, kind, row, err);
	mem_free(row);
	return status;
}

static bool is_verified(struct remote *remote, bool reconnected)
{
	bool is;

	pthread_mutex_lock(&remote->lock);
	is = remote->is_verified &&
	     (!reconnected || monotonic_seconds() - remote->verified_at < VERIFIED_FOR);
	pthread_mutex_unlock(&remote->lock);
	return is;
}

enum status remote_fingerprint(struct remote *remote, float *row_out, struct err *err)
{
	struct err own;
	enum status status = remote_health(remote, err);

	if (status != STATUS_OK)
		return status;
	return verify(remote, CALL_FINGERPRINT, row_out, err == NULL ? &own : err);
}

void remote_pin(struct remote *remote, const float *fingerprint)
{
	memcpy(remote->reference, fingerprint, remote->dim * sizeof(*fingerprint));
	remote->has_reference = true;
	remote->is_verified = false;
}

/* ---- the watcher: probes a server that is down, until it is back ---- */

static void probe(struct remote *remote)
{
	struct err err = {0};

	/* without memory the breaker must not stay in PROBING */
	if (verify_again(remote, CALL_PROBE, &err) == STATUS_NO_MEMORY)
		record(remote, CALL_PROBE, STATUS_NO_MEMORY, &err);
}

static void *watch(void *context)
{
	struct remote *remote = context;

	pthread_mutex_lock(&remote->lock);
	while (!remote->closing) {
		if (remote->breaker.state != BREAKER_OPEN) {
			pthread_cond_wait(&remote->changed, &remote->lock);
		} else if (!circuit_breaker_due(&remote->breaker, monotonic_seconds())) {
			monotonic_wait(&remote->changed, &remote->lock, remote->breaker.retry_at);
		} else {
			pthread_mutex_unlock(&remote->lock);
			probe(remote);
			pthread_mutex_lock(&remote->lock);
		}
	}
	pthread_mutex_unlock(&remote->lock);
	return NULL;
}

/* ---- texts ---- */

/* How many of the texts go into the next call. */
static size_t next_batch(struct remote *remote, const struct batch_try *try,
			 const struct text *texts, size_t n_texts)
{
	size_t most, n = 0, size = 0;

	pthread_mutex_lock(&remote->lock);
	most = batch_limit_next(&remote->limit, try, remote->max_batch);
	pthread_mutex_unlock(&remote->lock);
	while (n < n_texts && n < most) {
		size += embedding_request_size(texts[n]);
		if (n > 0 && size > MAX_BODY)
			break;
		n++;
	}
	return n;
}

/* After a call for texts. is_known: its server has shown its fingerprint. */
static enum status settle(struct remote *remote, const struct embedding_call *call,
			  enum status status, bool is_known, struct err *err)
{
	record(remote, CALL_TEXTS, status, err);
	if (status == STATUS_OK && !is_known)
		return verify_again(remote, CALL_FINGERPRINT, err);
	add_complaint(err, &call->facts);
	return status;
}

static enum status encode_batch(struct remote *remote, const struct text *texts, size_t n_texts,
				float *rows_out, struct err *err)
{
	struct embedding_call call = {.texts = texts, .n_texts = n_texts, .rows_out = rows_out};
	enum status status = remote_health(remote, err);

	if (status != STATUS_OK)
		return status;
	status = ask(remote, &call, err);
	return settle(remote, &call, status, is_verified(remote, call.facts.reconnected), err);
}

/* ---- a first call that nobody waits for ---- */

static void take_start(void *context)
{
	struct remote_start *start = context;

	start->is_known = start->call.start == EMBEDDING_REPLIED &&
			  start->call.status == STATUS_OK &&
			  is_verified(start->remote, start->call.facts.reconnected);
	start->done(start->context);
}

bool remote_start(struct remote *remote, struct http_mux *mux, const struct text *texts,
		  size_t n_texts, float *rows_out, struct remote_start *start,
		  void (*done)(void *context), void *context)
{
	const struct batch_try none = {0};

	if (remote_health(remote, NULL) != STATUS_OK)
		return false;
	start->remote = remote;
	start->done = done;
	start->context = context;
	start->call.texts = texts;
	start->call.n_texts = next_batch(remote, &none, texts, n_texts);
	start->call.rows_out = rows_out;
	if (embedding_call_open(&remote->link, &start->call, NULL) == STATUS_OK &&
	    embedding_call_start(&start->call, mux, take_start, start))
		return true;
	remote_start_close(start);
	return false;
}

bool remote_start_is_whole(const struct remote_start *start, size_t n_texts)
{
	return start->is_known && start->call.n_texts == n_texts;
}

void remote_start_close(struct remote_start *start)
{
	embedding_call_close(&start->call);
	*start = (struct remote_start){.is_known = false};
}

static enum status finish_start(struct remote *remote, struct remote_start *start, struct err *err)
{
	struct embedding_call *call = &start->call;
	enum status status = embedding_call_finish(call, err);

	return settle(remote, call, status,
		      start->is_known || is_verified(remote, call->facts.reconnected), err);
}

/* ---- all of them ---- */

enum status remote_encode(struct remote *remote, struct remote_start *start,
			  const struct text *texts, size_t n_texts, float *rows_out,
			  size_t *refused_out, struct err *err)
{
	struct batch_try try = {0};
	struct err own;
	size_t at = 0;

	if (err == NULL)
		err = &own;
	while (at < n_texts) {
		bool is_started = start->call.start != EMBEDDING_NOT_STARTED;
		size_t n = is_started ? start->call.n_texts
				      : next_batch(remote, &try, texts + at, n_texts - at);
		enum status status = is_started ? finish_start(remote, start, err)
						: encode_batch(remote, texts + at, n,
							       rows_out + at * remote->dim, err);

		remote_start_close(start);
		if (status == STATUS_OK) {
			batch_try_passed(&try, n);
			at += n;
		} else if (status == STATUS_ENCODER_REFUSED && n > 1) {
			batch_try_refused(&try, n);
		} else {
			if (status == STATUS_ENCODER_REFUSED)
				*refused_out = at;
			return status;
		}
	}
	pthread_mutex_lock(&remote->lock);
	batch_limit_learn(&remote->limit, &try);
	pthread_mutex_unlock(&remote->lock);
	return STATUS_OK;
}

/* ---- opening and closing ---- */

static enum status start_watcher(struct remote *remote, struct err *err)
{
	if (remote->breaker.max_failures == 0)
		return STATUS_OK;
	if (pthread_create(&remote->watcher, NULL, watch, remote) != 0)
		return err_no_memory(err, "an encoder's thread");
	remote->is_watched = true;
	return STATUS_OK;
}

enum status remote_open(const struct embedding_question *question, struct text probe_text,
			const struct encoder_options *options, struct remote **remote_out,
			struct err *err)
{
	struct remote *remote = mem_array(1, sizeof(*remote));
	enum status status;

	if (remote == NULL)
		return err_no_memory(err, "an encoder");
	remote->probe = probe_text;
	remote->dim = question->dim;
	remote->max_batch = options->max_batch;
	remote->notify = options->notify;
	remote->notify_context = options->notify_context;
	circuit_breaker_init(&remote->breaker, options->max_failures);
	pthread_mutex_init(&remote->lock, NULL);
	monotonic_cond_init(&remote->changed);
	remote->reference = mem_array(remote->dim, sizeof(*remote->reference));
	status = embedding_link_open(&remote->link, question, options, err);
	if (status == STATUS_OK && remote->reference == NULL)
		status = err_no_memory(err, "fingerprint");
	if (status == STATUS_OK)
		status = start_watcher(remote, err);
	if (status != STATUS_OK) {
		remote_close(remote);
		return status;
	}
	*remote_out = remote;
	return STATUS_OK;
}

void remote_cancel(struct remote *remote)
{
	embedding_link_cancel(&remote->link);
}

void remote_close(struct remote *remote)
{
	if (remote == NULL)
		return;
	pthread_mutex_lock(&remote->lock);
	remote->closing = true;
	pthread_cond_broadcast(&remote->changed);
	pthread_mutex_unlock(&remote->lock);
	if (remote->is_watched) {
		remote_cancel(remote);
		pthread_join(remote->watcher, NULL);
	}
	embedding_link_close(&remote->link);
	pthread_cond_destroy(&remote->changed);
	pthread_mutex_destroy(&remote->lock);
	mem_free(remote->reference);
	mem_free(remote);
}

void remote_stats(struct remote *remote, struct encoder_stats *stats_out)
{
	struct embedding_link *link = &remote->link;

	stats_out->is_remote = true;
	stats_out->n_sent = atomic_load(&link->n_sent);
	stats_out->n_calls = atomic_load(&link->n_calls);
	stats_out->n_retries = atomic_load(&link->n_retried);
	stats_out->n_failed = atomic_load(&link->n_failed);
	stats_out->call_us = atomic_load(&link->call_us);
	pthread_mutex_lock(&remote->lock);
	stats_out->is_up = remote->breaker.state == BREAKER_CLOSED;
	stats_out->n_trips = remote->breaker.n_trips;
	pthread_mutex_unlock(&remote->lock);
}
