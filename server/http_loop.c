/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http_loop.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <utlist.h>

#include "core/base/mem.h"
#include "server/clock.h"
#include "server/process.h"

#define MAX_EVENTS    64  /* looked at in one turn; the others come in the next */
#define CHECK_SECONDS 1.0 /* between two looks for slow clients */
#define ADMIT_MS      5	  /* between two looks whether more may be pending, while bodies wait */
#define TASK_SECONDS                                                                               \
	1e-4 /* of deferred work between two looks at connections; one task at least               \
	      */

/* A connection, of which the kernel tells once that its client has ended. */
struct guest {
	struct client client;
	bool has_ended;
	int n_unread; /* bytes that were there when libmicrohttpd was last told so; -1: never */
	struct guest *prev, *next; /* among http_loop.ended */
};

/* A connection that libmicrohttpd does not know yet. */
struct arrival {
	int fd;
	socklen_t len;
	struct sockaddr_storage address;
	struct arrival *next;
};

struct http_loop {
	struct MHD_Daemon *daemon; /* NULL: not started */
	pthread_t thread;
	int epoll; /* the daemon's epoll instance, wakeup, and the ends of clients */
	int wakeup;
	atomic_bool is_woken; /* wakeup is readable, or about to be */
	atomic_bool stopping;
	struct http_mux *mux; /* NULL: it was not asked for */
	bool is_mux_readable;
	struct guest *ended; /* what they sent is not read to its end yet */
	struct http_task *tasks;
	struct clients clients;
	struct client_limits limits;
	struct admission admission;
	double now, checked;	   /* of this turn; of the last look for slow clients */
	_Atomic double read_until; /* what had come by then was read; all has while it sleeps */
	atomic_size_t n_to_shed;
	atomic_size_t n_open;	 /* connections of the daemon, after its last run */
	atomic_size_t n_arrived; /* and those that it may not know yet */
	pthread_mutex_t lock;	 /* guards arrivals */
	struct arrival *arrivals;
	struct metrics *metrics;
};

/* source: NULL for the daemon, the loop for wakeup, its mux, else a guest */
static int watch(struct http_loop *loop, int fd, uint32_t events, void *source)
{
	struct epoll_event event = {.events = events, .data = {.ptr = source}};

	return epoll_ctl(loop->epoll, EPOLL_CTL_ADD, fd, &event);
}

enum status http_loop_open(const struct client_limits *limits, struct budget *pending,
			   struct metrics *metrics, struct http_loop **loop_out, struct err *err)
{
	struct http_loop *loop = mem_array(1, sizeof(*loop));

	*loop_out = NULL;
	if (loop == NULL)
		return err_no_memory(err, "the HTTP server");
	loop->limits = *limits;
	loop->admission.budget = pending;
	loop->metrics = metrics;
	pthread_mutex_init(&loop->lock, NULL);
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
	struct guest *guest = mem_array(1, sizeof(*guest));

	if (guest == NULL) {
		shutdown(fd, SHUT_RDWR);
		return;
	}
	*guest = (struct guest){.n_unread = -1};
	*slot = guest;
	clients_add(&loop->clients, &guest->client, fd, loop->now);
	if (watch(loop, fd, EPOLLRDHUP | EPOLLONESHOT, guest) != 0)
		shutdown(fd, SHUT_RDWR);
}

static void part(struct http_loop *loop, struct guest *guest)
{
	if (guest == NULL)
		return;
	if (guest->has_ended && guest->n_unread != 0)
		DL_DELETE(loop->ended, guest);
	clients_remove(&loop->clients, &guest->client);
	/* the socket is still open, and not for the kernel to forget */
	epoll_ctl(loop->epoll, EPOLL_CTL_DEL, guest->client.fd, NULL);
	mem_free(guest);
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
	struct guest *guest, *next;

	DL_FOREACH_SAFE(loop->ended, guest, next)
	{
		int n_unread = 0;

		if (ioctl(guest->client.fd, FIONREAD, &n_unread) != 0)
			n_unread = 0;
		if (n_unread == guest->n_unread)
			continue;
		guest->n_unread = n_unread;
		tell_again(guest->client.fd);
		if (n_unread == 0)
			/* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): it is on the list */
			DL_DELETE(loop->ended, guest);
	}
}

static void note_end(struct http_loop *loop, struct guest *guest)
{
	guest->has_ended = true;
	DL_APPEND(loop->ended, guest);
}

void http_loop_enter(struct http_loop *loop, struct MHD_Connection *connection,
		     enum client_phase phase)
{
	struct guest *guest =
	    MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;

