/* SPDX-License-Identifier: Apache-2.0 */
#include "server/acceptor.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "core/base/mem.h"
#include "server/anteroom.h"
#include "server/clock.h"
#include "server/log.h"
#include "server/process.h"

#define MAX_EVENTS     256
#define ACCEPT_AT_ONCE 1024 /* before those are looked at who are in already */
#define TICK_MS	       100  /* while something has to be looked at again */
#define HOPE_TICK_MS   2    /* while somebody waits for somebody to leave, */
#define HOPE_SECONDS   0.5  /* which is so long at most */
#define GATHER_MS      1    /* who asks in vain is answered together with others */
#define NICENESS       11   /* to say no must not keep others from answering */
#define N_SPARES       16
#define PAUSE_SECONDS  0.1 /* until another file may be opened */
#define MARGIN_SHARE   8   /* a limit is near when this part of it is left, */
#define MARGIN_MAX     64  /* or so many connections */
#define REPORT_SECONDS 1   /* at most one line in the log */

/* Events' data; all below are slots of the anteroom. */
#define SOURCE_LISTEN UINT64_MAX
#define SOURCE_WAKEUP (UINT64_MAX - 1)

struct acceptor {
	int listen_fd, epoll, wakeup;
	int spares[N_SPARES]; /* given up for clients to be told, when no file can be opened */
	size_t n_spares;
	size_t max_connections, margin;
	size_t n_lanes;
	struct acceptor_lane *lanes; /* [n_lanes] */
	double paused_until; /* not even the spare helps: listen_fd is not watched; 0: it is */
	struct anteroom anteroom;
	double ticked;	 /* when what takes long was last looked for */
	double reported; /* when refusals were last logged */
	pthread_t thread;
};

/* Under overload the log must not be one more load. */
static void report(struct acceptor *acceptor, double now)
{
	struct log_line line;
	size_t n = acceptor->anteroom.n_refused;

	if (n == 0 || now < acceptor->reported + REPORT_SECONDS)
		return;
	log_begin(&line, LOG_WARN, "connections_refused");
	log_int(&line, "connections", (int64_t)n);
	log_int(&line, "max_connections", (int64_t)acceptor->max_connections);
	log_end(&line);
	acceptor->anteroom.n_refused = 0;
	acceptor->reported = now;
}

static int watch(const struct acceptor *acceptor, int fd, uint64_t source)
{
	struct epoll_event event = {.events = EPOLLIN, .data = {.u64 = source}};

	return epoll_ctl(acceptor->epoll, EPOLL_CTL_ADD, fd, &event);
}

/* What to do with one more connection. */
struct decision {
	const struct acceptor_lane *lane; /* that has fewest; NULL: there is no room */
	bool is_hopeful;		  /* somebody is about to leave */
};

static struct decision look_for_room(struct acceptor *acceptor)
{
	const struct acceptor_lane *emptiest = NULL, *idlest = NULL;
	size_t total = 0, n_leaving = 0, fewest = SIZE_MAX, most_idle = 0;

	for (size_t i = 0; i < acceptor->n_lanes; i++) {
		const struct acceptor_lane *lane = &acceptor->lanes[i];
		struct lane_counts counts;

		lane->count(lane->context, &counts);
		total += counts.n;
		n_leaving += counts.n_leaving;
		if (counts.n < fewest) {
			fewest = counts.n;
			emptiest = lane;
		}
		if (counts.n_idle > most_idle) {
			most_idle = counts.n_idle;
			idlest = lane;
		}
	}
	if (total + acceptor->margin >= acceptor->max_connections + n_leaving && idlest != NULL) {
		idlest->shed(idlest->context);
		n_leaving++;
	}
	return (struct decision){
	    .lane = total < acceptor->max_connections ? emptiest : NULL,
	    .is_hopeful = n_leaving > 0,
	};
}

static void give(const struct acceptor_lane *lane, const struct waiting *client)
{
	lane->give(lane->context, client->fd, (const struct sockaddr *)&client->address,
		   client->len);
}

/* Who asks is let in or sent away; while somebody is about to leave, in a moment. */
static void decide(struct acceptor *acceptor, size_t slot, double now)
{
	struct anteroom *room = &acceptor->anteroom;
	struct decision decision = {0};

	if (room->slots[slot].why == CONNECTION_REFUSED_LIMIT)
		decision = look_for_room(acceptor);
	if (decision.lane != NULL) {
		const struct waiting client = anteroom_let_in(room, slot);

		give(decision.lane, &client);
		return;
	}
	/* what is encrypted has no head that we could see */
	if (!room->slots[slot].ask.has_head && !room->encrypted)
		return;
	if (decision.is_hopeful && !room->slots[slot].ask.is_probe)
		anteroom_put_off(room, slot, now + HOPE_SECONDS);
	else
		anteroom_send_away(room, slot, now);
}

