/* SPDX-License-Identifier: Apache-2.0 */
/*
 * load PORT RATE SECONDS FILE - requests that do not wait for the answers to others.
 *
 * Sends the bytes of FILE, a whole HTTP request, RATE times a second to 127.0.0.1, however
 * slowly they are answered: over a connection that is free, else over a new one. With RATE 0 it
 * sends the next one after each answer, over CLOSED_LOOP connections: what the server can do.
 * Prints one JSON object: what came of them, and how long the answers took since the moment
 * when each request was due.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define MAX_CLIENTS  8000
#define MAX_EVENTS   256
#define HEAD_SIZE    4096 /* of an answer */
#define PATIENCE     10.0 /* seconds until a request is given up */
#define SEND_AT_ONCE 64	  /* before the answers are looked at, however late it is */
#define CLOSED_LOOP  32	  /* requests at once */
#define CLOSED_RATE  1e6  /* that there will be fewer of */

enum outcome { OK, REFUSED, OTHER_STATUS, BROKEN, TIMED_OUT, UNSENT, N_OUTCOMES };

static const char *const outcome_names[N_OUTCOMES] = {"ok",	"refused",   "other_status",
						      "broken", "timed_out", "unsent"};

/* A connection; waiting for an answer, or free. */
struct client {
	int fd; /* -1: none */
	bool busy;
	double due; /* when its request should have been sent */
	size_t sent;
	char head[HEAD_SIZE]; /* of the answer, as far as it has come */
	size_t n_head;
	long long n_left;    /* bytes of the answer's body still to come; -1: head not read */
	int status;	     /* of the answer */
	bool last;	     /* the server closes after it */
	struct client *next; /* among the free ones */
	struct client *older, *newer; /* among the busy ones, by due */
};

static struct {
	struct sockaddr_in address;
	int request; /* the file: its pages are sent as they are, which costs less than a copy */
	size_t n_request;
	int epoll;
	bool spins;		/* whoever answers somebody who sleeps pays for waking him */
	struct client *clients; /* [MAX_CLIENTS] */
	struct client *free;	/* connected */
	struct client *unused;	/* not connected */
	struct client *oldest, *newest;
	size_t n_busy;
	double behind; /* the schedule, at most */
	size_t counts[N_OUTCOMES];
	size_t ok_in_time; /* answered before the last request was due */
	double end;	   /* of that time */
	float *latency[2]; /* of OK, REFUSED: [the number due] */
} run;

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void unlink_busy(struct client *c)
{
	*(c->older == NULL ? &run.oldest : &c->older->newer) = c->newer;
	*(c->newer == NULL ? &run.newest : &c->newer->older) = c->older;
	c->busy = false;
	run.n_busy--;
}

static void hang_up(struct client *c)
{
	close(c->fd);
	c->fd = -1;
	c->next = run.unused;
	run.unused = c;
}

/* The request of a busy client came to this. */
static void finish(struct client *c, enum outcome outcome, bool keep)
{
	if (outcome <= REFUSED)
		run.latency[outcome][run.counts[outcome]] = (float)(now() - c->due);
	run.counts[outcome]++;
	if (outcome == OK && now() <= run.end)
		run.ok_in_time++;
	unlink_busy(c);
	if (!keep) {
		hang_up(c);
		return;
	}
	c->next = run.free;
	run.free = c;
}

static bool open_socket(struct client *c)
{
	const int one = 1;
	struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data = {.ptr = c}};

	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd < 0)
		return false;
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (epoll_ctl(run.epoll, EPOLL_CTL_ADD, c->fd, &event) == 0 &&
	    (connect(c->fd, (struct sockaddr *)&run.address, sizeof(run.address)) == 0 ||
	     errno == EINPROGRESS))
		return true;
	close(c->fd);
	c->fd = -1;
	return false;
}

static void send_more(struct client *c)
{
	off_t sent = (off_t)c->sent;

	/* an answer may be there although the server reads no more: that one counts */
	while (c->sent < run.n_request &&
	       sendfile(c->fd, run.request, &sent, run.n_request - c->sent) > 0)
		c->sent = (size_t)sent;
}