	/* without memory for it there was none */
	if (guest != NULL)
		clients_enter(&loop->clients, &guest->client, phase, loop->now);
}

void http_loop_give(void *context, int fd, const struct sockaddr *address, socklen_t len)
{
	struct http_loop *loop = context;
	struct arrival *arrival = mem_array(1, sizeof(*arrival));

	if (arrival == NULL || len > sizeof(arrival->address)) {
		mem_free(arrival);
		close(fd);
		return;
	}
	arrival->fd = fd;
	arrival->len = len;
	memcpy(&arrival->address, address, len);
	atomic_fetch_add(&loop->n_arrived, 1);
	pthread_mutex_lock(&loop->lock);
	LL_PREPEND(loop->arrivals, arrival);
	pthread_mutex_unlock(&loop->lock);
	http_loop_wake(loop);
}

static struct arrival *take_arrivals(struct http_loop *loop)
{
	struct arrival *arrivals;

	pthread_mutex_lock(&loop->lock);
	arrivals = loop->arrivals;
	loop->arrivals = NULL;
	pthread_mutex_unlock(&loop->lock);
	return arrivals;
}

/* How many were given to the daemon, which looks at them when it runs. */
static size_t add_arrivals(struct http_loop *loop)
{
	struct arrival *arrival, *next;
	size_t n = 0;

	if (atomic_load(&loop->n_arrived) == 0)
		return 0;
	LL_FOREACH_SAFE(take_arrivals(loop), arrival, next)
	{
		/* which closes the socket when it fails */
		MHD_add_connection(loop->daemon, arrival->fd, (struct sockaddr *)&arrival->address,
				   arrival->len);
		mem_free(arrival);
		n++;
	}
	return n;
}

/* In this order no connection is ever missing from http_loop_count(). */
static void count_open(struct http_loop *loop, size_t n_added)
{
	size_t n =
	    MHD_get_daemon_info(loop->daemon, MHD_DAEMON_INFO_CURRENT_CONNECTIONS)->num_connections;

	size_t before = atomic_exchange(&loop->n_open, n);

	atomic_fetch_sub(&loop->n_arrived, n_added);
	if (n != before)
		atomic_fetch_add(&loop->metrics->connections, (long long)n - (long long)before);
}

void http_loop_count(void *context, struct lane_counts *counts_out)
{
	struct http_loop *loop = context;
	size_t n_to_shed = atomic_load(&loop->n_to_shed);
	size_t n_idle = clients_count_idle(&loop->clients, atomic_load(&loop->read_until));
	size_t n_going = n_to_shed < n_idle ? n_to_shed : n_idle;

	*counts_out = (struct lane_counts){
	    .n = atomic_load(&loop->n_arrived) + atomic_load(&loop->n_open),
	    .n_idle = n_idle - n_going,
	    .n_leaving = n_going + clients_count_ended(&loop->clients),
	};
}

void http_loop_shed(void *context)
{
	struct http_loop *loop = context;

	atomic_fetch_add(&loop->n_to_shed, 1);
	http_loop_wake(loop);
}

static void shed(struct http_loop *loop)
{
	size_t n = atomic_load(&loop->n_to_shed);

	if (n == 0)
		return;
	atomic_fetch_sub(&loop->n_to_shed, n);
	metrics_connections(loop->metrics, CONNECTION_DISPLACED,
			    clients_end_idlest(&loop->clients, n, loop->now));
}

bool http_loop_admit(struct http_loop *loop, struct MHD_Connection *connection,
		     struct applicant *applicant, uint64_t n_bytes)
{
	applicant->owner = connection;
	if (admission_ask(&loop->admission, applicant, n_bytes, loop->now))
		return true;
	http_loop_enter(loop, connection, CLIENT_WAITING);
	MHD_suspend_connection(connection);
	return false;
}

void http_loop_forget(struct http_loop *loop, struct applicant *applicant)
{
	admission_leave(&loop->admission, applicant);
}

static void admit_waiting(struct http_loop *loop, double now)
{
	struct applicant *applicant;
	bool are_resumed = false;

	admission_end_round(&loop->admission);
	while ((applicant = admission_next(&loop->admission, now)) != NULL) {
		http_loop_enter(loop, applicant->owner, CLIENT_SENDING);
		MHD_resume_connection(applicant->owner);
		are_resumed = true;
	}
	/* without a listening socket, libmicrohttpd's own signal wakes nobody */
	if (are_resumed)
		http_loop_wake(loop);
}

static void end_slow(struct http_loop *loop)
{
	if (loop->now < loop->checked + CHECK_SECONDS)
		return;
	loop->checked = loop->now;
	metrics_connections(loop->metrics, CONNECTION_SLOW,
			    clients_end_slow(&loop->clients, &loop->limits, loop->now));
}

