#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The alerts and the dashboard of deploy/ stand on metrics that are there: a real Prometheus, with
deploy/prometheus/prometheus.yml, scrapes a real microd over HTTPS with a key, and is asked for
every expression. promtool runs each alert's own test."""
import json
import os
import re
import shutil
import ssl
import subprocess
import sys
import time
import unittest
import urllib.parse
import urllib.request

import yaml

import models
from embedding_server import PROBE, EmbeddingServer, vector_of
from harness import PATIENCE, ROOT, Scenario, main, run, wait_until
from load import feedback_body, score_body, seeded
from ports import free_port
from prometheus import parse_metrics

PROMETHEUS = ROOT / "deploy/prometheus"
RULES = PROMETHEUS / "micro.rules.yml"
CASES = PROMETHEUS / "micro.rules.test.yml"
DASHBOARD = ROOT / "deploy/grafana/micro.json"
SELECTOR = re.compile(r"\b((?:micro|process)_[a-z_]+|up)\b(\{[^}]*\})?")
NEEDED = ("prometheus", "promtool", "openssl")


def rules():
    groups = yaml.safe_load(RULES.read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def panels():
    return [panel for panel in json.loads(DASHBOARD.read_text())["panels"]
            if panel["type"] != "row"]


def for_now(expression):
    """A dashboard's expression without its variables."""
    for name, value in (("$__rate_interval", "30s"), ("$__interval", "30s"), ("$instance", ".+")):
        expression = expression.replace(name, value)
    return expression


def expressions():
    """(whose it is, expression) of the dashboard."""
    dashboard = json.loads(DASHBOARD.read_text())
    for panel in panels():
        for target in panel["targets"]:
            yield panel["title"], for_now(target["expr"])
    for annotation in dashboard["annotations"]["list"]:
        yield annotation["name"], for_now(annotation["expr"])


def promtool(*arguments):
    return subprocess.run(["promtool", *map(str, arguments)], capture_output=True, text=True,
                          timeout=PATIENCE)


@unittest.skipUnless(shutil.which("promtool"), "promtool is not installed")
class Rules(Scenario):
    def test_rules_and_configuration_are_right(self):
        for arguments in (("check", "rules", RULES),
                          ("check", "config", "--syntax-only", PROMETHEUS / "prometheus.yml")):
            done = promtool(*arguments)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_each_alert_fires_when_it_should_and_only_then(self):
        done = promtool("test", "rules", CASES)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        alerts = {rule["alert"] for rule in rules()}
        loud, quiet = set(), set()
        for test in yaml.safe_load(CASES.read_text())["tests"]:
            for case in test["alert_rule_test"]:
                (loud if case["exp_alerts"] else quiet).add(case["alertname"])
        self.assertEqual((loud, quiet), (alerts, alerts))

    def test_readme_says_what_to_do_about_each_alert(self):
        readme = (ROOT / "deploy/README.md").read_text()
        rows = re.findall(r"(?m)^\| (`Micro.*?) \| \S.* \|$", readme)
        self.assertEqual(sorted(re.findall(r"Micro\w+", " ".join(rows))),
                         sorted(rule["alert"] for rule in rules()))

    def test_a_broken_rule_is_seen(self):
        broken = self.folder / "broken.yml"
        broken.write_text(RULES.read_text().replace("> 0.8", "> 0.99"))
        cases = self.folder / "cases.yml"
        cases.write_text(CASES.read_text().replace("micro.rules.yml", "broken.yml"))
        self.assertNotEqual(promtool("test", "rules", cases).returncode, 0)

    def test_expressions_of_the_dashboard_can_be_read(self):
        made = self.folder / "dashboard.yml"
        made.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": [
            {"record": f"panel_{number}", "expr": expression}
            for number, (_, expression) in enumerate(expressions())]}]}))
        done = promtool("check", "rules", made)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)


class Dashboard(unittest.TestCase):
    def test_it_is_what_its_script_writes(self):
        done = subprocess.run([sys.executable, ROOT / "deploy/grafana/make-dashboard.py"],
                              capture_output=True, text=True, timeout=PATIENCE, check=True)
        self.assertEqual(done.stdout, DASHBOARD.read_text())

    def test_panels_have_a_place_and_a_number_of_their_own(self):
        taken, numbers = set(), set()
        for panel in json.loads(DASHBOARD.read_text())["panels"]:
            place = panel["gridPos"]
            self.assertLessEqual(place["x"] + place["w"], 24, panel["title"])
            cells = {(x, y) for x in range(place["x"], place["x"] + place["w"])
                     for y in range(place["y"], place["y"] + place["h"])}
            self.assertFalse(cells & taken, panel["title"])
            self.assertNotIn(panel["id"], numbers)
            taken |= cells
            numbers.add(panel["id"])

    def test_panels_say_what_they_show(self):
        for panel in panels():
            for text in (panel["title"], panel["description"], panel["targets"][0]["expr"]):
                self.assertTrue(text)
            self.assertEqual(panel["datasource"]["uid"], "${datasource}")