static struct client *take_client(void)
{
	struct client *c = run.free;

	if (c != NULL) {
		run.free = c->next;
		return c;
	}
	c = run.unused;
	if (c == NULL || !open_socket(c))
		return NULL;
	run.unused = c->next;
	return c;
}

static void send_one(double due)
{
	struct client *c = take_client();

	if (c == NULL) {
		run.counts[UNSENT]++;
		return;
	}
	c->busy = true;
	c->due = due;
	c->sent = c->n_head = 0;
	c->n_left = -1;
	c->older = run.newest;
	c->newer = NULL;
	*(run.newest == NULL ? &run.oldest : &run.newest->newer) = c;
	run.newest = c;
	run.n_busy++;
	send_more(c);
}

/* A header's value in the head, which ends with a zero. */
static const char *header(const struct client *c, const char *name)
{
	const char *found = strcasestr(c->head, name);

	return found == NULL ? NULL : found + strlen(name);
}

/* false: not there as a whole yet */
static bool read_head(struct client *c)
{
	const char *end, *length, *connection;

	c->head[c->n_head] = '\0';
	end = strstr(c->head, "\r\n\r\n");
	if (end == NULL)
		return false;
	length = header(c, "\r\nContent-Length: ");
	connection = header(c, "\r\nConnection: ");
	c->status = atoi(c->head + strlen("HTTP/1.1 "));
	c->last = connection != NULL && strncasecmp(connection, "close", 5) == 0;
	c->n_left =
	    (length == NULL ? 0 : atoll(length)) - (long long)(c->head + c->n_head - (end + 4));
	return true;
}

static void answered(struct client *c)
{
	enum outcome outcome = OTHER_STATUS;

	if (c->status == 200)
		outcome = OK;
	else if (c->status == 503)
		outcome = REFUSED;
	/* an answer to half a request: the rest cannot be taken back */
	finish(c, outcome, !c->last && c->sent == run.n_request);
}

/* One read; false: nothing more is there. */
static bool receive(struct client *c)
{
	static char rest[65536];
	bool in_head = c->n_left < 0;
	ssize_t n = in_head ? recv(c->fd, c->head + c->n_head, HEAD_SIZE - 1 - c->n_head, 0)
			    : recv(c->fd, rest, sizeof(rest), 0);

	if (n < 0 && errno == EAGAIN)
		return false;
	if (n <= 0) {
		finish(c, BROKEN, false);
		return false;
	}
	if (!in_head) {
		c->n_left -= n;
	} else {
		c->n_head += (size_t)n;
		if (!read_head(c) && c->n_head == HEAD_SIZE - 1) {
			finish(c, BROKEN, false);
			return false;
		}
	}
	if (c->n_left != 0)
		return true;
	answered(c);
	return false;
}

/* A free connection has news: its end, or nothing that matters. */
static void check_free(struct client *c)
{
	char byte;
	struct client **slot = &run.free;

	if (recv(c->fd, &byte, 1, 0) < 0 && errno == EAGAIN)
		return;
	while (*slot != c)
		slot = &(*slot)->next;
	*slot = c->next;
	hang_up(c);
}

static void look_at(struct client *c)
{
	if (c->fd < 0)
		return;
	if (!c->busy) {
		check_free(c);
		return;
	}
	send_more(c);
	while (c->busy && receive(c))
		;
}

static void wait_until(double when)
{
	struct epoll_event events[MAX_EVENTS];
	double left = when - now();
	struct timespec timeout = {0};
	int n;

	if (left > 0 && !run.spins)
		timeout.tv_nsec = left >= 1 ? 999999999 : (long)(left * 1e9);
	n = epoll_pwait2(run.epoll, events, MAX_EVENTS, &timeout, NULL);
	for (int i = 0; i < n; i++)
		look_at(events[i].data.ptr);
	while (run.oldest != NULL && now() - run.oldest->due > PATIENCE)
		finish(run.oldest, TIMED_OUT, false);
}

