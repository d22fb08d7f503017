/* SPDX-License-Identifier: Apache-2.0 */
/*
 * no_work THREADS ANSWER - what libmicrohttpd alone costs: gathers each body, throws it away and
 * answers with the text ANSWER. Prints its port; ends at the end of its standard input.
 *
 * As fast as the library goes: epoll, THREADS of them, and 32 KB a connection, because with more
 * memory it clears more for each request.
 */
#include <arpa/inet.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONNECTION_MEMORY (32u << 10)
#define MAX_BODY	  (64u << 20)
#define FIRST_SIZE	  4096

struct answer {
	struct MHD_Response *close, *keep;
};

/* A request's body. */
struct body {
	char *bytes;
	size_t len, size;
	int last; /* of its connection */
};

static int grow(struct body *body, size_t size)
{
	char *bytes = realloc(body->bytes, size);

	if (bytes == NULL)
		return 0;
	body->bytes = bytes;
	body->size = size;
	return 1;
}

static enum MHD_Result gather(struct body *body, const char *bytes, size_t n)
{
	if (n > MAX_BODY - body->len)
		return MHD_NO;
	if (body->len + n > body->size && !grow(body, 2 * (body->len + n)))
		return MHD_NO;
	memcpy(body->bytes + body->len, bytes, n);
	body->len += n;
	return MHD_YES;
}

static enum MHD_Result open_body(struct MHD_Connection *connection, void **slot)
{
	const char *length = MHD_lookup_connection_value(connection, MHD_HEADER_KIND,
							 MHD_HTTP_HEADER_CONTENT_LENGTH);
	const char *stay =
	    MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONNECTION);
	unsigned long long n = length == NULL ? FIRST_SIZE : strtoull(length, NULL, 10);
	struct body *body = calloc(1, sizeof(*body));

	if (body == NULL)
		return MHD_NO;
	*slot = body;
	body->last = stay != NULL && strcmp(stay, "close") == 0;
	return n <= MAX_BODY && grow(body, (size_t)n + 1) ? MHD_YES : MHD_NO;
}

static enum MHD_Result handle(void *context, struct MHD_Connection *connection, const char *url,
			      const char *method, const char *version, const char *data, size_t *n,
			      void **slot)
{
	const struct answer *answer = context;
	struct body *body = *slot;
	size_t n_given = *n;

	(void)url;
	(void)method;
	(void)version;
	if (body == NULL)
		return open_body(connection, slot);
	*n = 0;
	if (n_given > 0)
		return gather(body, data, n_given);
	return MHD_queue_response(connection, MHD_HTTP_OK,
				  body->last ? answer->close : answer->keep);
}

static void completed(void *context, struct MHD_Connection *connection, void **slot,
		      enum MHD_RequestTerminationCode why)
{
	struct body *body = *slot;

	(void)context;
	(void)connection;
	(void)why;
	if (body == NULL)
		return;
	free(body->bytes);
	free(body);
	*slot = NULL;
}

static struct MHD_Response *make_response(const char *text, int last)
{
	struct MHD_Response *response =
	    MHD_create_response_from_buffer(strlen(text), (void *)text, MHD_RESPMEM_PERSISTENT);

	if (response == NULL ||
	    !MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "application/json") ||
	    (last && !MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close"))) {
		fputs("no_work: out of memory\n", stderr);
		exit(1);
	}
	return response;
}

static int serve(unsigned n_threads, struct answer *answer)
{
	struct sockaddr_in loopback = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	struct MHD_Daemon *daemon = MHD_start_daemon(
	    MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_ERROR_LOG, 0, NULL, NULL, handle, answer,
	    MHD_OPTION_NOTIFY_COMPLETED, completed, NULL, MHD_OPTION_SOCK_ADDR, &loopback,
	    MHD_OPTION_THREAD_POOL_SIZE, n_threads, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
	    (size_t)CONNECTION_MEMORY, MHD_OPTION_END);
	const union MHD_DaemonInfo *info;

	if (daemon == NULL) {
		fputs("no_work: cannot start the server\n", stderr);
		return 1;
	}
	info = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT);
	printf("%u\n", info->port);
	fflush(stdout);
	while (getchar() != EOF)
		;
	MHD_stop_daemon(daemon);
	return 0;
}

int main(int argc, char **argv)
{
	unsigned long n_threads = argc == 3 ? strtoul(argv[1], NULL, 10) : 0;
	struct answer answer;
	int status;

	/* libmicrohttpd refuses a pool of one */
	if (n_threads < 2 || n_threads > 256) {
		fputs("usage: no_work THREADS ANSWER, with 2 to 256 threads\n", stderr);
		return 2;
	}
	answer.keep = make_response(argv[2], 0);
	answer.close = make_response(argv[2], 1);
	status = serve((unsigned)n_threads, &answer);
	MHD_destroy_response(answer.keep);
	MHD_destroy_response(answer.close);
	return status;
}
