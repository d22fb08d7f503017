/* SPDX-License-Identifier: Apache-2.0 */
#include "server/metrics.h"

#include <stdio.h>

#include "server/process.h"

/* Every HTTP status that status_http() knows, and 0 for any other. */
static const int codes[METRICS_N_CODES] = {200, 400, 401, 403, 404, 405, 413,
					   415, 422, 500, 503, 507, 0};

/* One counter of requests. */
struct metrics_cell {
	enum route route;
	enum method method;
	int code;
};

/* Upper bounds in seconds. */
static const double buckets[METRICS_N_BUCKETS] = {
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5};

static const char *const feedback_names[] = {"applied", "duplicate", "dry_run", "refused"};
static const char *const reloaded_names[] = {"model", "keys", "tls"};
static const char *const reload_names[] = {"ok", "failed"};
static const char *const connection_end_names[] = {"limit", "files", "displaced", "slow"};

/* Counts of values by upper bound, and what they belong to. */
struct histogram {
	const char *name;
	const char *label, *value; /* NULL: none */
	const double *bounds;	   /* [n_bounds] */
	size_t n_bounds;
	const unsigned long long *counts; /* [n_bounds + 1], not cumulative; last: +Inf */
	double sum;
};

static size_t code_index(int http_status)
{
	size_t i = 0;

	while (i < METRICS_N_CODES - 1 && codes[i] != http_status)
		i++;
	return i;
}

static size_t bucket_index(double seconds)
{
	size_t i = 0;

	while (i < METRICS_N_BUCKETS && seconds > buckets[i])
		i++;
	return i;
}

void metrics_request(struct metrics *metrics, const struct route_match *match, int http_status,
		     double seconds)
{
	size_t code = code_index(http_status);

	atomic_fetch_add_explicit(&metrics->requests[match->route][match->method][code], 1,
				  memory_order_relaxed);
	atomic_fetch_add_explicit(&metrics->bucket[match->route][bucket_index(seconds)], 1,
				  memory_order_relaxed);
	atomic_fetch_add_explicit(&metrics->duration_us[match->route],
				  (unsigned long long)(seconds * 1e6), memory_order_relaxed);
}

void metrics_refusal(struct metrics *metrics, enum status code)
{
	atomic_fetch_add_explicit(&metrics->refusals[code], 1, memory_order_relaxed);
}

void metrics_reload(struct metrics *metrics, enum reloaded what, enum status status)
{
	enum reload_result result = status == STATUS_OK ? RELOAD_OK : RELOAD_FAILED;

	atomic_fetch_add_explicit(&metrics->reloads[what][result], 1, memory_order_relaxed);
}

void metrics_connections(struct metrics *metrics, enum connection_end why, size_t n)
{
	atomic_fetch_add_explicit(&metrics->connection_ends[why], n, memory_order_relaxed);
}

static unsigned long long count(atomic_ullong *counter)
{
	return atomic_load_explicit(counter, memory_order_relaxed);
}

static void add_family(struct buffer *out, const char *name, const char *type, const char *help)
{
	buffer_add_string(out, "# HELP ");
	buffer_add_string(out, name);
	buffer_add_string(out, " ");
	buffer_add_string(out, help);
	buffer_add_string(out, "\n# TYPE ");
	buffer_add_string(out, name);
	buffer_add_string(out, " ");
	buffer_add_string(out, type);
	buffer_add_string(out, "\n");
}

/* The beginning of a sample: name{key="value", then any number of these. */
static void add_label(struct buffer *out, const char *before, const char *value)
{
	buffer_add_string(out, before);
	buffer_add_string(out, "=\"");
	for (const char *c = value; *c != '\0'; c++) {
		if (*c == '"' || *c == '\\')
			buffer_add_string(out, "\\");
		if (*c == '\n')
			buffer_add_string(out, "\\n");
		else
			buffer_add(out, c, 1);
	}
	buffer_add_string(out, "\"");
}

static void add_value(struct buffer *out, const char *before, double value)
{
	buffer_add_string(out, before);
	buffer_add_string(out, " ");
	buffer_add_number(out, value);
	buffer_add_string(out, "\n");
}

/* A family with one sample and no labels. */
static void add_single(struct buffer *out, const char *name, const char *type, const char *help,
		       double value)
{
	add_family(out, name, type, help);
	add_value(out, name, value);
}

