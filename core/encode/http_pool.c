/* SPDX-License-Identifier: Apache-2.0 */
#include "core/encode/http_pool.h"

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <curl/curl.h>

#include "core/base/mem.h"
#include "core/base/monotonic.h"

#define PROTOCOLS     "http,https"
#define FIRST_BODY    ((size_t)16 << 10) /* bytes that a reply begins with */
#define MIN_TIMEOUT   1			 /* ms: libcurl takes 0 for never */
#define MAX_BEARER    4096
#define USER_AGENT    "User-Agent: micro/" MICRO_VERSION /* as an option it is formatted twice */
#define CONTENT_TYPE  "Content-Type: application/json"
#define ACCEPT	      "Accept: application/json"
#define NO_EXPECT     "Expect:" /* or bodies of a megabyte wait a second for a 100 */
#define BEARER_PREFIX "Authorization: Bearer "

/* A connection, once it is made. */
struct line {
	CURL *curl;
	CURLSH *share; /* keeps the connection, whichever thread is the next to use the line */
	CURLU *url;    /* parsed once, not for each request */
	bool was_connected;
	int socket; /* of its connection; -1: none */
	char fault[CURL_ERROR_SIZE];
	struct http_reply *reply; /* of the request under way */
	bool too_long, no_memory; /* why its body was not taken */
};

struct http_pool {
	struct line *lines; /* [n_lines] */
	size_t n_lines;
	struct curl_slist *headers;
	const atomic_bool *cancelled;
	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t freed; /* a line has become idle */
	struct line **idle;   /* [n_idle]: the one used last is last, its connection is warm */
	size_t n_idle;
};

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;

static void start_curl(void)
{
	curl_global_init(CURL_GLOBAL_DEFAULT);
}

enum status http_pool_check_url(const char *url, struct err *err)
{
	CURLU *parts = curl_url();
	char *scheme = NULL, *host = NULL, *user = NULL;
	bool good = parts != NULL && curl_url_set(parts, CURLUPART_URL, url, 0) == CURLUE_OK &&
		    curl_url_get(parts, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
		    curl_url_get(parts, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
		    (strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0);

	/* it is in logs and messages */
	if (good)
		good = curl_url_get(parts, CURLUPART_USER, &user, 0) == CURLUE_NO_USER;
	curl_free(scheme);
	curl_free(host);
	curl_free(user);
	curl_url_cleanup(parts);
	if (good)
		return STATUS_OK;
	return err_set(
	    err, STATUS_INVALID_VALUE,
	    "\"%.128s\": want a URL such as http://127.0.0.1:8000/v1/embeddings, without "
	    "user and password",
	    url);
}

/* ---- a reply as it comes in ---- */

static bool reserve(struct http_reply *reply, size_t n)
{
	size_t capacity = reply->capacity == 0 ? FIRST_BODY : reply->capacity;
	char *body;

	while (capacity <= reply->len + n)
		capacity *= 2;
	if (capacity == reply->capacity)
		return true;
	body = mem_grow(reply->body, reply->len, capacity, 1);
	if (body == NULL)
		return false;
	reply->body = body;
	reply->capacity = capacity;
	return true;
}

/* libcurl's write callback: less than everything ends the request. */
static size_t take_body(char *bytes, size_t size, size_t n_items, void *context)
{
	struct line *line = context;
	struct http_reply *reply = line->reply;
	size_t n = size * n_items;

	line->too_long = n > reply->max_len - reply->len;
	line->no_memory = !line->too_long && !reserve(reply, n);
	if (line->too_long || line->no_memory)
		return n + 1;
	memcpy(reply->body + reply->len, bytes, n);
	reply->len += n;
	reply->body[reply->len] = '\0';
	return n;
}

/* libcurl's progress callback, at least once a second: not 0 ends the request. */
static int look_up(void *context, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
	const struct http_pool *pool = context;

	(void)a;
	(void)b;
	(void)c;
	(void)d;
	return atomic_load(pool->cancelled);
}

void http_reply_free(struct http_reply *reply)
{
	mem_free(reply->body);
	*reply = (struct http_reply){0};
}

/* ---- opening ---- */

static bool add_header(struct http_pool *pool, const char *header)
{
	struct curl_slist *longer = curl_slist_append(pool->headers, header);

	if (longer == NULL)
		return false;
	pool->headers = longer;
	return true;
}

static enum status make_headers(struct http_pool *pool, const char *bearer, struct err *err)
{
	char header[sizeof(BEARER_PREFIX) + MAX_BEARER];
	bool good = add_header(pool, CONTENT_TYPE) && add_header(pool, ACCEPT) &&
		    add_header(pool, USER_AGENT) && add_header(pool, NO_EXPECT);

	if (bearer != NULL) {
		if (strlen(bearer) > MAX_BEARER || strpbrk(bearer, "\r\n") != NULL)
			return err_set(err, STATUS_INVALID_VALUE,
				       "the encoder's key: want one line of at most %d bytes",
				       MAX_BEARER);
		snprintf(header, sizeof(header), "%s%s", BEARER_PREFIX, bearer);
		good = good && add_header(pool, header);
	}
	return good ? STATUS_OK : err_no_memory(err, "an encoder's connections");
}

static bool set_up(struct http_pool *pool, struct line *line,
		   const struct http_pool_options *options)
{
	const long connect_ms = (long)ceil(options->connect_timeout * 1000);
	CURL *curl = curl_easy_init();

	line->curl = curl;
	line->socket = -1;
	line->url = curl_url();
	line->share = curl_share_init();
	return curl != NULL && line->url != NULL && line->share != NULL &&
	       curl_share_setopt(line->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_CONNECT) ==
		   CURLSHE_OK &&
	       curl_easy_setopt(curl, CURLOPT_SHARE, line->share) == CURLE_OK &&
	       curl_url_set(line->url, CURLUPART_URL, options->url, 0) == CURLUE_OK &&
	       curl_easy_setopt(curl, CURLOPT_CURLU, line->url) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, PROTOCOLS) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_HTTPHEADER, pool->headers) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_POST, 1L) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) ==
		   CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
	       /* else it waits for the search for an address, whatever the time allowed */
	       curl_easy_setopt(curl, CURLOPT_QUICK_EXIT, 1L) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_MAXCONNECTS, 1L) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, connect_ms) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, line->fault) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_WRITEDATA, line) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, look_up) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_XFERINFODATA, pool) == CURLE_OK;
}

