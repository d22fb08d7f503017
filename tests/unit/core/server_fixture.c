/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/core/server_fixture.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <jansson.h>

#define MAX_REQUEST	(1 << 20)
#define MAX_CONNECTIONS 64

static struct server_plan plan;
static int listener = -1;
static in_port_t port; /* network order; 0: not chosen yet */
static bool is_up;
static pthread_t acceptor;
static int connections[MAX_CONNECTIONS];
static pthread_t threads[MAX_CONNECTIONS];
static size_t n_connections;
static atomic_size_t n_requests, n_texts;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of plan */

static void require(int ok, const char *what)
{
	if (ok)
		return;
	perror(what);
	abort();
}

struct server_plan *server_plan(void)
{
	return &plan;
}

size_t server_n_requests(void)
{
	return atomic_load(&n_requests);
}

size_t server_n_texts(void)
{
	return atomic_load(&n_texts);
}

const char *server_url(void)
{
	static char url[64];

	snprintf(url, sizeof(url), "http://127.0.0.1:%u/embed", (unsigned)ntohs(port));
	return url;
}

void server_vector(const char *text, size_t len, float *vector_out)
{
	unsigned hash = 5381;

	for (size_t i = 0; i < len; i++)
		hash = hash * 33 + (unsigned char)text[i];
	for (size_t d = 0; d < SERVER_DIM; d++)
		vector_out[d] = 1 + (float)((hash >> 8 * d) % 64) / 8;
}

/* A whole request; its body's length, 0 at the end of the connection. */
static size_t read_request(int fd, char *bytes, const char **body_out)
{
	size_t len = 0;

	while (len < MAX_REQUEST) {
		ssize_t n = read(fd, bytes + len, MAX_REQUEST - len);
		const char *length, *end;

		if (n <= 0)
			return 0;
		len += (size_t)n;
		bytes[len] = '\0';
		end = strstr(bytes, "\r\n\r\n");
		length = strstr(bytes, "Content-Length: ");
		if (end == NULL || length == NULL)
			continue;
		*body_out = end + 4;
		if (bytes + len - *body_out >= atol(length + 16))
			return (size_t)atol(length + 16);
	}
	return 0;
}

static char *make_vectors(const json_t *inputs)
{
	json_t *rows = json_array();
	char *text;

	for (size_t i = 0; i < json_array_size(inputs); i++) {
		const json_t *input = json_array_get(inputs, i);
		float vector[SERVER_DIM];
		json_t *row = json_array();

		server_vector(json_string_value(input), json_string_length(input), vector);
		for (size_t d = 0; d < SERVER_DIM; d++)
			json_array_append_new(
			    row, json_real((double)vector[d] + (d == 0 ? (double)plan.salt : 0)));
		json_array_append_new(rows, row);
	}
	text = json_dumps(rows, 0);
	json_decref(rows);
	return text;
}

static void answer(int fd, const char *body, size_t len)
{
	json_t *request = json_loadb(body, len, 0, NULL);
	const json_t *inputs = json_object_get(request, "inputs");
	size_t n = json_array_size(inputs);
	char head[256], *text = NULL;
	int status = 200;

	atomic_fetch_add(&n_texts, n);
	atomic_fetch_add(&n_requests, 1);
	if (plan.is_silent) {
		json_decref(request);
		return;
	}
	pthread_mutex_lock(&lock);
	if (plan.n_statuses != 0) {
		status = plan.status;
		plan.n_statuses -= plan.n_statuses > 0;
	} else if (plan.max_batch > 0 && n > plan.max_batch) {
		status = 413;
	}
	if (status == 200)
		text = make_vectors(inputs);
	pthread_mutex_unlock(&lock);
	snprintf(head, sizeof(head), "HTTP/1.1 %d x\r\nContent-Length: %zu\r\n\r\n", status,
		 text == NULL ? 0 : strlen(text));
	(void)!send(fd, head, strlen(head), MSG_NOSIGNAL | MSG_MORE);
	(void)!send(fd, text == NULL ? "" : text, text == NULL ? 0 : strlen(text), MSG_NOSIGNAL);
	free(text);
	json_decref(request);
}

static void *serve_connection(void *context)
{
	int fd = *(int *)context;
	char *bytes = malloc(MAX_REQUEST + 1);
	const char *body = NULL;
	size_t len;

	require(bytes != NULL, "malloc");
	while ((len = read_request(fd, bytes, &body)) > 0) {
		answer(fd, body, len);
		if (plan.close_each)
			break;
	}
	shutdown(fd, SHUT_RDWR);
	free(bytes);
	return NULL;
}

static void *accept_all(void *context)
{
	int fd;

	(void)context;
	while ((fd = accept(listener, NULL, NULL)) >= 0) {
		int one = 1;

		require(n_connections < MAX_CONNECTIONS, "connections");
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		connections[n_connections] = fd;
		require(pthread_create(&threads[n_connections], NULL, serve_connection,
				       &connections[n_connections]) == 0,
			"thread");
		n_connections++;
	}
	return NULL;
}

/* Bound and not listening, it refuses all, and nobody else is given the port. */
static void take_port(void)
{
	struct sockaddr_in address = {
	    .sin_family = AF_INET, .sin_port = port, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(address);
	int one = 1;

	listener = socket(AF_INET, SOCK_STREAM, 0);
	require(listener >= 0, "socket");
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	require(bind(listener, (struct sockaddr *)&address, sizeof(address)) == 0, "bind");
	require(getsockname(listener, (struct sockaddr *)&address, &len) == 0, "getsockname");
	port = address.sin_port;
}

void server_start(void)
{
	plan = (struct server_plan){0};
	n_connections = 0;
	atomic_store(&n_requests, 0);
	atomic_store(&n_texts, 0);
	if (listener < 0)
		take_port();
	require(listen(listener, 16) == 0, "listen");
	is_up = true;
	require(pthread_create(&acceptor, NULL, accept_all, NULL) == 0, "thread");
}

void server_stop(void)
{
	if (!is_up)
		return;
	is_up = false;
	shutdown(listener, SHUT_RDWR);
	pthread_join(acceptor, NULL);
	close(listener);
	take_port();
	for (size_t i = 0; i < n_connections; i++) {
		shutdown(connections[i], SHUT_RDWR);
		pthread_join(threads[i], NULL);
		close(connections[i]);
	}
}
