/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "server/metrics.h"
#include "server/process.h"
#include "tests/unit/server/served_fixture.h"
#include "tests/unit/unit.h"

static struct metrics metrics;
static struct buffer out;

static void set_up(void)
{
	metrics = (struct metrics){0};
}

static void tear_down(void)
{
	buffer_free(&out);
}

static const char *render(void)
{
	struct metrics_state state = {
	    .writer = {.queued = 3,
		       .capacity = 1024,
		       .commits = 5,
		       .ops = 17,
		       .by_size = {[0] = 2, [3] = 3},
		       .by_time = {[WRITER_N_TIMES] = 5},
		       .commit_seconds = 7.5,
		       .failed_commits = 1},
	    .store = {.cache_capacity_bytes = 64,
		      .cache_bytes = 48,
		      .cache_states = 3,
		      .cache_hits = 11,
		      .cache_misses = 2,
		      .cache_evictions = 1,
		      .recent_events = 9,
		      .folds = 4,
		      .replayed_events = 6},
	    .ready = true,
	    .n_api_keys = 2,
	    .tls_expiry = 1800000000,
	};
	struct served_model *served = served_open("none:4", ROUTER_STATIC);

	strcpy(served->model.id, "id");
	state.model = &served->model;
	buffer_free(&out);
	metrics_render(&metrics, &state, &out);
	buffer_add(&out, "", 1);
	served_close(served);
	return out.bytes;
}

static void assert_line(const char *text, const char *want)
{
	const char *at = text;
	size_t len = strlen(want);

	while ((at = strstr(at, want)) != NULL) {
		if ((at == text || at[-1] == '\n') && at[len] == '\n')
			return;
		at++;
	}
	ck_abort_msg("no line \"%s\" in\n%s", want, text);
}

START_TEST(requests_are_counted_by_route_method_and_code)
{
	const struct route_match score = {.route = ROUTE_SCORE, .method = METHOD_POST};
	const struct route_match user = {.route = ROUTE_USER, .method = METHOD_DELETE};
	const struct route_match none = {.route = ROUTE_NONE, .method = METHOD_OTHER};
	const char *text;

	metrics_request(&metrics, &score, 200, 0.001);
	metrics_request(&metrics, &score, 200, 0.001);
	metrics_request(&metrics, &score, 422, 0.001);
	metrics_request(&metrics, &user, 200, 0.001);
	metrics_request(&metrics, &none, 404, 0.001);
	metrics_request(&metrics, &none, 418, 0.001);
	text = render();
	assert_line(text, "micro_http_requests_total{route=\"/score\",method=\"POST\","
			  "code=\"200\"} 2");
	assert_line(text, "micro_http_requests_total{route=\"/score\",method=\"POST\","
			  "code=\"422\"} 1");
	assert_line(text, "micro_http_requests_total{route=\"/users/{id}\",method=\"DELETE\","
			  "code=\"200\"} 1");
	assert_line(text, "micro_http_requests_total{route=\"none\",method=\"other\","
			  "code=\"404\"} 1");
	assert_line(text, "micro_http_requests_total{route=\"none\",method=\"other\","
			  "code=\"other\"} 1");
}
END_TEST

START_TEST(durations_are_a_cumulative_histogram)
{
	const struct route_match score = {.route = ROUTE_SCORE, .method = METHOD_POST};
	const char *text;

	metrics_request(&metrics, &score, 200, 0.0001);
	metrics_request(&metrics, &score, 200, 0.002);
	metrics_request(&metrics, &score, 200, 7);
	text = render();
	assert_line(text, "micro_http_request_duration_seconds_bucket{route=\"/score\","
			  "le=\"0.0001\"} 1");
	assert_line(text, "micro_http_request_duration_seconds_bucket{route=\"/score\","
			  "le=\"0.001\"} 1");
	assert_line(text, "micro_http_request_duration_seconds_bucket{route=\"/score\","
			  "le=\"0.0025\"} 2");
	assert_line(text, "micro_http_request_duration_seconds_bucket{route=\"/score\","
			  "le=\"5\"} 2");
	assert_line(text, "micro_http_request_duration_seconds_bucket{route=\"/score\","
			  "le=\"+Inf\"} 3");
	assert_line(text, "micro_http_request_duration_seconds_count{route=\"/score\"} 3");
	assert_line(text, "micro_http_request_duration_seconds_sum{route=\"/score\"} 7.0021");
}
END_TEST