static void add_code(struct buffer *out, const struct metrics_cell *cell, double value)
{
	char code[16];

	snprintf(code, sizeof(code), "%d", cell->code);
	add_label(out, "micro_http_requests_total{route", route_pattern(cell->route));
	add_label(out, ",method", method_name(cell->method));
	add_label(out, ",code", cell->code == 0 ? "other" : code);
	add_value(out, "}", value);
}

static void render_requests(struct metrics *metrics, struct buffer *out)
{
	add_family(out, "micro_http_requests_total", "counter", "Answered HTTP requests.");
	for (enum route r = 0; r < N_ROUTES; r++) {
		for (enum method m = 0; m < N_METHODS; m++) {
			for (size_t c = 0; c < METRICS_N_CODES; c++) {
				const struct metrics_cell cell = {r, m, codes[c]};
				unsigned long long n = count(&metrics->requests[r][m][c]);

				if (n > 0)
					add_code(out, &cell, (double)n);
			}
		}
	}
	add_single(out, "micro_http_requests_in_flight", "gauge", "HTTP requests being answered.",
		   (double)atomic_load(&metrics->in_flight));
}

/* The zeros too: a counter that begins with its first fault has no increase to be alarmed by. */
static void render_refusals(struct metrics *metrics, struct buffer *out)
{
	add_family(out, "micro_http_refusals_total", "counter",
		   "Answers that were errors, by their code.");
	for (enum status code = STATUS_OK + 1; code < N_STATUSES; code++) {
		add_label(out, "micro_http_refusals_total{code", status_code(code));
		add_value(out, "}", (double)count(&metrics->refusals[code]));
	}
}

static void render_connections(struct metrics *metrics, struct buffer *out)
{
	add_single(out, "micro_http_connections", "gauge", "Open connections.",
		   (double)atomic_load(&metrics->connections));
	add_family(out, "micro_http_connections_ended_total", "counter",
		   "Connections that were refused, or ended before their client did.");
	for (size_t why = 0; why < N_CONNECTION_ENDS; why++) {
		add_label(out, "micro_http_connections_ended_total{reason",
			  connection_end_names[why]);
		add_value(out, "}", (double)count(&metrics->connection_ends[why]));
	}
}

/* One line of a histogram; bound NULL: not of a bucket. */
static void add_histogram_line(struct buffer *out, const struct histogram *h, const char *suffix,
			       const char *bound, double value)
{
	const char *before = "{";

	buffer_add_string(out, h->name);
	buffer_add_string(out, suffix);
	if (h->label != NULL) {
		buffer_add_string(out, before);
		add_label(out, h->label, h->value);
		before = ",";
	}
	if (bound != NULL) {
		buffer_add_string(out, before);
		add_label(out, "le", bound);
	}
	add_value(out, h->label == NULL && bound == NULL ? "" : "}", value);
}

static void render_histogram(struct buffer *out, const struct histogram *h)
{
	unsigned long long sum = 0;
	char bound[32];

	for (size_t i = 0; i < h->n_bounds; i++) {
		snprintf(bound, sizeof(bound), "%g", h->bounds[i]);
		sum += h->counts[i];
		add_histogram_line(out, h, "_bucket", bound, (double)sum);
	}
	sum += h->counts[h->n_bounds];
	add_histogram_line(out, h, "_bucket", "+Inf", (double)sum);
	add_histogram_line(out, h, "_sum", NULL, h->sum);
	add_histogram_line(out, h, "_count", NULL, (double)sum);
}

static void render_duration(struct metrics *metrics, enum route route, struct buffer *out)
{
	unsigned long long counts[METRICS_N_BUCKETS + 1];

	for (size_t i = 0; i <= METRICS_N_BUCKETS; i++)
		counts[i] = count(&metrics->bucket[route][i]);
	render_histogram(out, &(struct histogram){
				  .name = "micro_http_request_duration_seconds",
				  .label = "route",
				  .value = route_pattern(route),
				  .bounds = buckets,
				  .n_bounds = METRICS_N_BUCKETS,
				  .counts = counts,
				  .sum = (double)count(&metrics->duration_us[route]) / 1e6,
			      });
}

static void render_work(struct metrics *metrics, struct buffer *out)
{
	add_single(out, "micro_scored_responses_total", "counter", "Responses that were scored.",
		   (double)count(&metrics->scored));
	add_family(out, "micro_feedback_total", "counter", "Feedbacks by what became of them.");
	for (size_t i = 0; i < N_FEEDBACK_RESULTS; i++) {
		add_label(out, "micro_feedback_total{result", feedback_names[i]);
		add_value(out, "}", (double)count(&metrics->feedback[i]));
	}
}

