/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http_loop.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <utlist.h>

#include "core/base/mem.h"
#include "server/arrivals.h"
#include "server/clock.h"
#include "server/http_guest.h"
#include "server/http_table.h"
#include "server/processor.h"

#define MAX_EVENTS    128   /* looked at in one turn; the others come in the next */
#define CHECK_SECONDS 1.0   /* between two looks for slow clients */
#define ADMIT_MS      5	    /* between two looks whether more may be pending, while bodies wait */
#define STAY_SECONDS  0.002 /* at one table while others wait, if it is worth it: */
#define STAY_ANSWERS  8	    /* so many each time */

struct http_loop {
	size_t n_tables, max_tables;
	struct http_table *tables; /* [max_tables]; the first n_tables have a daemon */
	struct http_table *at;	   /* the one that is served, or where somebody sits down */
	size_t n_answers;	   /* since that was last set to 0 */
	bool is_running;
	pthread_t thread;
	size_t number, n_loops; /* this one's, of so many */
	int epoll;		/* the tables' epoll instances, wakeup, and the ends of clients */
	int wakeup;
	atomic_bool is_woken; /* wakeup is readable, or about to be */
	atomic_bool stopping;
	struct http_mux *mux; /* NULL: it was not asked for */
	bool is_mux_readable;
	struct http_tasks tasks;
	struct http_guests guests;
	struct client_limits limits;
	struct admission admission;
	double now;		   /* the newest time that was asked for */
	double began, checked;	   /* this turn; the last look for slow clients */
	_Atomic double read_until; /* what had come by then was read; all has while it sleeps */
	atomic_size_t n_to_shed;
	atomic_size_t n_open;	 /* connections of all tables, each after its last run */
	atomic_size_t n_arrived; /* and those that it may not know yet */
	struct arrivals arrivals;
	struct metrics *metrics;
};

/* source: the loop for wakeup, its mux, a table, else a guest */
static int watch(struct http_loop *loop, int fd, uint32_t events, void *source)
{
	struct epoll_event event = {.events = events, .data = {.ptr = source}};

	return epoll_ctl(loop->epoll, EPOLL_CTL_ADD, fd, &event);
}

enum status http_loop_open(size_t max_tables, const struct client_limits *limits,
			   struct budget *pending, struct metrics *metrics,
			   struct http_loop **loop_out, struct err *err)
{
	struct http_loop *loop = mem_array(1, sizeof(*loop));

	*loop_out = NULL;
	if (loop == NULL)
		return err_no_memory(err, "the HTTP server");
	loop->tables = mem_array(max_tables, sizeof(*loop->tables));
	if (loop->tables == NULL) {
		mem_free(loop);
		return err_no_memory(err, "the HTTP server");
	}
	loop->max_tables = max_tables;
	loop->limits = *limits;
	loop->admission.budget = pending;
	loop->metrics = metrics;
	arrivals_open(&loop->arrivals);
	loop->epoll = loop->guests.epoll = epoll_create1(EPOLL_CLOEXEC);
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

/* NULL: there was no memory for it. */
static struct http_guest *guest_of(struct MHD_Connection *connection)
{
	return MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)
	    ->socket_context;
}

void http_loop_note(void *context, struct MHD_Connection *connection, void **slot,
		    enum MHD_ConnectionNotificationCode what)
{
	struct http_loop *loop = context;

	if (what == MHD_CONNECTION_NOTIFY_STARTED) {
		*slot =
		    http_guest_welcome(&loop->guests, socket_of(connection), loop->at, loop->now);
		return;
	}
	http_guest_part(&loop->guests, *slot);
	*slot = NULL;
}

void http_loop_enter(struct http_loop *loop, struct MHD_Connection *connection,
		     enum client_phase phase)
{
	struct http_guest *guest = guest_of(connection);

	loop->n_answers += phase == CLIENT_READING;
	if (guest != NULL)
		clients_enter(&loop->guests.clients, &guest->client, phase, loop->now);
}

void http_loop_give(void *context, int fd, const struct sockaddr *address, socklen_t len)
{
	struct http_loop *loop = context;

	atomic_fetch_add(&loop->n_arrived, 1);
	if (arrivals_add(&loop->arrivals, fd, address, len))
		http_loop_wake(loop);
	else
		atomic_fetch_sub(&loop->n_arrived, 1);
}