static void send_by_schedule(double rate, double begin, double seconds)
{
	size_t n = (size_t)(rate * seconds), i = 0;

	while (i < n) {
		double behind = now() - (begin + (double)i / rate);

		if (behind > run.behind)
			run.behind = behind;
		for (size_t sent = 0; i < n && sent < SEND_AT_ONCE; sent++, i++) {
			if (begin + (double)i / rate > now())
				break;
			send_one(begin + (double)i / rate);
		}
		wait_until(begin + (double)i / rate);
	}
}

static void send_after_answers(void)
{
	while (now() < run.end) {
		while (run.n_busy < CLOSED_LOOP && now() < run.end)
			send_one(now());
		wait_until(run.end);
	}
}

static void drive(double rate, double seconds)
{
	double begin = now();

	run.end = begin + seconds;
	if (rate > 0)
		send_by_schedule(rate, begin, seconds);
	else
		send_after_answers();
	while (run.n_busy > 0)
		wait_until(now() + 0.1);
}

static int compare(const void *a, const void *b)
{
	float x = *(const float *)a, y = *(const float *)b;

	return (x > y) - (x < y);
}

static void print_latency(const char *name, float *latency, size_t n)
{
	if (n == 0)
		return;
	qsort(latency, n, sizeof(*latency), compare);
	printf(", \"%s_p50_ms\": %.3f, \"%s_p99_ms\": %.3f, \"%s_max_ms\": %.3f", name,
	       1e3 * (double)latency[n / 2], name, 1e3 * (double)latency[n - 1 - n / 100], name,
	       1e3 * (double)latency[n - 1]);
}

static void print_result(double seconds)
{
	printf("{\"goodput\": %.1f, \"behind_ms\": %.1f", (double)run.ok_in_time / seconds,
	       1e3 * run.behind);
	for (int i = 0; i < N_OUTCOMES; i++)
		printf(", \"%s\": %zu", outcome_names[i], run.counts[i]);
	print_latency("ok", run.latency[OK], run.counts[OK]);
	print_latency("refused", run.latency[REFUSED], run.counts[REFUSED]);
	puts("}");
}

static int open_file(const char *path, size_t *n_out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat about;

	if (fd < 0 || fstat(fd, &about) != 0 || about.st_size == 0)
		die(path);
	*n_out = (size_t)about.st_size;
	return fd;
}

static void prepare(const char *port, size_t n_due)
{
	const struct rlimit files = {MAX_CLIENTS + 64, MAX_CLIENTS + 64};

	if (setrlimit(RLIMIT_NOFILE, &files) != 0)
		die("open files");
	run.address = (struct sockaddr_in){.sin_family = AF_INET,
					   .sin_port = htons((uint16_t)atoi(port)),
					   .sin_addr = {htonl(INADDR_LOOPBACK)}};
	run.spins = sysconf(_SC_NPROCESSORS_ONLN) > 1;
	run.epoll = epoll_create1(EPOLL_CLOEXEC);
	run.clients = calloc(MAX_CLIENTS, sizeof(*run.clients));
	run.latency[OK] = calloc(n_due, sizeof(float));
	run.latency[REFUSED] = calloc(n_due, sizeof(float));
	if (run.epoll < 0 || run.clients == NULL || run.latency[OK] == NULL ||
	    run.latency[REFUSED] == NULL)
		die("load");
	for (size_t i = MAX_CLIENTS; i-- > 0;) {
		run.clients[i].fd = -1;
		run.clients[i].next = run.unused;
		run.unused = &run.clients[i];
	}
}

int main(int argc, char **argv)
{
	double rate = argc == 5 ? atof(argv[2]) : -1, seconds = argc == 5 ? atof(argv[3]) : 0;

	if (!(rate >= 0 && rate <= 1e6 && seconds > 0 && seconds <= 3600)) {
		fputs("usage: load PORT RATE SECONDS FILE\n", stderr);
		return 2;
	}
	prepare(argv[1], (size_t)((rate > 0 ? rate : CLOSED_RATE) * seconds) + 1);
	run.request = open_file(argv[4], &run.n_request);
	signal(SIGPIPE, SIG_IGN);
	drive(rate, seconds);
	print_result(seconds);
	return 0;
}