static void render_reloads(struct metrics *metrics, struct buffer *out)
{
	add_family(out, "micro_reloads_total", "counter", "What SIGHUP read again.");
	for (size_t what = 0; what < N_RELOADED; what++) {
		for (size_t result = 0; result < N_RELOAD_RESULTS; result++) {
			add_label(out, "micro_reloads_total{what", reloaded_names[what]);
			add_label(out, ",result", reload_names[result]);
			add_value(out, "}", (double)count(&metrics->reloads[what][result]));
		}
	}
}

static void render_commits(const struct writer_stats *writer, struct buffer *out)
{
	add_family(out, "micro_store_commit_operations", "histogram",
		   "Operations in a committed transaction.");
	render_histogram(out, &(struct histogram){
				  .name = "micro_store_commit_operations",
				  .bounds = writer_sizes,
				  .n_bounds = WRITER_N_SIZES,
				  .counts = writer->by_size,
				  .sum = (double)writer->ops,
			      });
	add_family(out, "micro_store_commit_duration_seconds", "histogram",
		   "From the first operation of a transaction to its being durable.");
	render_histogram(out, &(struct histogram){
				  .name = "micro_store_commit_duration_seconds",
				  .bounds = writer_times,
				  .n_bounds = WRITER_N_TIMES,
				  .counts = writer->by_time,
				  .sum = writer->commit_seconds,
			      });
}

static void render_writer(const struct writer_stats *writer, struct buffer *out)
{
	render_commits(writer, out);
	add_single(out, "micro_store_commit_failures_total", "counter", "Transactions that failed.",
		   (double)writer->failed_commits);
	add_single(out, "micro_store_queue_length", "gauge", "Writes waiting.",
		   (double)writer->queued);
	add_single(out, "micro_store_queue_capacity", "gauge", "Writes that may wait.",
		   (double)writer->capacity);
}

static void render_store(const struct store_stats *store, struct buffer *out)
{
	add_single(out, "micro_state_cache_capacity_bytes", "gauge",
		   "Memory that users' states may take.", (double)store->cache_capacity_bytes);
	add_single(out, "micro_state_cache_bytes", "gauge", "Memory that users' states take.",
		   (double)store->cache_bytes);
	add_single(out, "micro_state_cache_entries", "gauge",
		   "States in memory, with those known not to be there.",
		   (double)store->cache_states);
	add_single(out, "micro_state_cache_hits_total", "counter",
		   "Reads of a state that needed no database.", (double)store->cache_hits);
	add_single(out, "micro_state_cache_misses_total", "counter",
		   "Reads of a state that needed it.", (double)store->cache_misses);
	add_single(out, "micro_state_cache_evictions_total", "counter",
		   "States that made room for others.", (double)store->cache_evictions);
	add_single(out, "micro_store_recent_events", "gauge",
		   "Events that are not folded into the tables yet.", (double)store->recent_events);
	add_single(out, "micro_store_folds_total", "counter",
		   "Times that recent events were folded into the tables.", (double)store->folds);
	add_single(out, "micro_store_replayed_events", "gauge",
		   "Recent events that were replayed at start.", (double)store->replayed_events);
}

static void render_retention(const struct retention_stats *retention, struct buffer *out)
{
	add_single(out, "micro_retention_seconds", "gauge",
		   "Time without feedback after which a user is deleted; 0: never.",
		   retention->seconds);
	add_single(out, "micro_retention_passes_total", "counter",
		   "Times that all users were looked at.", (double)retention->passes);
	add_single(out, "micro_retention_failures_total", "counter", "Times that this broke off.",
		   (double)retention->failures);
	add_single(out, "micro_retention_deleted_users_total", "counter",
		   "Users that were deleted for their age.", (double)retention->users);
	add_single(out, "micro_retention_deleted_events_total", "counter",
		   "Feedbacks that were deleted with them.", (double)retention->events);
}

static void render_model(const struct model *model, struct buffer *out)
{
	char n_heads[24], dim[24];

	snprintf(n_heads, sizeof(n_heads), "%zu", model->heads.n_heads);
	snprintf(dim, sizeof(dim), "%zu", model->heads.dim);
	add_family(out, "micro_model_info", "gauge", "The model being served.");
	add_label(out, "micro_model_info{id", model->id);
	add_label(out, ",n_heads", n_heads);
	add_label(out, ",dim", dim);
	add_label(out, ",encoder", model->encoder_spec);
	add_label(out, ",router", router_kind_name(model->router.kind));
	add_value(out, "}", 1);
}