static void welcome(struct acceptor *acceptor, struct waiting *client, double now)
{
	struct decision decision = look_for_room(acceptor);
	size_t slot;

	if (decision.lane != NULL) {
		give(decision.lane, client);
		return;
	}
	slot = anteroom_add(&acceptor->anteroom, client, now);
	/* under load the request has mostly come while its client waited to be accepted */
	if (anteroom_look(&acceptor->anteroom, slot, now))
		decide(acceptor, slot, now);
}

/* As many as there is room for; the others go on waiting, or nobody leaves any more. */
static void decide_again(struct acceptor *acceptor, double now)
{
	struct anteroom *room = &acceptor->anteroom;
	struct decision decision = look_for_room(acceptor);

	if (decision.lane == NULL && decision.is_hopeful)
		return;
	for (size_t slot = 0; slot < room->n_slots && room->n_asking > 0; slot++) {
		if (!room->slots[slot].asks)
			continue;
		decide(acceptor, slot, now);
		if (room->slots[slot].asks)
			return;
	}
}

static void open_spares(struct acceptor *acceptor)
{
	while (acceptor->n_spares < N_SPARES) {
		int fd = eventfd(0, EFD_CLOEXEC);

		if (fd < 0)
			return;
		acceptor->spares[acceptor->n_spares++] = fd;
	}
}

static void pause_accepting(struct acceptor *acceptor, double now)
{
	epoll_ctl(acceptor->epoll, EPOLL_CTL_DEL, acceptor->listen_fd, NULL);
	acceptor->paused_until = now + PAUSE_SECONDS;
}

/*
 * No file can be opened, and the client who waits would wake us for ever: tell it, in the place
 * of a spare file. Where there is none, or another thread took its place, wait for better times.
 */
