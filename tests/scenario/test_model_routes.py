#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""GET /model, /livez, /readyz, /metrics, /openapi.yaml."""
import models
from harness import Scenario, SharedDaemon, main
from models import embedding
from prometheus import parse_metrics

FEEDBACK = {"user": "ada", "prompt": embedding([1, 0, 0, 0]), "chosen": embedding([1, 0, 0, 0]),
            "rejected": embedding([0, 1, 0, 0])}


class ModelRoutes(SharedDaemon):
    @classmethod
    def make_model(cls, folder):
        models.write_vector_model(folder / "m", "mlp", {
            "heads.labels": '["terse","warm","careful"]', "heads.mask": "[false,false,true]",
            "train.objective": "by hand", "train.seed": "7"})
        return folder / "m"

    def test_model_says_what_is_served(self):
        answer = self.client.get("/model")
        self.assertEqual(answer.status, 200)
        model = answer.json
        self.assertRegex(model.pop("id"), "^[0-9a-f]{64}$")
        self.assertRegex(model.pop("version"), r"^\d+\.\d+\.\d+$")
        self.assertEqual(model, {
            "format": "micro/1", "n_heads": 3, "dim": 4, "encoder": "none:4",
            "router": {"kind": "mlp", "n_hidden": 2},
            "templates": {"phi": "{response}", "psi": "{context}\n{prompt}"},
            "labels": ["terse", "warm", "careful"], "masked": [2],
            "training": {"objective": "by hand", "seed": "7"}})
        self.assertEqual(self.client.get("/v1/model").body, answer.body)

    def test_livez_and_readyz(self):
        for prefix in ("", "/v1"):
            self.assertEqual(self.client.get(prefix + "/livez").json, {"status": "ok"})
            for path in ("/readyz", "/health"):
                self.assertEqual(self.client.get(prefix + path).json, {"status": "ready"})

    def test_metrics_are_prometheus_text(self):
        answer = self.client.get("/metrics")
        self.assertEqual(answer.status, 200)
        self.assertTrue(answer.headers["Content-Type"].startswith("text/plain; version=0.0.4"))
        samples, types = parse_metrics(answer.body.decode())
        self.assertTrue(samples)
        for name, _ in samples:
            self.assertTrue(name.startswith(("micro_", "process_")), name)
        self.assertEqual({kind for kind in types.values()}, {"counter", "gauge", "histogram"})

    def test_metrics_count_requests(self):
        def total():
            samples, _ = parse_metrics(self.client.get("/metrics").body.decode())
            return sum(value for (name, labels), value in samples.items()
                       if name.endswith("requests_total") and
                       any("feedback" in text for _, text in labels))
        before = total()
        for number in range(5):
            self.client.post("/feedback", FEEDBACK | {"user": f"metrics-{number}"})
        self.assertEqual(total(), before + 5)
        self.assertNotIn("metrics-0", self.client.get("/metrics").body.decode())

    def test_head_is_get_without_a_body(self):
        answer = self.client.request("HEAD", "/livez")
        self.assertEqual((answer.status, answer.body), (200, b""))


class ModelId(Scenario):
    def id_of(self, name, tensors=None, metadata=None):
        path = self.folder / name
        path.write_bytes(models.safetensors(tensors or models.vector_tensors(),
                                            models.vector_metadata() | (metadata or {})))
        daemon = self.start(path, state=self.folder / f"{name}.db")
        identity = daemon.client.get("/model").json["id"]
        daemon.stop()
        return identity

    def test_id_is_of_heads_and_encoder_only(self):
        usual = self.id_of("usual")
        self.assertEqual(self.id_of("router", models.vector_tensors("mlp")), usual)
        self.assertEqual(self.id_of("labels", metadata={"heads.labels": '["a","b","c"]'}), usual)
        self.assertEqual(self.id_of("mask", metadata={"heads.mask": "[true,false,false]"}), usual)
        other = models.vector_tensors() | {"heads.center": [0.0, 0.0, 0.5]}
        self.assertNotEqual(self.id_of("heads", other), usual)


if __name__ == "__main__":
    main()