void http_loop_defer(struct http_loop *loop, struct http_task *task)
{
	DL_APPEND(loop->tasks, task);
}

/* In a while also those that were put off during this. */
static void run_tasks(struct http_loop *loop)
{
	double end = loop->tasks == NULL ? 0 : clock_monotonic() + TASK_SECONDS;

	while (loop->tasks != NULL) {
		struct http_task *task = loop->tasks;

		DL_DELETE(loop->tasks, task);
		task->run(task->context);
		if (clock_monotonic() >= end)
			return;
	}
}

/* is_woken first: whoever resumes a connection after it wakes the loop once more. */
static void take_wakeup(struct http_loop *loop)
{
	uint64_t count;

	while (read(loop->wakeup, &count, sizeof(count)) < 0 && errno == EINTR)
		;
	atomic_store(&loop->is_woken, false);
}

/* Of two times in milliseconds, -1 for never. */
static int sooner(int a, int b)
{
	if (a < 0 || b < 0)
		return a < 0 ? b : a;
	return a < b ? a : b;
}

/* Milliseconds until something is to be done whatever happens; -1: never. */
static int timeout_of(const struct http_loop *loop)
{
	int most = atomic_load(&loop->n_open) == 0 ? -1 : (int)(CHECK_SECONDS * 1e3);
	MHD_UNSIGNED_LONG_LONG ms;

	if (loop->tasks != NULL)
		return 0;
	if (loop->admission.waiting != NULL)
		most = ADMIT_MS;
	if (loop->mux != NULL)
		most = sooner(most, http_mux_timeout(loop->mux));
	if (MHD_get_timeout(loop->daemon, &ms) != MHD_YES)
		return most;
	return ms > (MHD_UNSIGNED_LONG_LONG)most ? most : (int)ms;
}

static void wait_for_events(struct http_loop *loop)
{
	struct epoll_event events[MAX_EVENTS];
	int n = epoll_wait(loop->epoll, events, MAX_EVENTS, timeout_of(loop));

	for (int i = 0; i < n; i++) {
		void *source = events[i].data.ptr;

		if (source == loop)
			take_wakeup(loop);
		else if (source != NULL && source == loop->mux)
			loop->is_mux_readable = true;
		else if (source != NULL)
			note_end(loop, source);
	}
}

struct http_mux *http_loop_mux(struct http_loop *loop)
{
	if (loop->mux != NULL)
		return loop->mux;
	if (http_mux_open(&loop->mux, NULL) != STATUS_OK)
		return NULL;
	if (watch(loop, http_mux_fd(loop->mux), EPOLLIN, loop->mux) != 0) {
		http_mux_close(loop->mux);
		loop->mux = NULL;
	}
	return loop->mux;
}

/* Before the daemon runs, which then answers those who have waited for it. */
static void run_mux(struct http_loop *loop)
{
	if (loop->mux == NULL)
		return;
	http_mux_run(loop->mux, loop->is_mux_readable);
	loop->is_mux_readable = false;
}

static void *drive(void *context)
{
	struct http_loop *loop = context;

	while (!atomic_load(&loop->stopping)) {
		size_t n_added;

		atomic_store(&loop->read_until, HUGE_VAL);
		wait_for_events(loop);
		atomic_store(&loop->read_until, loop->now);
		loop->now = clock_monotonic();
		n_added = add_arrivals(loop);
		run_mux(loop);
		MHD_run(loop->daemon);
		run_tasks(loop);
		count_open(loop, n_added);
		look_at_ended(loop);
		admit_waiting(loop, loop->now);
		shed(loop);
		end_slow(loop);
	}
	/* no connection may sleep when the daemon is stopped */
	admit_waiting(loop, HUGE_VAL);
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

void http_loop_bind(struct http_loop *loop, size_t i, size_t n)
{
	process_bind(loop->thread, i, n);
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
	struct arrival *arrival, *next;

	if (loop == NULL)
		return;
	if (loop->daemon != NULL) {
		atomic_store(&loop->stopping, true);
		http_loop_wake(loop);
		pthread_join(loop->thread, NULL);
		MHD_stop_daemon(loop->daemon);
	}
	LL_FOREACH_SAFE(loop->arrivals, arrival, next)
	{
		close(arrival->fd);
		mem_free(arrival);
	}
	http_mux_close(loop->mux);
	pthread_mutex_destroy(&loop->lock);
	if (loop->epoll >= 0)
		close(loop->epoll);
	if (loop->wakeup >= 0)
		close(loop->wakeup);
	mem_free(loop);
}
