# SPDX-License-Identifier: Apache-2.0
"""A strict reader of Prometheus's text format 0.0.4."""
import math
import re

NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
SAMPLE = re.compile(r'^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.+)\})? ([0-9eE.+-]+)$')
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"(?:,|$)')
KINDS = {"counter", "gauge", "histogram"}


def parse_labels(text, line):
    labels, end = {}, 0
    while end < len(text):
        match = LABEL.match(text, end)
        assert match and match[1] not in labels, line
        labels[match[1]] = match[2]
        end = match.end()
    return labels


def check_histogram(name, series):
    """series: {other labels: {suffix or upper bound: value}}"""
    for labels, values in series.items():
        bounds = [bound for bound in values if isinstance(bound, float)]
        assert bounds and bounds == sorted(bounds) and bounds[-1] == math.inf, (name, labels)
        counts = [values[bound] for bound in bounds]
        assert counts == sorted(counts), (name, labels, counts)
        assert counts[-1] == values["count"], (name, labels)
        assert values["sum"] >= 0 and (values["count"] > 0 or values["sum"] == 0), (name, labels)


def parse_metrics(text):
    """{(name, sorted labels): value}, types by metric family; any breach of the format fails."""
    samples, types, helps, histograms, family = {}, {}, set(), {}, None
    assert text.endswith("\n")
    for line in text.splitlines():
        if line.startswith("# HELP "):
            family, explanation = line[len("# HELP "):].split(" ", 1)
            assert NAME.fullmatch(family) and family not in helps and explanation, line
            helps.add(family)
            continue
        if line.startswith("# TYPE "):
            name, kind = line[len("# TYPE "):].split(" ")
            assert name == family and name not in types and kind in KINDS, line
            assert name.endswith("_total") == (kind == "counter"), line
            types[name] = kind
            continue
        match = SAMPLE.match(line)
        assert match, line
        name, labels, value = match[1], parse_labels(match[2] or "", line), float(match[3])
        assert math.isfinite(value), line
        key = name, tuple(sorted(labels.items()))
        assert key not in samples, line
        samples[key] = value
        if types[family] != "histogram":
            # the samples of a family stand together, below its HELP and TYPE
            assert name == family and "le" not in labels, line
            continue
        suffix = name.removeprefix(family + "_")
        assert suffix in ("bucket", "sum", "count"), line
        bound = float(labels.pop("le")) if suffix == "bucket" else suffix
        series = histograms.setdefault(family, {}).setdefault(tuple(sorted(labels.items())), {})
        assert bound not in series, line
        series[bound] = value
    assert helps == set(types)
    for name, series in histograms.items():
        check_histogram(name, series)
    return samples, types


def read_metrics(client):
    """All samples of a running daemon: {name or name{key="value",...}: value}."""
    answer = client.get("/metrics")
    assert answer.status == 200, answer
    samples, _ = parse_metrics(answer.body.decode())
    return {name + ("{" + ",".join(f'{k}="{v}"' for k, v in labels) + "}" if labels else ""): value
            for (name, labels), value in samples.items()}