static enum status make_lines(struct http_pool *pool, const struct http_pool_options *options,
			      struct err *err)
{
	pool->lines = mem_array(options->n_connections, sizeof(*pool->lines));
	pool->idle = mem_array(options->n_connections, sizeof(*pool->idle));
	if (pool->lines == NULL || pool->idle == NULL)
		return err_no_memory(err, "an encoder's connections");
	while (pool->n_lines < options->n_connections) {
		struct line *line = &pool->lines[pool->n_lines++];

		if (!set_up(pool, line, options))
			return err_no_memory(err, "an encoder's connections");
		pool->idle[pool->n_idle++] = line;
	}
	return STATUS_OK;
}

enum status http_pool_open(const struct http_pool_options *options, struct http_pool **pool_out,
			   struct err *err)
{
	struct http_pool *pool;
	enum status status;

	pthread_once(&curl_once, start_curl);
	status = http_pool_check_url(options->url, err);
	if (status != STATUS_OK)
		return status;
	pool = mem_array(1, sizeof(*pool));
	if (pool == NULL)
		return err_no_memory(err, "an encoder's connections");
	pool->cancelled = options->cancelled;
	pthread_mutex_init(&pool->lock, NULL);
	monotonic_cond_init(&pool->freed);
	status = make_headers(pool, options->bearer, err);
	if (status == STATUS_OK)
		status = make_lines(pool, options, err);
	if (status != STATUS_OK) {
		http_pool_close(pool);
		return status;
	}
	*pool_out = pool;
	return STATUS_OK;
}

void http_pool_close(struct http_pool *pool)
{
	if (pool == NULL)
		return;
	for (size_t i = 0; i < pool->n_lines; i++) {
		curl_easy_cleanup(pool->lines[i].curl);
		curl_share_cleanup(pool->lines[i].share);
		curl_url_cleanup(pool->lines[i].url);
	}
	curl_slist_free_all(pool->headers);
	pthread_cond_destroy(&pool->freed);
	pthread_mutex_destroy(&pool->lock);
	mem_free(pool->lines);
	mem_free(pool->idle);
	mem_free(pool);
}

/* ---- a request ---- */

/* NULL: none became idle in time. */
static struct line *borrow(struct http_pool *pool, double deadline)
{
	struct line *line = NULL;

	pthread_mutex_lock(&pool->lock);
	while (pool->n_idle == 0 && monotonic_seconds() < deadline)
		monotonic_wait(&pool->freed, &pool->lock, deadline);
	if (pool->n_idle > 0)
		line = pool->idle[--pool->n_idle];
	pthread_mutex_unlock(&pool->lock);
	return line;
}

static void give_back(struct http_pool *pool, struct line *line)
{
	line->reply = NULL;
	pthread_mutex_lock(&pool->lock);
	pool->idle[pool->n_idle++] = line;
	pthread_cond_signal(&pool->freed);
	pthread_mutex_unlock(&pool->lock);
}

static enum status fault(const struct http_pool *pool, const struct line *line, CURLcode code,
			 struct err *err)
{
	const char *text = line->fault[0] != '\0' ? line->fault : curl_easy_strerror(code);

