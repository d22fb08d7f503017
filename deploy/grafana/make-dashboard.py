#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the Grafana dashboard of microd, a line or two for each panel: make-dashboard.py > micro.json

tests/scenario/test_monitoring.py asks a Prometheus that scrapes a real microd for every expression,
and that micro.json is what this writes. Import it, or let Grafana find it: compose.yaml."""
import json

DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
MINE = 'job="micro",instance=~"$instance"'
HEIGHT = 8
BAD = "red"
FINE = "green"


def rate(metric, labels="", by="instance"):
    """The sum by some labels of a counter's rate."""
    labels = f"{MINE},{labels}" if labels else MINE
    return f"sum by ({by}) (rate({metric}{{{labels}}}[$__rate_interval]))"


def gauge(metric):
    return f"{metric}{{{MINE}}}"


def quantile(q, histogram, labels="", by=""):
    by = f"{by}, le" if by else "le"
    return f'histogram_quantile({q}, {rate(histogram + "_bucket", labels, by)})'


def quantiles(histogram, labels=""):
    return [(quantile(q, histogram, labels), f"p{100 * q:g}") for q in (0.5, 0.9, 0.99)]


# Each row: its title, then panels: title, what it says, unit, width of 24, kind, thresholds or
# None, and (expression, legend) for each of its lines
ROWS = [
    ("Now", [
        ("Ready", "What /readyz says.", "none", 4, "stat", [(None, BAD), (1, FINE)],
         [(gauge("micro_ready"), "{{instance}}")]),
        ("Requests", "Answered, of every route.", "reqps", 4, "stat", None,
         [(rate("micro_http_requests_total", by=""), "all")]),
        ("Failing", "Part of the answers that are 5xx.", "percentunit", 4, "stat",
         [(None, FINE), (0.01, BAD)],
         [(f'({rate("micro_http_requests_total", "code=~" + chr(34) + "5.." + chr(34), "")}'
           f' or vector(0)) / {rate("micro_http_requests_total", by="")}', "5xx")]),
        ("Score, p99", "Of POST /score, from the headers to the answer.", "s", 4, "stat", None,
         [(quantile(0.99, "micro_http_request_duration_seconds", 'route="/score"'), "p99")]),
        ("Feedbacks", "Learnt and durable.", "reqps", 4, "stat", None,
         [(rate("micro_feedback_total", 'result="applied"', ""), "applied")]),
        ("Models", "Should be 1, except while a new one is rolled out.", "none", 4, "stat",
         [(None, FINE), (2, BAD)], [("count(count by (id) (" + gauge("micro_model_info") + "))",
                                     "models")]),
    ]),
    ("Requests", [
        ("Requests by route", "Answered.", "reqps", 8, "timeseries", None,
         [(rate("micro_http_requests_total", by="route"), "{{route}}")]),
        ("Answers by status", "4xx are clients' faults, 503 passes when tried again.", "reqps", 8,
         "timeseries", None, [(rate("micro_http_requests_total", by="code"), "{{code}}")]),
        ("Refusals by code", "The code of the error body; README.md says what to do.", "reqps", 8,
         "timeseries", None, [(rate("micro_http_refusals_total", by="code"), "{{code}}")]),
        ("Time of /score", "From the headers to the answer.", "s", 8, "timeseries", None,
         quantiles("micro_http_request_duration_seconds", 'route="/score"')),
        ("Time of /feedback", "With the commit.", "s", 8, "timeseries", None,
         quantiles("micro_http_request_duration_seconds", 'route="/feedback"')),
        ("p99 by route", "Those that were asked for.", "s", 8, "timeseries", None,
         [(quantile(0.99, "micro_http_request_duration_seconds", by="route"), "{{route}}")]),
    ]),
    ("Work", [
        ("Responses scored", "More than requests: an item has several.", "ops", 8, "timeseries",
         None, [(rate("micro_scored_responses_total"), "{{instance}}")]),
        ("Feedbacks", "Duplicates are repeats of an id; they change nothing.", "ops", 8,
         "timeseries", None, [(rate("micro_feedback_total", by="result"), "{{result}}")]),
        ("In flight", "Requests being answered.", "none", 8, "timeseries", None,
         [(gauge("micro_http_requests_in_flight"), "{{instance}}")]),
    ]),
    ("State", [
        ("Writes waiting", "At the capacity, feedback is refused with 503.", "none", 8,
         "timeseries", None,
         [(gauge("micro_store_queue_length"), "{{instance}} waiting"),
          (gauge("micro_store_queue_capacity"), "{{instance}} capacity")]),
        ("Time of a commit", "From its first write to its being durable: the disk.", "s", 8,
         "timeseries", None, quantiles("micro_store_commit_duration_seconds")),
        ("Writes of a commit", "More under load: one sync serves them all.", "none", 8,
         "timeseries", None,
         [(f'{rate("micro_store_commit_operations_sum")}'
           f' / {rate("micro_store_commit_operations_count")}', "{{instance}}")]),
        ("Commits that failed", "Each refuses all of its writes.", "ops", 8, "timeseries", None,
         [(rate("micro_store_commit_failures_total"), "{{instance}}")]),
        ("States from memory", "Part of the users' states that were found in --state-cache.",
         "percentunit", 8, "timeseries", None,
         [(f'{rate("micro_state_cache_hits_total")} / ({rate("micro_state_cache_hits_total")}'
           f' + {rate("micro_state_cache_misses_total")})', "{{instance}}")]),
        ("Cache of states", "At the capacity, states that were used least make room.", "bytes", 8,
         "timeseries", None, [(gauge("micro_state_cache_bytes"), "{{instance}} in use"),
                              (gauge("micro_state_cache_capacity_bytes"), "{{instance}} limit")]),
        ("Reloads", "By SIGHUP.", "none", 8, "timeseries", None,
         [(f'sum by (what, result) (increase(micro_reloads_total{{{MINE}}}[$__rate_interval]))',
           "{{what}} {{result}}")]),
        ("API keys", "0: everyone may do everything.", "none", 8, "timeseries", None,
         [(gauge("micro_api_keys"), "{{instance}}")]),
    ]),
    ("Encoder", [
        ("Encoder", "Whether the server of --encoder-url is asked.", "none", 4, "stat",
         [(None, BAD), (1, FINE)], [(gauge("micro_encoder_up"), "{{instance}}")]),
        ("Texts from the cache", "Part of the texts whose vector was in --encoder-cache.",
         "percentunit", 4, "stat", None,
         [(f'{rate("micro_encoder_cache_hits_total", by="")}'
           f' / ({rate("micro_encoder_cache_hits_total", by="")}'
           f' + {rate("micro_encoder_cache_misses_total", by="")})', "hits")]),
        ("Calls a request", "The fewer the better: the texts of a request go together.", "none", 4,
         "stat", None,
         [(f'{rate("micro_encoder_calls_total", by="")} / '
           f'{rate("micro_http_requests_total", "route=~" + chr(34) + "/score|/feedback" + chr(34), "")}',
           "calls")]),
        ("Found down", "Times in an hour.", "none", 4, "stat", [(None, FINE), (1, BAD)],
         [(f'increase(micro_encoder_trips_total{{{MINE}}}[1h])', "{{instance}}")]),
        ("Vectors kept", "In --encoder-cache.", "none", 4, "stat", None,
         [(gauge("micro_encoder_cache_vectors"), "{{instance}}")]),
        ("Their memory", "In --encoder-cache.", "bytes", 4, "stat", None,
         [(gauge("micro_encoder_cache_bytes"), "{{instance}}")]),
        ("Texts", "To encode, and those that the server was asked for.", "ops", 8, "timeseries",
         None, [(rate("micro_encoder_texts_total", by=""), "to encode"),
                (rate("micro_encoder_sent_texts_total", by=""), "asked for")]),
        ("Calls", "With their repetitions.", "ops", 8, "timeseries", None,
         [(rate("micro_encoder_calls_total", by=""), "calls"),
          (rate("micro_encoder_retries_total", by=""), "repetitions"),
          (rate("micro_encoder_call_failures_total", by=""), "failed")]),
        ("Waiting for the encoder", "At the capacity, requests with texts are refused with 503.",
         "none", 8, "timeseries", None,
         [(gauge("micro_encoder_queue_length"), "{{instance}} waiting"),
          (gauge("micro_encoder_queue_capacity"), "{{instance}} capacity"),
          (gauge("micro_encoder_workers_busy"), "{{instance}} asking")]),
        ("Time of a call", "Mean.", "s", 8, "timeseries", None,
         [(f'{rate("micro_encoder_call_seconds_total")} / {rate("micro_encoder_calls_total")}',
           "{{instance}}")]),
    ]),
    ("Process", [
        ("CPU", "Cores in use.", "none", 6, "timeseries", None,
         [(rate("process_cpu_seconds_total"), "{{instance}}")]),
        ("Memory", "Resident.", "bytes", 6, "timeseries", None,
         [(gauge("process_resident_memory_bytes"), "{{instance}}")]),
        ("Open files", "Connections are files.", "none", 6, "timeseries", None,
         [(gauge("process_open_fds"), "{{instance}} open"),
          (gauge("process_max_fds"), "{{instance}} limit")]),
        ("Up for", "Since the start of the process.", "s", 6, "timeseries", None,
         [(f'time() - {gauge("process_start_time_seconds")}', "{{instance}}")]),
        ("Certificate", "Until it ends; nothing without TLS.", "s", 12, "stat",
         [(None, BAD), (14 * 86400, FINE)],
         [(f'{gauge("micro_tls_certificate_expiry_time_seconds")} - time()', "{{instance}}")]),
        ("Versions", "Programs and models that run.", "none", 12, "table", None,
         [(f'count by (version) ({gauge("micro_build_info")})', ""),
          (f'count by (id, encoder, router, n_heads, dim) ({gauge("micro_model_info")})', "")]),
    ]),
]


