/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http_loop.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <utlist.h>

#include "core/base/mem.h"

#define MAX_EVENTS 64 /* looked at in one turn; the others come in the next */

/* A connection, of which the kernel tells once that its client has ended. */
struct client {
	int fd;
	bool has_ended;
	int n_unread; /* bytes that were there when libmicrohttpd was last told so; -1: never */
	struct client *prev, *next; /* among http_loop.ended */
};

struct http_loop {
	struct MHD_Daemon *daemon; /* NULL: not started */
	pthread_t thread;
	int epoll; /* the daemon's epoll instance, wakeup, and the ends of clients */
	int wakeup;
	atomic_bool is_woken; /* wakeup is readable, or about to be */
	atomic_bool stopping;
	struct client *ended; /* what they sent is not read to its end yet */
	bool has_room;	      /* a connection was closed since the daemon began to run */
};

/* source: NULL for the daemon, the loop for wakeup, else a client */
static int watch(struct http_loop *loop, int fd, uint32_t events, void *source)
{
	struct epoll_event event = {.events = events, .data = {.ptr = source}};

	return epoll_ctl(loop->epoll, EPOLL_CTL_ADD, fd, &event);
}

enum status http_loop_open(struct http_loop **loop_out, struct err *err)
{
	struct http_loop *loop = mem_array(1, sizeof(*loop));

	if (loop == NULL)
		return err_no_memory(err, "the HTTP server");
	loop->epoll = epoll_create1(EPOLL_CLOEXEC);
	loop->wakeup = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (loop->epoll < 0 || loop->wakeup < 0 || watch(loop, loop->wakeup, EPOLLIN, loop) != 0) {
		enum status status = err_errno(err, STATUS_IO, "start the HTTP server");

		http_loop_close(loop);
		return status;
	}
	*loop_out = loop;
	return STATUS_OK;
}

static int socket_of(struct MHD_Connection *connection)
{
	return MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
}

/* Without memory for that the connection is ended at once: it might stay for ever. */
static void welcome(struct http_loop *loop, int fd, void **slot)
{
	struct client *client = mem_array(1, sizeof(*client));

	if (client == NULL) {
		shutdown(fd, SHUT_RDWR);
		return;
	}
	*client = (struct client){.fd = fd, .n_unread = -1};
	*slot = client;
	if (watch(loop, fd, EPOLLRDHUP | EPOLLONESHOT, client) != 0)
		shutdown(fd, SHUT_RDWR);
}

static void part(struct http_loop *loop, struct client *client)
{
	loop->has_room = true;
	if (client == NULL)
		return;
	if (client->has_ended && client->n_unread != 0)
		DL_DELETE(loop->ended, client);
	/* the socket is still open, and not for the kernel to forget */
	epoll_ctl(loop->epoll, EPOLL_CTL_DEL, client->fd, NULL);
	mem_free(client);
}

void http_loop_note(void *context, struct MHD_Connection *connection, void **slot,
		    enum MHD_ConnectionNotificationCode what)
{
	struct http_loop *loop = context;

	if (what == MHD_CONNECTION_NOTIFY_STARTED) {
		welcome(loop, socket_of(connection), slot);
		return;
	}
	part(loop, *slot);
	*slot = NULL;
}

/*
 * libmicrohttpd looks at a socket again only when the kernel tells of a change there, which
 * closing the reading end is, although it is closed already.
 */
static void tell_again(int fd)
{
	shutdown(fd, SHUT_RD);
}

/* After libmicrohttpd has read, whether all or a part: it may believe that this was all. */
static void look_at_ended(struct http_loop *loop)
{
	struct client *client, *next;

	DL_FOREACH_SAFE(loop->ended, client, next)
	{
		int n_unread = 0;

		if (ioctl(client->fd, FIONREAD, &n_unread) != 0)
			n_unread = 0;
		if (n_unread == client->n_unread)
			continue;
		client->n_unread = n_unread;
		tell_again(client->fd);
		if (n_unread == 0)
			DL_DELETE(loop->ended, client);
	}
}

static void note_end(struct http_loop *loop, struct client *client)
{
	client->has_ended = true;
	DL_APPEND(loop->ended, client);
}

/* is_woken first: whoever resumes a connection after it wakes the loop once more. */
static void take_wakeup(struct http_loop *loop)
{
	uint64_t count;

	while (read(loop->wakeup, &count, sizeof(count)) < 0 && errno == EINTR)
		;
	atomic_store(&loop->is_woken, false);
}

/* Milliseconds until the daemon wants to run whatever happens; -1: never. One that had as many
 * connections as it may looks for new ones only when it runs again. */
static int timeout_of(const struct http_loop *loop)
{
	MHD_UNSIGNED_LONG_LONG ms;

	if (loop->has_room)
		return 0;
	if (MHD_get_timeout(loop->daemon, &ms) != MHD_YES)
		return -1;
	return ms > INT_MAX ? INT_MAX : (int)ms;
}

static void wait_for_events(struct http_loop *loop)
{
	struct epoll_event events[MAX_EVENTS];
	int n = epoll_wait(loop->epoll, events, MAX_EVENTS, timeout_of(loop));

	for (int i = 0; i < n; i++) {
		void *source = events[i].data.ptr;

		if (source == loop)
			take_wakeup(loop);
		else if (source != NULL)
			note_end(loop, source);
	}
}

static void *drive(void *context)
{
	struct http_loop *loop = context;

	while (!atomic_load(&loop->stopping)) {
		wait_for_events(loop);
		loop->has_room = false;
		MHD_run(loop->daemon);
		look_at_ended(loop);
	}
	return NULL;
}

enum status http_loop_start(struct http_loop *loop, struct MHD_Daemon *daemon, struct err *err)
{
	int fd = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
	int error = 0;

	if (watch(loop, fd, EPOLLIN, NULL) != 0)
		error = errno;
	loop->daemon = daemon;
	if (error == 0)
		error = pthread_create(&loop->thread, NULL, drive, loop);
	if (error == 0)
		return STATUS_OK;
	loop->daemon = NULL;
	MHD_stop_daemon(daemon);
	errno = error;
	return err_errno(err, STATUS_IO, "start the HTTP server");
}

void http_loop_wake(struct http_loop *loop)
{
	const uint64_t one = 1;

	if (atomic_exchange(&loop->is_woken, true))
		return;
	while (write(loop->wakeup, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

void http_loop_close(struct http_loop *loop)
{
	if (loop == NULL)
		return;
	if (loop->daemon != NULL) {
		atomic_store(&loop->stopping, true);
		http_loop_wake(loop);
		pthread_join(loop->thread, NULL);
		MHD_stop_daemon(loop->daemon);
	}
	if (loop->epoll >= 0)
		close(loop->epoll);
	if (loop->wakeup >= 0)
		close(loop->wakeup);
	mem_free(loop);
}