static void render_process(struct buffer *out)
{
	struct process_usage usage;

	process_usage(&usage);
	add_single(out, "process_cpu_seconds_total", "counter", "User and system CPU time.",
		   usage.cpu_seconds);
	add_single(out, "process_resident_memory_bytes", "gauge", "Resident memory.",
		   (double)usage.resident_bytes);
	add_single(out, "process_open_fds", "gauge", "Open file descriptors.",
		   (double)usage.open_fds);
	add_single(out, "process_max_fds", "gauge", "Limit of open file descriptors.",
		   (double)usage.max_fds);
	add_single(out, "process_start_time_seconds", "gauge", "Start, in seconds since 1970.",
		   usage.start_time);
	add_family(out, "micro_build_info", "gauge", "The program.");
	add_label(out, "micro_build_info{version", MICRO_VERSION);
	add_value(out, "}", 1);
}

static void render_access(const struct metrics_state *state, struct buffer *out)
{
	add_single(out, "micro_ready", "gauge", "1 if /readyz says ready.", state->ready);
	add_single(out, "micro_api_keys", "gauge", "API keys that are known; 0: none is wanted.",
		   (double)state->n_api_keys);
	if (state->tls_expiry != 0)
		add_single(out, "micro_tls_certificate_expiry_time_seconds", "gauge",
			   "End of the certificate, in seconds since 1970.",
			   (double)state->tls_expiry);
}

/* Of a server alone; they begin again with each model that is read. */
static void render_encoder(const struct encoder_stats *encoder, const struct workers_stats *workers,
			   struct buffer *out)
{
	const struct {
		const char *name, *type, *help;
		double value;
	} lines[] = {
	    {"micro_encoder_up", "gauge",
	     "1 while the encoder's server is asked, 0 while it is down.", encoder->is_up},
	    {"micro_encoder_trips_total", "counter", "Times that the server was found down.",
	     (double)encoder->n_trips},
	    {"micro_encoder_texts_total", "counter", "Texts to encode.", (double)encoder->n_texts},
	    {"micro_encoder_sent_texts_total", "counter", "Texts that the server was asked for.",
	     (double)encoder->n_sent},
	    {"micro_encoder_calls_total", "counter", "Calls to the server, repetitions included.",
	     (double)encoder->n_calls},
	    {"micro_encoder_retries_total", "counter", "Repetitions of calls.",
	     (double)encoder->n_retries},
	    {"micro_encoder_call_failures_total", "counter",
	     "Calls that gave no vectors in the end.", (double)encoder->n_failed},
	    {"micro_encoder_call_seconds_total", "counter", "Time of all calls together.",
	     (double)encoder->call_us / 1e6},
	    {"micro_encoder_cache_hits_total", "counter", "Texts whose vector was in the cache.",
	     (double)encoder->n_hits},
	    {"micro_encoder_cache_misses_total", "counter", "Texts whose vector was not.",
	     (double)encoder->n_misses},
	    {"micro_encoder_cache_evictions_total", "counter", "Vectors that made room for others.",
	     (double)encoder->n_evicted},
	    {"micro_encoder_cache_vectors", "gauge", "Vectors in the cache.",
	     (double)encoder->cache_rows},
	    {"micro_encoder_cache_bytes", "gauge", "Memory of the cache.",
	     (double)encoder->cache_bytes},
	    {"micro_encoder_queue_length", "gauge", "Requests waiting for a place.",
	     (double)workers->queued},
	    {"micro_encoder_queue_capacity", "gauge", "Requests that may wait.",
	     (double)workers->capacity},
	    {"micro_encoder_workers_busy", "gauge", "Requests that are with the server.",
	     (double)workers->busy},
	};

	if (!encoder->is_remote)
		return;
	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++)
		add_single(out, lines[i].name, lines[i].type, lines[i].help, lines[i].value);
}

void metrics_render(struct metrics *metrics, const struct metrics_state *state, struct buffer *out)
{
	render_requests(metrics, out);
	render_refusals(metrics, out);
	render_connections(metrics, out);
	add_family(out, "micro_http_request_duration_seconds", "histogram",
		   "From a request's headers to its answer.");
	for (enum route r = 0; r < N_ROUTES; r++)
		render_duration(metrics, r, out);
	render_work(metrics, out);
	render_reloads(metrics, out);
	render_writer(&state->writer, out);
	render_store(&state->store, out);
	render_retention(&state->retention, out);
	render_access(state, out);
	render_model(state->model, out);
	render_encoder(&state->encoder, &state->workers, out);
	render_process(out);
}
