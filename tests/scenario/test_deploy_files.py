#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""compose.yaml and the Kubernetes manifests, where neither engine is: their structure, that all they
refer to is there and fits the Dockerfile, and that microd starts with the environment they give."""
import os
import re
import subprocess
import tempfile
import unittest
from pathlib import Path

import yaml
from jsonschema import Draft202012Validator

import contract
import models
from harness import ROOT, Scenario, main, run

DEPLOY = ROOT / "deploy"
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
MANIFESTS = list(yaml.safe_load_all((DEPLOY / "kubernetes/microd.yaml").read_text()))
DOCKERFILE = (ROOT / "Dockerfile").read_text()
VERSION = re.search(r"project\(micro VERSION (\S+)", (ROOT / "CMakeLists.txt").read_text())[1]
TEXTS = {"type": "object", "additionalProperties": {"type": "string"}}


def closed(required=(), **properties):
    """An object with these members and no others."""
    return {"type": "object", "additionalProperties": False, "required": list(required),
            "properties": properties}


def listed(schema):
    return {"type": "array", "minItems": 1, "items": schema}


TEXT, NUMBER, YES, ANY = {"type": "string"}, {"type": "integer"}, {"type": "boolean"}, {}
# What the API server knows of these kinds, as far as it is used; anything else is a slip
META = closed(["name"], name=TEXT, labels=TEXTS, annotations=TEXTS)
SELECTOR = closed(matchLabels=TEXTS)
PROBE = closed(["httpGet"], httpGet=closed(["path", "port"], path=TEXT, port=TEXT),
               periodSeconds=NUMBER, timeoutSeconds=NUMBER, failureThreshold=NUMBER)
CONTAINER = closed(
    ["name", "image", "readinessProbe", "livenessProbe", "startupProbe", "resources",
     "securityContext"], name=TEXT, image=TEXT,
    envFrom=listed(closed(["configMapRef"], configMapRef=closed(["name"], name=TEXT))),
    ports=listed(closed(["name", "containerPort"], name=TEXT, containerPort=NUMBER)),
    startupProbe=PROBE, livenessProbe=PROBE, readinessProbe=PROBE,
    resources=closed(["requests", "limits"], requests=TEXTS, limits=TEXTS),
    securityContext=closed(
        ["allowPrivilegeEscalation", "readOnlyRootFilesystem", "capabilities"],
        allowPrivilegeEscalation={"const": False}, readOnlyRootFilesystem={"const": True},
        capabilities={"const": {"drop": ["ALL"]}}),
    volumeMounts=listed(closed(["name", "mountPath"], name=TEXT, mountPath=TEXT, readOnly=YES)))
POD = closed(
    ["serviceAccountName", "securityContext", "containers"], serviceAccountName=TEXT,
    automountServiceAccountToken={"const": False}, enableServiceLinks={"const": False},
    terminationGracePeriodSeconds=NUMBER,
    securityContext=closed(
        ["runAsNonRoot", "runAsUser", "fsGroup", "seccompProfile"], runAsNonRoot={"const": True},
        runAsUser=NUMBER, runAsGroup=NUMBER, fsGroup=NUMBER, fsGroupChangePolicy=TEXT,
        seccompProfile={"const": {"type": "RuntimeDefault"}}),
    containers=listed(CONTAINER),
    volumes=listed(closed(["name"], name=TEXT, secret=closed(
        ["secretName"], secretName=TEXT, defaultMode=NUMBER))))
PEER = closed(podSelector=SELECTOR, namespaceSelector=SELECTOR)
RULE_PORTS = listed(closed(["protocol", "port"], protocol={"enum": ["TCP", "UDP"]}, port=ANY))
SERVICE = closed(["selector", "ports"], selector=TEXTS, clusterIP={"const": "None"},
                 publishNotReadyAddresses=YES, ports=listed(closed(
                     ["name", "port", "targetPort"], name=TEXT, port=NUMBER, targetPort=TEXT)))
CLAIM = closed(["metadata", "spec"], metadata=META, spec=closed(
    ["accessModes", "resources"], accessModes=listed({"enum": ["ReadWriteOncePod"]}),
    resources=closed(["requests"], requests=TEXTS)))
STATEFUL = closed(["serviceName", "replicas", "selector", "template", "volumeClaimTemplates"],
                  serviceName=TEXT, replicas={"const": 1}, selector=SELECTOR, template=closed(
                      ["metadata", "spec"], metadata=closed(labels=TEXTS, annotations=TEXTS),
                      spec=POD), volumeClaimTemplates=listed(CLAIM))
POLICY = closed(["podSelector", "policyTypes"], podSelector=SELECTOR,
                policyTypes=listed({"enum": ["Ingress", "Egress"]}),
                ingress=listed(closed(["from", "ports"], **{"from": listed(PEER)},
                                      ports=RULE_PORTS)),
                egress=listed(closed(["to", "ports"], to=listed(PEER), ports=RULE_PORTS)))
KINDS = {
    ("v1", "ServiceAccount"): {"automountServiceAccountToken": {"const": False}},
    ("v1", "ConfigMap"): {"data": TEXTS}, ("v1", "Service"): {"spec": SERVICE},
    ("apps/v1", "StatefulSet"): {"spec": STATEFUL},
    ("policy/v1", "PodDisruptionBudget"): {"spec": closed(
        ["selector"], selector=SELECTOR, maxUnavailable=NUMBER, minAvailable=NUMBER)},
    ("networking.k8s.io/v1", "NetworkPolicy"): {"spec": POLICY}}


def manifest(kind, name="microd"):
    found, = [entry for entry in MANIFESTS
              if entry["kind"] == kind and entry["metadata"]["name"] == name]
    return found


class Environment(Scenario):
    """What both give to microd."""

    def assert_starts(self, environment, **here):
        known = set(re.findall(r"MICROD_\w+", run("microd", "--help")[1]))
        self.assertLessEqual(set(environment), known)
        paths = {key: str(self.folder / name) for key, name in here.items()}
        models.write_vector_model(self.folder / "m")
        _, line = run("microd", "key", "new", "--name", "x", "--scopes",
                      "none")[1].splitlines()
        (self.folder / "keys").write_text(line + "\n")
        environment = environment | paths
        status, text, errors = run("microd", "check", env=environment)
        self.assertEqual((status, errors), (0, ""), text)
        self.assertIn("keys", text)

    def test_compose(self):
        given = dict(re.findall(r"(?m)^(?:ENV |\t)(MICROD_\w+)=([^\s\\]+)", DOCKERFILE))
        self.assertLessEqual({"MICROD_MODEL", "MICROD_STATE", "MICROD_LISTEN", "MICROD_PORT"},
                             set(given))
        self.assert_starts(given | COMPOSE["services"]["microd"]["environment"],
                           MICROD_MODEL="m", MICROD_STATE="db", MICROD_API_KEYS="keys")

    def test_kubernetes(self):
        self.assert_starts(manifest("ConfigMap")["data"], MICROD_MODEL="m", MICROD_STATE="db",
                           MICROD_API_KEYS="keys")


class Image(unittest.TestCase):
    def test_label_has_the_version(self):
        self.assertIn(f'org.opencontainers.image.version="{VERSION}"', DOCKERFILE)

    def test_image_runs_as_nobody_special(self):
        last = DOCKERFILE[DOCKERFILE.rindex("\nFROM "):]
        self.assertRegex(last, r"(?m)^USER \d{4,}$")
        self.assertLess(last.index("\nRUN "), last.index("\nUSER "))
        for line in ("HEALTHCHECK ", "STOPSIGNAL SIGTERM", "EXPOSE 8080", "VOLUME /var/lib/micro"):
            self.assertIn("\n" + line, last)


class Kubernetes(unittest.TestCase):
    def setUp(self):
        self.set = manifest("StatefulSet")["spec"]
        self.pod = self.set["template"]["spec"]
        self.container, = self.pod["containers"]

    def test_structure(self):
        for entry in MANIFESTS:
            own = KINDS[entry["apiVersion"], entry["kind"]]
            schema = closed(["apiVersion", "kind", "metadata", *own], apiVersion=TEXT, kind=TEXT,
                            metadata=META, **own)
            faults = [f"{entry['kind']} {list(fault.absolute_path)}: {fault.message[:200]}"
                      for fault in Draft202012Validator(schema).iter_errors(entry)]
            self.assertEqual(faults, [])
        self.assertEqual({entry["kind"] for entry in MANIFESTS}, {kind for _, kind in KINDS})

    def test_selectors_find_the_pod_and_nothing_is_missing(self):
        labels = self.set["template"]["metadata"]["labels"]
        for selector in (self.set["selector"]["matchLabels"],
                         manifest("Service")["spec"]["selector"],
                         manifest("Service", "microd-pods")["spec"]["selector"],
                         manifest("PodDisruptionBudget")["spec"]["selector"]["matchLabels"],
                         manifest("NetworkPolicy")["spec"]["podSelector"]["matchLabels"]):
            self.assertLessEqual(selector.items(), labels.items())
        self.assertEqual(manifest("Service", self.set["serviceName"])["spec"]["clusterIP"], "None")
        manifest("ServiceAccount", self.pod["serviceAccountName"])
        for source in self.container["envFrom"]:
            manifest("ConfigMap", source["configMapRef"]["name"])
        volumes = {entry["name"] for entry in self.pod["volumes"]} | {
            entry["metadata"]["name"] for entry in self.set["volumeClaimTemplates"]}
        self.assertEqual({mount["name"] for mount in self.container["volumeMounts"]}, volumes)

    def test_ports_and_probes(self):
        port, = self.container["ports"]
        self.assertEqual(str(port["containerPort"]), manifest("ConfigMap")["data"]["MICROD_PORT"])
        for name in ("microd", "microd-pods"):
            self.assertEqual(manifest("Service", name)["spec"]["ports"][0]["targetPort"],
                             port["name"])
        for probe, path in (("startupProbe", "/livez"), ("livenessProbe", "/livez"),
                            ("readinessProbe", "/readyz")):
            get = self.container[probe]["httpGet"]
            self.assertEqual((get["path"], get["port"]), (path, port["name"]))
            self.assertEqual(contract.document()["paths"][path]["get"]["security"], [])

    def test_it_fits_the_image(self):
        context = self.pod["securityContext"]
        user = int(re.search(r"(?m)^USER (\d+)$", DOCKERFILE)[1])
        self.assertEqual({context["runAsUser"], context["runAsGroup"], context["fsGroup"]}, {user})
        self.assertEqual(self.container["image"], f"microd:{VERSION}")
        mounts = {mount["mountPath"] for mount in self.container["volumeMounts"]}
        data = manifest("ConfigMap")["data"]
        self.assertIn(re.search(r"(?m)^VOLUME (\S+)$", DOCKERFILE)[1], mounts)
        for key in ("MICROD_STATE", "MICROD_API_KEYS"):
            self.assertIn(data[key].rsplit("/", 1)[0], mounts)

    def test_a_request_in_flight_may_finish(self):
        self.assertLess(float(manifest("ConfigMap")["data"]["MICROD_GRACE"]),
                        self.pod["terminationGracePeriodSeconds"])


SERVICE_KEYS = {"build", "image", "restart", "ports", "environment", "secrets", "volumes",
                "read_only", "cap_drop", "security_opt", "stop_grace_period", "mem_limit",
                "pids_limit", "profiles", "command", "depends_on"}


def compose_tool(file, *words, password="x"):
    """What docker-compose says of a file, for which it needs no engine."""
    environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent"}
    if password is not None:
        environment["GRAFANA_PASSWORD"] = password
    return subprocess.run(["docker-compose", "--env-file", DEPLOY / ".env", "-f", file, *words],
                          env=environment, cwd=DEPLOY, capture_output=True, text=True,
                          timeout=60, check=False)


class Compose(unittest.TestCase):
    def test_its_tool_takes_it(self):
        told = compose_tool("compose.yaml", "config")
        self.assertEqual(told.returncode, 0, told.stderr)
        self.assertEqual(set(yaml.safe_load(told.stdout)["services"]), set(COMPOSE["services"]))
        told = compose_tool("compose.yaml", "config", password=None)
        self.assertNotEqual(told.returncode, 0)
        self.assertIn("set a password for Grafana", told.stderr)

    def test_its_tool_refuses_a_slip(self):
        with tempfile.TemporaryDirectory(prefix="micro-compose-") as folder:
            wrong = Path(folder) / "compose.yaml"
            wrong.write_text((DEPLOY / "compose.yaml").read_text()
                             .replace("pids_limit", "pid_limit"))
            told = compose_tool(wrong, "config")
        self.assertNotEqual(told.returncode, 0)
        self.assertIn("services.microd: 'pid_limit'", told.stderr)

    def test_structure(self):
        self.assertEqual(set(COMPOSE), {"services", "secrets", "volumes"})
        self.assertEqual(set(COMPOSE["services"]), {"microd", "tei", "prometheus", "grafana"})
        for name, service in COMPOSE["services"].items():
            self.assertLessEqual(set(service), SERVICE_KEYS, name)
            self.assertRegex(service["image"], r"^(microd|.+:.+)$", "an image needs a version")
            self.assertLessEqual(set(service.get("depends_on", [])), set(COMPOSE["services"]))

    def test_what_is_mounted_is_there(self):
        named = set()
        for service in COMPOSE["services"].values():
            for volume in service.get("volumes", []):
                source = volume.split(":")[0]
                if not source.startswith("."):
                    named.add(source)
                elif source != "./models":  # the user's
                    self.assertTrue((DEPLOY / source).exists(), source)
            self.assertLessEqual(set(service.get("secrets", [])), set(COMPOSE["secrets"]))
        self.assertEqual(named, set(COMPOSE["volumes"]))

    def test_nobody_else_is_let_in(self):
        for name, service in COMPOSE["services"].items():
            for port in service.get("ports", []):
                self.assertTrue(port.startswith("127.0.0.1:"), f"{name}: {port}")
        self.assertIn("MICROD_API_KEYS", COMPOSE["services"]["microd"]["environment"])

    def test_microd_has_no_more_than_it_needs(self):
        microd = COMPOSE["services"]["microd"]
        self.assertTrue(microd["read_only"])
        self.assertEqual(microd["cap_drop"], ["ALL"])
        self.assertIn(f"micro-state:{re.search(r'(?m)^VOLUME (.*)$', DOCKERFILE)[1]}",
                      microd["volumes"])

    def test_prometheus_scrapes_the_same_with_a_key(self):
        plain, keyed = (yaml.safe_load((DEPLOY / "prometheus" / name).read_text())
                        for name in ("prometheus.yml", "prometheus.compose.yml"))
        key = keyed["scrape_configs"][0].pop("authorization")
        self.assertEqual(keyed, plain)
        self.assertEqual(key, {"credentials_file": "/run/secrets/prometheus.key"})
        self.assertEqual(plain["scrape_configs"][0]["static_configs"][0]["targets"],
                         ["microd:8080"])

    def test_grafana_finds_dashboard_and_prometheus(self):
        folder = DEPLOY / "grafana/provisioning"
        source, = yaml.safe_load((folder / "datasources/prometheus.yml").read_text())["datasources"]
        self.assertEqual(source["url"], "http://prometheus:9090")
        provider, = yaml.safe_load((folder / "dashboards/micro.yml").read_text())["providers"]
        self.assertIn(f"./grafana/micro.json:{provider['options']['path']}/micro.json:ro",
                      COMPOSE["services"]["grafana"]["volumes"])


if __name__ == "__main__":
    main()