static void add_arrivals(struct http_loop *loop)
{
	struct arrival *arrival, *next;

	if (atomic_load(&loop->n_arrived) == 0)
		return;
	LL_FOREACH_SAFE(arrivals_take(&loop->arrivals), arrival, next)
	{
		struct http_table *table = http_table_choose(loop->tables, loop->n_tables);

		loop->at = table;
		/* which closes the socket when it fails */
		MHD_add_connection(table->daemon, arrival->fd, (struct sockaddr *)&arrival->address,
				   arrival->len);
		mem_free(arrival);
		table->n_given++;
		table->has_news = true;
	}
}

/* In this order no connection is ever missing from http_loop_count(). */
static void run(struct http_loop *loop, struct http_table *table)
{
	size_t n_before = table->n_open, n_given = table->n_given;
	long long n_more;

	loop->at = table;
	http_table_run(table, loop->now);
	n_more = (long long)table->n_open - (long long)n_before;
	atomic_fetch_add(&loop->n_open, (size_t)n_more);
	atomic_fetch_sub(&loop->n_arrived, n_given);
	if (n_more != 0)
		atomic_fetch_add(&loop->metrics->connections, n_more);
}

void http_loop_defer(struct http_loop *loop, struct http_task *task)
{
	http_tasks_add(&loop->tasks, task);
}

static void run_tasks(struct http_loop *loop)
{
	http_tasks_run(&loop->tasks, loop->began, &loop->now);
}

static void call_all(struct http_loop *loop)
{
	for (size_t i = 0; i < loop->n_tables; i++)
		http_table_call(&loop->tables[i]);
}

/* As soon as it is resumed, the connection may be at its end. */
void http_loop_resume(struct http_loop *loop, struct MHD_Connection *connection)
{
	const struct http_guest *guest = guest_of(connection);
	struct http_table *table = guest == NULL ? NULL : guest->table;

	MHD_resume_connection(connection);
	if (table != NULL)
		http_table_call(table);
	else
		call_all(loop);
}

static void resume_admitted(struct http_loop *loop, double now)
{
	struct applicant *applicant;

	while ((applicant = admission_next(&loop->admission, now)) != NULL) {
		http_loop_enter(loop, applicant->owner, CLIENT_SENDING);
		http_loop_resume(loop, applicant->owner);
	}
}

/* Before tables are served, which then answers those who have waited for it. */
static void run_mux(struct http_loop *loop)
{
	if (loop->mux == NULL)
		return;
	http_mux_run(loop->mux, loop->is_mux_readable);
	loop->is_mux_readable = false;
}

/* What belongs to its clients is in the caches now: so the rest of a body is read at once, and
 * whoever has another request ready after an answer is answered again, for a moment. */
static void serve(struct http_loop *loop, struct http_table *table, bool others_wait)
{
	double until = loop->now + STAY_SECONDS;

	do {
		loop->n_answers = 0;
		run(loop, table);
		loop->now = clock_monotonic();
	} while (others_wait && (table->has_news || loop->n_answers >= STAY_ANSWERS) &&
		 loop->now < until);
}

static void serve_all(struct http_loop *loop)
{
	struct http_table *end = loop->tables + loop->n_tables;
	size_t n_waiting = 0;

	for (struct http_table *table = loop->tables; table < end; table++) {
		table->has_news |= table->due <= loop->now;
		n_waiting += http_table_has_news(table);
	}
	for (struct http_table *table = loop->tables; table < end; table++) {
		if (!http_table_has_news(table))
			continue;
		serve(loop, table, n_waiting > 1);
		run_tasks(loop);
		if (n_waiting == 1)
			continue;
		/* these do not wait for all the other tables */
		loop->is_mux_readable = loop->mux != NULL;
		run_mux(loop);
		resume_admitted(loop, loop->now);
	}
	if (n_waiting == 0)
		run_tasks(loop);
}

