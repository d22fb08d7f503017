/* SPDX-License-Identifier: Apache-2.0 */
#include "core/encode/embedding_link.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <sodium.h>

#include "core/base/mem.h"
#include "core/base/monotonic.h"
#include "core/encode/retry.h"

#define NAME_MAX_LEN 160  /* of messages, which have room for a reason too */
#define QUOTED_TEXT  40	  /* bytes of a refused text in a message */
#define NUMBER_BYTES 32	  /* of a reply, for each number of a vector */
#define VECTOR_BYTES 4096 /* for each vector besides */
#define REPLY_BYTES  ((size_t)64 << 10)
#define SHORT_REPLY  ((size_t)256 << 10) /* read within 2 ms, whoever waits for the thread */

/* ---- opening ---- */

static char *make_name(const char *spec, const char *url)
{
	char name[NAME_MAX_LEN + 1];

	snprintf(name, sizeof(name), "%.80s at %s", spec, url);
	return mem_string(name, strlen(name));
}

enum status embedding_link_open(struct embedding_link *link,
				const struct embedding_question *question,
				const struct encoder_options *options, struct err *err)
{
	const struct http_pool_options pool_options = {
	    .url = options->url,
	    .bearer = options->key,
	    .connect_timeout = options->connect_timeout,
	    .n_connections = options->n_connections,
	    .cancelled = &link->cancelled,
	};

	link->api = question->api;
	link->dim = question->dim;
	link->timeout = options->timeout;
	link->n_retries = (unsigned)options->n_retries;
	pthread_mutex_init(&link->lock, NULL);
	monotonic_cond_init(&link->woken);
	link->members = mem_string(question->members, strlen(question->members));
	link->name = make_name(question->spec, options->url);
	if (link->members == NULL || link->name == NULL)
		return err_no_memory(err, "an encoder");
	return http_pool_open(&pool_options, &link->pool, err);
}

void embedding_link_close(struct embedding_link *link)
{
	http_pool_close(link->pool);
	mem_free(link->members);
	mem_free(link->name);
	pthread_cond_destroy(&link->woken);
	pthread_mutex_destroy(&link->lock);
}

void embedding_link_cancel(struct embedding_link *link)
{
	pthread_mutex_lock(&link->lock);
	atomic_store(&link->cancelled, true);
	pthread_cond_broadcast(&link->woken);
	pthread_mutex_unlock(&link->lock);
}

/* ---- one request ---- */

static size_t longest_reply(const struct embedding_link *link, size_t n_texts)
{
	size_t vector, all;

	if (!mem_mul(link->dim, NUMBER_BYTES, &vector) ||
	    !mem_mul(vector + VECTOR_BYTES, n_texts, &all))
		return SIZE_MAX / 2;
	return all + REPLY_BYTES;
}

static const char *body_of(const struct http_reply *reply)
{
	return reply->body == NULL ? "" : reply->body;
}

/* Its clients wait as long as it asks for. */
static enum status down(const struct http_reply *reply, struct err *err)
{
	double asked = reply->retry_after < RETRY_MAX_TOLD ? reply->retry_after : RETRY_MAX_TOLD;

	err_set(err, STATUS_ENCODER_DOWN, "HTTP %ld", reply->status);
	if (asked > 0)
		err_retry_after(err, asked);
	return STATUS_ENCODER_DOWN;
}

static enum status refused_by_server(struct embedding_call *call, const struct http_reply *reply,
				     struct err *err)
{
	enum retry_verdict verdict = retry_judge(reply->status);

	embedding_reply_complaint(body_of(reply), reply->len, call->facts.complaint,
				  sizeof(call->facts.complaint));
	if (verdict == RETRY_AGAIN)
		return down(reply, err);
	if (verdict == RETRY_NEVER)
		return err_set(
		    err, STATUS_ENCODER_FAULT, "HTTP %ld%s", reply->status,
		    reply->status == 401 || reply->status == 403 ? " (it wants another key)" : "");
	if (call->n_texts > 1)
		return err_set(err, STATUS_ENCODER_REFUSED, "%zu texts: HTTP %ld", call->n_texts,
			       reply->status);
	return err_set(err, STATUS_ENCODER_REFUSED, "the text \"%.*s\": HTTP %ld",
		       (int)(call->texts->len < QUOTED_TEXT ? call->texts->len : QUOTED_TEXT),
		       call->texts->len == 0 ? "" : call->texts->bytes, reply->status);
}

static enum status take_reply(struct embedding_call *call, const struct http_reply *reply,
			      struct err *err)
{
	const struct embedding_link *link = call->link;
	enum retry_verdict verdict = retry_judge(reply->status);

	if (verdict == RETRY_ANSWERED)
		return embedding_reply_read(link->api, body_of(reply), reply->len, call->n_texts,
					    link->dim, call->rows_out, err);
	call->may_pass = verdict == RETRY_AGAIN;
	call->asked = reply->retry_after;
	return refused_by_server(call, reply, err);
}

