/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http_response.h"

#include <stdint.h>
#include <stdio.h>

/* Bytes of a stream that are made at once. */
#define STREAM_BLOCK (64u << 10)

/* What libmicrohttpd reads a stream from. */
struct source {
	struct api *api;
	struct exchange *exchange;
};

static bool add_retry_after(const struct exchange *exchange, struct MHD_Response *response)
{
	unsigned seconds = exchange->err.retry_after;
	char text[16];

	snprintf(text, sizeof(text), "%u", seconds == 0 ? 1 : seconds);
	return MHD_add_response_header(response, "Retry-After", text);
}

static bool add_headers(const struct exchange *exchange, bool is_last,
			struct MHD_Response *response)
{
	bool ok = MHD_add_response_header(response, "Content-Type", exchange->content_type) &&
		  MHD_add_response_header(response, "X-Request-Id", exchange->request_id);

	if (exchange->http_status == 401)
		ok = ok &&
		     MHD_add_response_header(response, "WWW-Authenticate",
					     ACCESS_CHALLENGE_BEARER) &&
		     MHD_add_response_header(response, "WWW-Authenticate", ACCESS_CHALLENGE_BASIC);
	if (exchange->http_status == 405)
		ok = ok &&
		     MHD_add_response_header(response, "Allow", route_allow(exchange->match.route));
	if (exchange->http_status == 503)
		ok = ok && add_retry_after(exchange, response);
	if (is_last)
		ok = ok && MHD_add_response_header(response, "Connection", "close");
	return ok;
}

static ssize_t read_stream(void *context, uint64_t position, char *bytes, size_t size)
{
	const struct source *source = context;
	ssize_t n = api_read_stream(source->api, source->exchange, bytes, size);

	(void)position;
	if (n < 0)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	return n == 0 ? MHD_CONTENT_READER_END_OF_STREAM : n;
}

static struct MHD_Response *stream(struct api *api, struct exchange *exchange)
{
	struct source *source = arena_array(&exchange->arena, 1, sizeof(*source));

	if (source == NULL)
		return NULL;
	*source = (struct source){api, exchange};
	return MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, STREAM_BLOCK, read_stream,
						 source, NULL);
}

struct MHD_Response *http_response_make(struct api *api, struct exchange *exchange, bool is_last)
{
	bool is_stream = exchange->stream != NULL && exchange->text == NULL;
	struct MHD_Response *response =
	    is_stream ? stream(api, exchange)
		      : MHD_create_response_from_buffer(exchange->text_len, (void *)exchange->text,
							MHD_RESPMEM_PERSISTENT);

	if (response != NULL &&
	    !add_headers(exchange, is_last || atomic_load(&api->stopping), response)) {
		MHD_destroy_response(response);
		return NULL;
	}
	return response;
}