START_TEST(work_model_and_writer_are_shown)
{
	const char *text;

	atomic_fetch_add(&metrics.scored, 12);
	atomic_fetch_add(&metrics.feedback[FEEDBACK_APPLIED], 3);
	atomic_fetch_add(&metrics.feedback[FEEDBACK_DUPLICATE], 2);
	atomic_fetch_add(&metrics.feedback[FEEDBACK_REFUSED], 1);
	metrics_reload(&metrics, RELOADED_KEYS, STATUS_BAD_FILE);
	metrics_refusal(&metrics, STATUS_STATE_FULL);
	atomic_fetch_add(&metrics.in_flight, 1);
	text = render();
	assert_line(text, "micro_scored_responses_total 12");
	assert_line(text, "micro_feedback_total{result=\"applied\"} 3");
	assert_line(text, "micro_feedback_total{result=\"duplicate\"} 2");
	assert_line(text, "micro_feedback_total{result=\"refused\"} 1");
	assert_line(text, "micro_reloads_total{what=\"keys\",result=\"ok\"} 0");
	assert_line(text, "micro_reloads_total{what=\"keys\",result=\"failed\"} 1");
	assert_line(text, "micro_reloads_total{what=\"model\",result=\"failed\"} 0");
	assert_line(text, "micro_http_refusals_total{code=\"state_full\"} 1");
	assert_line(text, "micro_http_refusals_total{code=\"state_corrupt\"} 0");
	assert_line(text, "micro_http_requests_in_flight 1");
	assert_line(text, "micro_store_commit_operations_bucket{le=\"1\"} 2");
	assert_line(text, "micro_store_commit_operations_bucket{le=\"4\"} 2");
	assert_line(text, "micro_store_commit_operations_bucket{le=\"8\"} 5");
	assert_line(text, "micro_store_commit_operations_bucket{le=\"+Inf\"} 5");
	assert_line(text, "micro_store_commit_operations_sum 17");
	assert_line(text, "micro_store_commit_operations_count 5");
	assert_line(text, "micro_store_commit_duration_seconds_bucket{le=\"1\"} 0");
	assert_line(text, "micro_store_commit_duration_seconds_sum 7.5");
	assert_line(text, "micro_store_commit_duration_seconds_count 5");
	assert_line(text, "micro_ready 1");
	assert_line(text, "micro_api_keys 2");
	assert_line(text, "micro_tls_certificate_expiry_time_seconds 1800000000");
	assert_line(text, "micro_store_commit_failures_total 1");
	assert_line(text, "micro_store_queue_length 3");
	assert_line(text, "micro_store_queue_capacity 1024");
	assert_line(text, "micro_model_info{id=\"id\",n_heads=\"3\",dim=\"4\","
			  "encoder=\"none:4\",router=\"static\"} 1");
	assert_line(text, "micro_build_info{version=\"" MICRO_VERSION "\"} 1");
}
END_TEST

START_TEST(process_is_measured)
{
	struct process_usage usage;

	process_started();
	process_usage(&usage);
	ck_assert_double_gt(usage.start_time, 1.6e9);
	ck_assert_uint_gt(usage.resident_bytes, 100000);
	ck_assert_uint_ge(usage.open_fds, 3);
	ck_assert_uint_ge(usage.max_fds, usage.open_fds);
	ck_assert_double_ge(usage.cpu_seconds, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("metrics");
	TCase *tcase = tcase_create("metrics");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, requests_are_counted_by_route_method_and_code);
	tcase_add_test(tcase, durations_are_a_cumulative_histogram);
	tcase_add_test(tcase, work_model_and_writer_are_shown);
	tcase_add_test(tcase, process_is_measured);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