void http_loop_count(void *context, struct lane_counts *counts_out)
{
	struct http_loop *loop = context;
	size_t n_to_shed = atomic_load(&loop->n_to_shed);
	size_t n_idle = clients_count_idle(&loop->guests.clients, atomic_load(&loop->read_until));
	size_t n_going = n_to_shed < n_idle ? n_to_shed : n_idle;

	*counts_out = (struct lane_counts){
	    .n = atomic_load(&loop->n_arrived) + atomic_load(&loop->n_open),
	    .n_idle = n_idle - n_going,
	    .n_leaving = n_going + clients_count_ended(&loop->guests.clients),
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
			    clients_end_idlest(&loop->guests.clients, n, loop->now));
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

static void end_slow(struct http_loop *loop)
{
	if (loop->now < loop->checked + CHECK_SECONDS)
		return;
	loop->checked = loop->now;
	metrics_connections(loop->metrics, CONNECTION_SLOW,
			    clients_end_slow(&loop->guests.clients, &loop->limits, loop->now));
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
static int timeout_of(struct http_loop *loop)
{
	double due = HUGE_VAL;
	int ms = atomic_load(&loop->n_open) == 0 ? -1 : (int)(CHECK_SECONDS * 1e3);

	if (loop->tasks.first != NULL)
		return 0;
	if (loop->admission.waiting != NULL)
		ms = ADMIT_MS;
	if (loop->mux != NULL)
		ms = sooner(ms, http_mux_timeout(loop->mux));
	for (size_t i = 0; i < loop->n_tables; i++) {
		if (http_table_has_news(&loop->tables[i]))
			return 0;
		due = fmin(due, loop->tables[i].due);
	}
	return due == HUGE_VAL ? ms : sooner(ms, (int)ceil(fmax(due - loop->now, 0) * 1e3));
}

static bool is_table(const struct http_loop *loop, const void *source)
{
	return (uintptr_t)source - (uintptr_t)loop->tables < loop->n_tables * sizeof(*loop->tables);
}

static void take(struct http_loop *loop, void *source)
{
	if (source == loop)
		take_wakeup(loop);
	else if (source == loop->mux)
		loop->is_mux_readable = true;
	else if (is_table(loop, source))
		((struct http_table *)source)->has_news = true;
	else
		http_guest_end(&loop->guests, source);
}

static void wait_for_events(struct http_loop *loop)
{
	struct epoll_event events[MAX_EVENTS];
	int n = epoll_wait(loop->epoll, events, MAX_EVENTS, timeout_of(loop));

	for (int i = 0; i < n; i++)
		take(loop, events[i].data.ptr);
	/* who is not among these may have news, too */
	for (size_t i = 0; n == MAX_EVENTS && i < loop->n_tables; i++)
		loop->tables[i].has_news = true;
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

static void *drive(void *context)
{
	struct http_loop *loop = context;
	struct processor processor;

	processor_take(&processor, loop->number, loop->n_loops, clock_monotonic());
	while (!atomic_load(&loop->stopping)) {
		atomic_store(&loop->read_until, HUGE_VAL);
		wait_for_events(loop);
		atomic_store(&loop->read_until, loop->began);
		loop->began = loop->now = clock_monotonic();
		add_arrivals(loop);
		run_mux(loop);
		serve_all(loop);
		http_guest_tell_ends(&loop->guests);
		admission_end_round(&loop->admission);
		resume_admitted(loop, loop->now);
		shed(loop);
		end_slow(loop);
		processor_check(&processor, loop->now);
	}
	processor_leave(&processor);
	/* no connection may sleep when its daemon is stopped */
	resume_admitted(loop, HUGE_VAL);
	return NULL;
}

enum status http_loop_add(struct http_loop *loop, struct MHD_Daemon *daemon, struct err *err)
{
	int fd = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;

	assert(loop->n_tables < loop->max_tables && !loop->is_running);
	if (watch(loop, fd, EPOLLIN, &loop->tables[loop->n_tables]) != 0) {
		int error = errno;

		MHD_stop_daemon(daemon);
		errno = error;
		return err_errno(err, STATUS_IO, "start the HTTP server");
	}
	loop->tables[loop->n_tables++] = (struct http_table){.daemon = daemon, .due = HUGE_VAL};
	return STATUS_OK;
}

enum status http_loop_start(struct http_loop *loop, size_t i, size_t n, struct err *err)
{
	loop->number = i;
	loop->n_loops = n;
	errno = pthread_create(&loop->thread, NULL, drive, loop);
	if (errno != 0)
		return err_errno(err, STATUS_IO, "start the HTTP server");
	loop->is_running = true;
	return STATUS_OK;
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
	if (loop->is_running) {
		atomic_store(&loop->stopping, true);
		http_loop_wake(loop);
		pthread_join(loop->thread, NULL);
	}
	for (size_t i = 0; i < loop->n_tables; i++)
		MHD_stop_daemon(loop->tables[i].daemon);
	arrivals_close(&loop->arrivals);
	http_mux_close(loop->mux);
	if (loop->epoll >= 0)
		close(loop->epoll);
	if (loop->wakeup >= 0)
		close(loop->wakeup);
	mem_free(loop->tables);
	mem_free(loop);
}