def target(number, expression, legend, kind):
    table = {"format": "table", "instant": True} if kind == "table" else {}
    return {"datasource": DATASOURCE, "expr": expression, "legendFormat": legend,
            "refId": chr(ord("A") + number)} | table


def thresholds(steps):
    return {"mode": "absolute", "steps": [{"color": color, "value": value}
                                          for value, color in steps or [(None, "text")]]}


def panel(identity, place, entry):
    title, description, unit, _, kind, steps, lines = entry
    return {
        "id": identity, "type": kind, "title": title, "description": description,
        "datasource": DATASOURCE, "gridPos": place,
        "fieldConfig": {"defaults": {"unit": unit, "min": 0, "thresholds": thresholds(steps)},
                        "overrides": []},
        "targets": [target(number, expression, legend, kind)
                    for number, (expression, legend) in enumerate(lines)]}


def panels():
    top, identity = 0, 1
    for title, entries in ROWS:
        yield {"id": identity, "type": "row", "title": title, "collapsed": False, "panels": [],
               "gridPos": {"x": 0, "y": top, "w": 24, "h": 1}}
        top, left, height, identity = top + 1, 0, 0, identity + 1
        for entry in entries:
            if left + entry[3] > 24:
                top, left = top + height, 0
            height = HEIGHT // 2 if entry[4] == "stat" else HEIGHT
            yield panel(identity, {"x": left, "y": top, "w": entry[3], "h": height}, entry)
            left, identity = left + entry[3], identity + 1
        top += HEIGHT


def variable(name, label, **more):
    return {"name": name, "label": label, "hide": 0} | more


def dashboard():
    return {
        "uid": "micro", "title": "MiCRo", "tags": ["micro"], "schemaVersion": 39, "version": 1,
        "editable": True, "graphTooltip": 1, "refresh": "30s", "timezone": "",
        "time": {"from": "now-1h", "to": "now"},
        "templating": {"list": [
            variable("datasource", "Data source", type="datasource", query="prometheus"),
            variable("instance", "Instance", type="query", datasource=DATASOURCE, refresh=2,
                     query='label_values(micro_ready{job="micro"}, instance)', multi=True,
                     includeAll=True, allValue=".+",
                     current={"text": "All", "value": "$__all"})]},
        "annotations": {"list": [
            {"name": "Starts", "datasource": DATASOURCE, "enable": True, "iconColor": "blue",
             "expr": f"changes(process_start_time_seconds{{{MINE}}}[$__interval]) > 0",
             "titleFormat": "{{instance}} started"}]},
        "panels": list(panels())}


print(json.dumps(dashboard(), indent=1))
