/* SPDX-License-Identifier: Apache-2.0 */
#include "core/encode/http_mux.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <curl/curl.h>
#include <utlist.h>

#include "core/base/mem.h"
#include "core/base/monotonic.h"

#define MAX_EVENTS 16 /* looked at in one turn; the others come in the next */

struct http_mux {
	CURLM *multi;
	int epoll;		    /* sockets of the requests */
	double due;		    /* when libcurl wants to look at its clocks; HUGE_VAL: never */
	bool has_ended;		    /* a request, and libcurl is to be asked which */
	size_t n_transfers;	    /* that have not been told their end */
	struct http_transfer *list; /* of these */
};

/* ---- what libcurl wants to be told of ---- */

/* Nobody would hear of its reply. */
static void give_up(struct http_mux *mux, CURL *curl)
{
	struct http_transfer *transfer = NULL;

	curl_easy_getinfo(curl, CURLINFO_PRIVATE, &transfer);
	transfer->is_deaf = true;
	mux->has_ended = true;
}

/* cppcheck-suppress constParameter ; libcurl's curl_socket_callback */
static int watch(CURL *curl, curl_socket_t fd, int what, void *context, void *is_known)
{
	struct http_mux *mux = context;
	struct epoll_event event = {.data = {.fd = fd}};
	static char known;

	if (what == CURL_POLL_REMOVE) {
		/* it may be closed already, which the kernel has seen to */
		epoll_ctl(mux->epoll, EPOLL_CTL_DEL, fd, NULL);
		return 0;
	}
	event.events |= (what & CURL_POLL_IN) != 0 ? EPOLLIN : 0;
	event.events |= (what & CURL_POLL_OUT) != 0 ? EPOLLOUT : 0;
	curl_multi_assign(mux->multi, fd, &known);
	/* an error to libcurl would be the end of all requests, and of its clocks */
	if (epoll_ctl(mux->epoll, is_known == NULL ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd, &event) !=
	    0)
		give_up(mux, curl);
	return 0;
}

static int set_timer(CURLM *multi, long ms, void *context)
{
	struct http_mux *mux = context;

	(void)multi;
	mux->due = ms < 0 ? HUGE_VAL : monotonic_seconds() + (double)ms / 1e3;
	return 0;
}

/* ---- opening ---- */

static bool set_up(struct http_mux *mux)
{
	mux->multi = curl_multi_init();
	return mux->multi != NULL &&
	       curl_multi_setopt(mux->multi, CURLMOPT_SOCKETFUNCTION, watch) == CURLM_OK &&
	       curl_multi_setopt(mux->multi, CURLMOPT_SOCKETDATA, mux) == CURLM_OK &&
	       curl_multi_setopt(mux->multi, CURLMOPT_TIMERFUNCTION, set_timer) == CURLM_OK &&
	       curl_multi_setopt(mux->multi, CURLMOPT_TIMERDATA, mux) == CURLM_OK;
}

enum status http_mux_open(struct http_mux **mux_out, struct err *err)
{
	struct http_mux *mux = mem_array(1, sizeof(*mux));
	enum status status = STATUS_OK;

	*mux_out = NULL;
	if (mux == NULL)
		return err_no_memory(err, "an encoder's requests");
	mux->due = HUGE_VAL;
	mux->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (mux->epoll < 0)
		status = err_errno(err, STATUS_IO, "ask an encoder's server");
	else if (!set_up(mux))
		status = err_no_memory(err, "an encoder's requests");
	if (status != STATUS_OK) {
		http_mux_close(mux);
		return status;
	}
	*mux_out = mux;
	return STATUS_OK;
}

void http_mux_close(struct http_mux *mux)
{
	if (mux == NULL)
		return;
	curl_multi_cleanup(mux->multi);
	if (mux->epoll >= 0)
		close(mux->epoll);
	mem_free(mux);
}

int http_mux_fd(const struct http_mux *mux)
{
	return mux->epoll;
}

int http_mux_timeout(const struct http_mux *mux)
{
	double ms;

	if (mux->has_ended)
		return 0;
	if (mux->due == HUGE_VAL)
		return -1;
	ms = (mux->due - monotonic_seconds()) * 1e3;
	if (ms <= 0)
		return 0;
	return ms < INT_MAX ? (int)ceil(ms) : INT_MAX;
}

/* ---- requests ---- */

static void finish(struct http_mux *mux, struct http_transfer *transfer, CURLcode code)
{
	curl_easy_getinfo(transfer->curl, CURLINFO_ACTIVESOCKET, &transfer->socket);
	curl_multi_remove_handle(mux->multi, transfer->curl);
	/* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): it is on the list */
	DL_DELETE(mux->list, transfer);
	mux->n_transfers--;
	transfer->done(transfer, (int)code);
}

static void act(struct http_mux *mux, curl_socket_t fd, int events)
{
	int n_under_way = 0;

	curl_multi_socket_action(mux->multi, fd, events, &n_under_way);
	mux->has_ended |= (size_t)n_under_way < mux->n_transfers;
}

/* libcurl tells of a time only when it is another one than before. */
static void take_time(struct http_mux *mux)
{
	long ms = -1;

	act(mux, CURL_SOCKET_TIMEOUT, 0);
	curl_multi_timeout(mux->multi, &ms);
	set_timer(mux->multi, ms, mux);
}

static void take_events(struct http_mux *mux)
{
	struct epoll_event events[MAX_EVENTS];
	int n = epoll_wait(mux->epoll, events, MAX_EVENTS, 0);

	for (int i = 0; i < n; i++) {
		uint32_t what = events[i].events;
		int bits = 0;

		bits |= (what & EPOLLIN) != 0 ? CURL_CSELECT_IN : 0;
		bits |= (what & EPOLLOUT) != 0 ? CURL_CSELECT_OUT : 0;
		bits |= (what & (EPOLLERR | EPOLLHUP)) != 0 ? CURL_CSELECT_ERR : 0;
		act(mux, events[i].data.fd, bits);
	}
}

static void tell_ends(struct http_mux *mux)
{
	struct http_transfer *transfer, *next;
	CURLMsg *message;
	int n_left;

	/* what done() does may end others */
	mux->has_ended = false;
	while ((message = curl_multi_info_read(mux->multi, &n_left)) != NULL) {
		CURLcode code = message->data.result;

		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer);
		finish(mux, transfer, code);
	}
	DL_FOREACH_SAFE(mux->list, transfer, next)
	{
		if (transfer->is_deaf)
			finish(mux, transfer, CURLE_OUT_OF_MEMORY);
		else if (atomic_load(transfer->cancelled))
			finish(mux, transfer, CURLE_ABORTED_BY_CALLBACK);
	}
}

void http_mux_run(struct http_mux *mux, bool is_readable)
{
	if (is_readable)
		take_events(mux);
	if (mux->due <= monotonic_seconds())
		take_time(mux);
	tell_ends(mux);
}

bool http_mux_start(struct http_mux *mux, struct http_transfer *transfer)
{
	if (curl_easy_setopt(transfer->curl, CURLOPT_PRIVATE, transfer) != CURLE_OK ||
	    curl_multi_add_handle(mux->multi, transfer->curl) != CURLM_OK)
		return false;
	DL_APPEND(mux->list, transfer);
	mux->n_transfers++;
	/* which sends it, where there is a connection */
	act(mux, CURL_SOCKET_TIMEOUT, 0);
	return true;
}