/* After a request, with its outcome; the reply is released. */
static enum status conclude(struct embedding_call *call, enum status status,
			    struct http_reply *reply, struct err *err)
{
	struct embedding_link *link = call->link;

	atomic_fetch_add(&link->n_calls, 1);
	atomic_fetch_add(&link->call_us, (unsigned long long)(call->took * 1e6));
	call->facts.reconnected |= reply->reconnected;
	call->facts.complaint[0] = '\0';
	call->asked = 0;
	call->may_pass = status == STATUS_ENCODER_DOWN;
	if (status == STATUS_OK)
		status = take_reply(call, reply, err);
	http_reply_free(reply);
	return status;
}

static enum status post_once(struct embedding_call *call, struct err *err)
{
	struct embedding_link *link = call->link;
	struct http_reply reply = {.max_len = longest_reply(link, call->n_texts)};
	enum status status;

	call->began = monotonic_seconds();
	status =
	    http_pool_post(link->pool, call->body, call->body_len, call->deadline, &reply, err);
	call->took = monotonic_seconds() - call->began;
	return conclude(call, status, &reply, err);
}

/* ---- a first request that nobody waits for ---- */

static void read_reply(struct embedding_call *call)
{
	call->status = conclude(call, call->status, &call->reply, &call->err);
	call->start = EMBEDDING_REPLIED;
}

static void take_flight(struct http_flight *flight)
{
	struct embedding_call *call =
	    (struct embedding_call *)((char *)flight - offsetof(struct embedding_call, flight));

	call->took = monotonic_seconds() - call->began;
	call->err = flight->err;
	call->status = flight->status;
	call->start = EMBEDDING_UNREAD;
	if (call->reply.len <= SHORT_REPLY)
		read_reply(call);
	call->done(call->context);
}

bool embedding_call_start(struct embedding_call *call, struct http_mux *mux,
			  void (*done)(void *context), void *context)
{
	struct embedding_link *link = call->link;

	call->done = done;
	call->context = context;
	call->began = monotonic_seconds();
	call->reply = (struct http_reply){.max_len = longest_reply(link, call->n_texts)};
	call->flight = (struct http_flight){
	    .body = call->body,
	    .len = call->body_len,
	    .deadline = call->deadline,
	    .reply = &call->reply,
	    .done = take_flight,
	};
	if (!http_pool_start(link->pool, mux, &call->flight))
		return false;
	call->start = EMBEDDING_STARTED;
	return true;
}

/* ---- until it passes ---- */

/* Sleep; false if that was ended from outside. */
static bool sleep_until(struct embedding_link *link, double until)
{
	pthread_mutex_lock(&link->lock);
	while (!atomic_load(&link->cancelled) && monotonic_seconds() < until)
		monotonic_wait(&link->woken, &link->lock, until);
	pthread_mutex_unlock(&link->lock);
	return !atomic_load(&link->cancelled);
}

static enum status first_outcome(struct embedding_call *call, struct err *err)
{
	if (call->start == EMBEDDING_UNREAD)
		read_reply(call);
	if (call->start != EMBEDDING_REPLIED)
		return post_once(call, err);
	if (call->status != STATUS_OK)
		*err = call->err;
	return call->status;
}

static enum status post_until_it_passes(struct embedding_call *call, struct err *err)
{
	struct embedding_link *link = call->link;
	enum status status = first_outcome(call, err);

	for (unsigned n = 0; status != STATUS_OK && call->may_pass && n < link->n_retries; n++) {
		double wait = retry_wait(n, call->asked, randombytes_random());
		double until = monotonic_seconds() + wait;

		if (wait < 0 || until >= call->deadline)
			return status;
		if (!sleep_until(link, until))
			return err_set(err, STATUS_INTERRUPTED, "given up");
		atomic_fetch_add(&link->n_retried, 1);
		status = post_once(call, err);
	}
	return status;
}

enum status embedding_call_open(struct embedding_link *link, struct embedding_call *call,
				struct err *err)
{
	call->link = link;
	call->deadline = monotonic_seconds() + link->timeout;
	call->body = embedding_request_make(link->api, link->members, call->texts, call->n_texts,
					    &call->body_len);
	return call->body == NULL ? err_no_memory(err, "an encoder's request") : STATUS_OK;
}

enum status embedding_call_finish(struct embedding_call *call, struct err *err)
{
	struct embedding_link *link = call->link;
	enum status status;

	atomic_fetch_add(&link->n_sent, call->n_texts);
	status = post_until_it_passes(call, err);
	if (status != STATUS_OK) {
		atomic_fetch_add(&link->n_failed, 1);
		err_wrap(err, "encoder %s", link->name);
	}
	return status;
}

void embedding_call_close(struct embedding_call *call)
{
	http_reply_free(&call->reply);
	mem_free(call->body);
}