	if (line->no_memory || code == CURLE_OUT_OF_MEMORY)
		return err_no_memory(err, "an encoder's reply");
	if (line->too_long)
		return err_set(err, STATUS_ENCODER_FAULT,
			       "the reply has more than %zu bytes, which is too long for its "
			       "vectors",
			       line->reply->max_len);
	if (code == CURLE_ABORTED_BY_CALLBACK && atomic_load(pool->cancelled))
		return err_set(err, STATUS_INTERRUPTED, "given up");
	if (code == CURLE_UNSUPPORTED_PROTOCOL || code == CURLE_WEIRD_SERVER_REPLY)
		return err_set(err, STATUS_ENCODER_FAULT, "no HTTP server: %s", text);
	return err_set(err, STATUS_ENCODER_DOWN, "%s", text);
}

static void note_connection(struct line *line)
{
	long n_connects = 0;

	curl_easy_getinfo(line->curl, CURLINFO_NUM_CONNECTS, &n_connects);
	line->reply->reconnected = line->was_connected && n_connects > 0;
	line->was_connected |= n_connects > 0;
}

static void prepare(struct line *line, const char *body, size_t len, double deadline,
		    struct http_reply *reply)
{
	CURL *curl = line->curl;
	double left = deadline - monotonic_seconds();
	long timeout_ms = left > 0 ? (long)ceil(left * 1000) : MIN_TIMEOUT;

	line->reply = reply;
	line->fault[0] = '\0';
	line->too_long = line->no_memory = false;
	curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, timeout_ms);
	curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
	curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)len);
}

static enum status conclude(const struct http_pool *pool, struct line *line, CURLcode code,
			    struct err *err)
{
	struct http_reply *reply = line->reply;
	curl_off_t retry_after = 0;

	note_connection(line);
	if (code != CURLE_OK)
		return fault(pool, line, code, err);
	curl_easy_getinfo(line->curl, CURLINFO_RESPONSE_CODE, &reply->status);
	curl_easy_getinfo(line->curl, CURLINFO_RETRY_AFTER, &retry_after);
	reply->retry_after = (double)retry_after;
	return STATUS_OK;
}

enum status http_pool_post(struct http_pool *pool, const char *body, size_t len, double deadline,
			   struct http_reply *reply, struct err *err)
{
	struct line *line = borrow(pool, deadline);
	enum status status;

	if (line == NULL)
		return err_set(err, STATUS_OVERLOADED,
			       "all %zu connections to the encoder are in use", pool->n_lines);
	prepare(line, body, len, deadline, reply);
	status = conclude(pool, line, curl_easy_perform(line->curl), err);
	curl_easy_getinfo(line->curl, CURLINFO_ACTIVESOCKET, &line->socket);
	give_back(pool, line);
	return status;
}

/* ---- a request that nobody waits for ---- */

static void end_flight(struct http_transfer *transfer, int code)
{
	struct http_flight *flight =
	    (struct http_flight *)((char *)transfer - offsetof(struct http_flight, transfer));
	struct http_pool *pool = flight->pool;

	flight->status = conclude(pool, flight->line, (CURLcode)code, &flight->err);
	flight->line->socket = transfer->socket;
	give_back(pool, flight->line);
	flight->done(flight);
}

/* Its connection is open, and nothing has come over it since the last reply. */
static bool is_connected(const struct line *line)
{
	char byte;

	return line->socket >= 0 && recv(line->socket, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 &&
	       (errno == EAGAIN || errno == EWOULDBLOCK);
}

/* The one used last of those that are connected; NULL: there is none. To connect may take long, for
 * names and certificates are read. */
static struct line *borrow_connected(struct http_pool *pool)
{
	struct line *line = NULL;
	size_t i;

	pthread_mutex_lock(&pool->lock);
	for (i = pool->n_idle; i > 0 && line == NULL; i--) {
		if (is_connected(pool->idle[i - 1]))
			line = pool->idle[i - 1];
	}
	if (line != NULL)
		pool->idle[i] = pool->idle[--pool->n_idle];
	pthread_mutex_unlock(&pool->lock);
	return line;
}

bool http_pool_start(struct http_pool *pool, struct http_mux *mux, struct http_flight *flight)
{
	struct line *line = borrow_connected(pool);

	if (line == NULL)
		return false;
	flight->pool = pool;
	flight->line = line;
	flight->transfer = (struct http_transfer){
	    .curl = line->curl,
	    .cancelled = pool->cancelled,
	    .done = end_flight,
	};
	prepare(line, flight->body, flight->len, flight->deadline, flight->reply);
	if (http_mux_start(mux, &flight->transfer))
		return true;
	give_back(pool, line);
	return false;
}