@unittest.skipUnless(all(map(shutil.which, NEEDED)), f"one of {', '.join(NEEDED)} is not installed")
class Live(Scenario):
    """One Prometheus and one microd for all questions: both take seconds to have an answer."""

    def key(self, name, scopes):
        key, line = run("microd", "key", "new", "--name", name, "--scopes", scopes)[1].splitlines()
        with open(self.folder / "keys", "a", encoding="ascii") as keys:
            keys.write(line + "\n")
        return key

    def start_microd(self):
        model, cert, key = (self.folder / name for name in ("m", "cert.pem", "key.pem"))
        self.encoder = EmbeddingServer(models.DIM)
        self.addCleanup(self.encoder.stop)
        models.write_vector_model(model, metadata={
            "encoder": f"openai:{models.DIM}?model=tiny&use_activation=false",
            "encoder.fingerprint": models.floats_base64(vector_of(PROBE, models.DIM)),
            "template.phi": "{response}", "template.psi": "{prompt}"})
        subprocess.run(["openssl", "req", "-x509", "-nodes", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:prime256v1", "-days", "30", "-subj", "/CN=microd",
                        "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", cert],
                       check=True, capture_output=True, timeout=60)
        tls = ssl.create_default_context(cafile=str(cert))
        (self.folder / "prometheus.key").write_text(self.key("prometheus", "none"))
        self.app = self.key("app", "score,feedback")
        self.daemon = self.start(model, "--api-keys", self.folder / "keys", "--rate-limit", "20",
                                 "--rate-burst", "40", "--tls-cert", cert, "--tls-key", key,
                                 "--encoder-url", self.encoder.openai,
                                 tls=tls)

    def start_prometheus(self):
        config = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())
        config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s",
                            "scrape_timeout": "1s"}
        config["rule_files"] = [str(RULES)]
        scrape, = config["scrape_configs"]
        self.assertEqual(scrape["job_name"], "micro")
        scrape |= {"scheme": "https", "tls_config": {"ca_file": str(self.folder / "cert.pem")},
                   "authorization": {"credentials_file": str(self.folder / "prometheus.key")},
                   "static_configs": [{"targets": [f"127.0.0.1:{self.daemon.port}"]}]}
        (self.folder / "prometheus.yml").write_text(yaml.safe_dump(config))
        self.url = f"http://127.0.0.1:{free_port()}"
        with open(self.folder / "prometheus.log", "wb") as log:
            process = subprocess.Popen(
                ["prometheus", f"--config.file={self.folder}/prometheus.yml",
                 f"--storage.tsdb.path={self.folder}/tsdb",
                 f"--web.listen-address={self.url.removeprefix('http://')}"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env=os.environ | {"GOMAXPROCS": "1"})
        self.addCleanup(process.wait, PATIENCE)
        self.addCleanup(process.kill)
        wait_until(lambda: self.is_up() or process.poll() is not None, "Prometheus")
        self.assertIsNone(process.poll(), (self.folder / "prometheus.log").read_text())

    def is_up(self):
        try:
            return self.ask("/-/ready") is not None
        except OSError:
            return False

    def ask(self, path, **parameters):
        query = "?" + urllib.parse.urlencode(parameters) if parameters else ""
        with urllib.request.urlopen(self.url + path + query, timeout=PATIENCE) as answer:
            return answer.read()

    def query(self, expression):
        answer = json.loads(self.ask("/api/v1/query", query=expression))
        self.assertEqual(answer["status"], "success")
        return answer["data"]["result"]

    def work(self):
        """Of every kind: answers, refusals of the client's, past the rate limit."""
        client, rng = self.daemon.new_client(self.app), seeded(self)
        self.assertEqual(client.post("/score", {"prompt": f"at {time.time()}",
                                                "responses": ["a", "b", "a"]}).status, 200)
        for number in range(60):
            client.post("/score", score_body(rng, "ada"))
            client.post("/feedback", feedback_body(rng, "ada", id=str(number)))
        client.post("/score", "{")

    def test_every_metric_of_alerts_and_dashboard_is_there(self):
        self.start_microd()
        self.start_prometheus()
        self.work()
        wait_until(lambda: self.query("changes(micro_http_requests_in_flight[1m])"), "a scrape")
        begin = time.time()
        self.work()
        wait_until(lambda: self.query(f"count_over_time(up[1m] @ {time.time()}) > 2") and
                   time.time() > begin + 3, "further scrapes")
        self.assert_rules_are_evaluated()
        for whose, expression in [(rule["alert"], rule["expr"]) for rule in rules()] + list(
                expressions()):
            for selector in SELECTOR.finditer(expression):
                with self.subTest(f"{whose}: {selector[0]}"):
                    self.assertTrue(self.query(selector[0]))
        for whose, expression in expressions():
            if whose != "Starts":
                with self.subTest(f"{whose}: {expression}"):
                    values = [float(sample["value"][1]) for sample in self.query(expression)]
                    self.assertTrue(values)
                    # the quantile of a route that nobody asked for
                    self.assertTrue(any(value == value for value in values), values)

    def assert_rules_are_evaluated(self):
        groups = json.loads(self.ask("/api/v1/rules"))["data"]["groups"]
        evaluated = [rule for group in groups for rule in group["rules"]]
        self.assertEqual({rule["name"] for rule in evaluated}, {rule["alert"] for rule in rules()})
        for rule in evaluated:
            self.assertEqual((rule["health"], rule.get("lastError", "")), ("ok", ""), rule["name"])
            self.assertIn(rule["state"], ("inactive", "pending"), rule["name"])

    def test_readme_lists_the_metrics_that_are_there(self):
        self.start_microd()
        text = self.daemon.new_client(self.app).get("/metrics").body.decode()
        _, families = parse_metrics(text)
        readme = (ROOT / "deploy/README.md").read_text()
        section = readme[readme.index("\n## Metrics"):]
        section = section[:section.index("\n## ", 1)]
        listed = {name for row in re.findall(r"(?m)^\| (`.*?) \|", section)
                  for name in re.findall(r"`([a-z_]+)[{`]", row)}
        self.assertEqual(listed, set(families))


if __name__ == "__main__":
    main()