static void run_out_of_files(struct acceptor *acceptor, double now)
{
	struct waiting client = {.why = CONNECTION_REFUSED_FILES};

	look_for_room(acceptor);
	do {
		if (acceptor->n_spares > 0)
			close(acceptor->spares[--acceptor->n_spares]);
		client.fd = accept4(acceptor->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	} while (client.fd < 0 && errno != EAGAIN && acceptor->n_spares > 0);
	if (client.fd >= 0)
		anteroom_add(&acceptor->anteroom, &client, now);
	else if (errno != EAGAIN)
		pause_accepting(acceptor, now);
}

static bool is_exhaustion(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

static void accept_some(struct acceptor *acceptor, double now)
{
	for (int i = 0; i < ACCEPT_AT_ONCE && acceptor->paused_until == 0; i++) {
		struct waiting client = {.len = sizeof(client.address)};

		client.fd = accept4(acceptor->listen_fd, (struct sockaddr *)&client.address,
				    &client.len, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (client.fd >= 0)
			welcome(acceptor, &client, now);
		else if (errno == EAGAIN)
			return;
		else if (is_exhaustion(errno))
			run_out_of_files(acceptor, now);
		/* anything else is the end of the client who was to be accepted */
	}
}

static void resume_accepting(struct acceptor *acceptor, double now)
{
	if (now < acceptor->paused_until)
		return;
	if (watch(acceptor, acceptor->listen_fd, SOURCE_LISTEN) == 0)
		acceptor->paused_until = 0;
}

/* What does not come with an event. */
static void tick(struct acceptor *acceptor, double now)
{
	open_spares(acceptor);
	if (acceptor->anteroom.n_asking > 0)
		decide_again(acceptor, now);
	if (now < acceptor->ticked + TICK_MS * 1e-3)
		return;
	acceptor->ticked = now;
	anteroom_expire(&acceptor->anteroom, now);
	if (acceptor->paused_until > 0)
		resume_accepting(acceptor, now);
	report(acceptor, now);
}

/* Milliseconds until something has to be looked at again without an event; -1: there is nothing. */
static int timeout_of(const struct acceptor *acceptor)
{
	const struct anteroom *room = &acceptor->anteroom;

	if (room->n_asking > 0)
		return HOPE_TICK_MS;
	return room->n_free < room->n_slots || room->n_refused > 0 || acceptor->paused_until > 0 ||
		       acceptor->n_spares < N_SPARES
		   ? TICK_MS
		   : -1;
}

static void gather(void)
{
	nanosleep(&(struct timespec){.tv_nsec = GATHER_MS * 1000000}, NULL);
}

/* false: to be stopped */
static bool look_at(struct acceptor *acceptor, uint64_t source, double now)
{
	if (source == SOURCE_WAKEUP)
		return false;
	if (source == SOURCE_LISTEN)
		accept_some(acceptor, now);
	else if (anteroom_look(&acceptor->anteroom, (size_t)source, now))
		decide(acceptor, (size_t)source, now);
	return true;
}

static void *run(void *context)
{
	struct acceptor *acceptor = context;
	struct epoll_event events[MAX_EVENTS];

	process_give_way(NICENESS);
	for (;;) {
		int n = epoll_wait(acceptor->epoll, events, MAX_EVENTS, timeout_of(acceptor));
		double now = clock_monotonic();
		size_t n_refused = acceptor->anteroom.n_refused;

		for (int i = 0; i < n; i++) {
			if (!look_at(acceptor, events[i].data.u64, now))
				return NULL;
		}
		if (acceptor->anteroom.n_refused > n_refused)
			gather();
		tick(acceptor, now);
	}
}

static void close_fd(int fd)
{
	if (fd >= 0)
		close(fd);
}

static void acceptor_free(struct acceptor *acceptor)
{
	anteroom_close(&acceptor->anteroom);
	close_fd(acceptor->listen_fd);
	while (acceptor->n_spares > 0)
		close(acceptor->spares[--acceptor->n_spares]);
	close_fd(acceptor->wakeup);
	close_fd(acceptor->epoll);
	mem_free(acceptor->lanes);
	mem_free(acceptor);
}

/* What can fail, after the struct is whole. */
static enum status start(struct acceptor *acceptor, struct err *err)
{
	if (acceptor->lanes == NULL || acceptor->anteroom.n_slots == 0)
		return err_no_memory(err, "the HTTP server");
	if (acceptor->epoll < 0 || acceptor->wakeup < 0 ||
	    watch(acceptor, acceptor->listen_fd, SOURCE_LISTEN) != 0 ||
	    watch(acceptor, acceptor->wakeup, SOURCE_WAKEUP) != 0)
		return err_errno(err, STATUS_IO, "start the HTTP server");
	open_spares(acceptor);
	errno = pthread_create(&acceptor->thread, NULL, run, acceptor);
	if (errno != 0)
		return err_errno(err, STATUS_NO_MEMORY, "start the HTTP server");
	return STATUS_OK;
}

enum status acceptor_start(const struct acceptor_options *options,
			   const struct acceptor_lane *lanes, struct acceptor **acceptor_out,
			   struct err *err)
{
	struct acceptor *acceptor = mem_array(1, sizeof(*acceptor));
	size_t margin = options->max_connections / MARGIN_SHARE;
	enum status status;

	*acceptor_out = NULL;
	if (acceptor == NULL) {
		close(options->listen_fd);
		return err_no_memory(err, "the HTTP server");
	}
	*acceptor = (struct acceptor){
	    .listen_fd = options->listen_fd,
	    .epoll = epoll_create1(EPOLL_CLOEXEC),
	    .wakeup = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
	    .max_connections = options->max_connections,
	    .margin = margin < MARGIN_MAX ? margin : MARGIN_MAX,
	    .n_lanes = options->n_lanes,
	    .lanes = mem_array(options->n_lanes, sizeof(*lanes)),
	};
	if (anteroom_open(&acceptor->anteroom, options->n_places, err) == STATUS_OK) {
		acceptor->anteroom.epoll = acceptor->epoll;
		acceptor->anteroom.encrypted = options->encrypted;
		acceptor->anteroom.random_bytes = options->random_bytes;
		acceptor->anteroom.metrics = options->metrics;
	}
	if (acceptor->lanes != NULL)
		memcpy(acceptor->lanes, lanes, options->n_lanes * sizeof(*lanes));
	status = start(acceptor, err);
	if (status == STATUS_OK)
		*acceptor_out = acceptor;
	else
		acceptor_free(acceptor);
	return status;
}

void acceptor_stop(struct acceptor *acceptor)
{
	const uint64_t one = 1;

	if (acceptor == NULL)
		return;
	while (write(acceptor->wakeup, &one, sizeof(one)) < 0 && errno == EINTR)
		;
	pthread_join(acceptor->thread, NULL);
	acceptor_free(acceptor);
}
