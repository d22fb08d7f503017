# SPDX-License-Identifier: Apache-2.0
"""A microd whose vectors come from an embedding server of the test."""
import models
from embedding_server import PROBE, EmbeddingServer, vector_of
from harness import Scenario
from prometheus import read_metrics

SPEC = "openai:4?model=tiny&use_activation=false"
TEMPLATES = {"template.phi": "{prompt}|{response}", "template.psi": "{context}|{prompt}"}
BODY = {"prompt": "p", "context": "c", "responses": ["a", "b"]}


class Served(Scenario):
    """A model whose vectors come from a server of the test."""

    def setUp(self):
        super().setUp()
        self.server = EmbeddingServer(models.DIM)
        self.addCleanup(self.server.stop)
        self.model = self.folder / "model.safetensors"
        self.reference = self.write_model()
        self.daemon = None

    def write_model(self, spec=SPEC, salt=""):
        fingerprint = models.floats_base64(vector_of(PROBE, models.DIM, salt))
        return models.write_vector_model(
            self.model, metadata={"encoder": spec, "encoder.fingerprint": fingerprint, **TEMPLATES})

    def serve(self, *options, url=None, **more):
        self.daemon = self.start(self.model, "--encoder-url", url or self.server.openai, *options,
                                 **more)
        return self.daemon

    def expected(self, body=None, salt=""):
        """Rewards of /score by the reference, of a nobody."""
        body = body or BODY
        psi = vector_of(f"{body.get('context', '')}|{body['prompt']}", models.DIM, salt)
        rows = [vector_of(f"{body['prompt']}|{text}", models.DIM, salt)
                for text in body["responses"]]
        weights = self.reference.weights(psi, self.reference.start())
        return [sum(w * (sum(h * x for h, x in zip(head, row)) - c)
                    for w, head, c in zip(weights, models.HEADS, models.CENTER)) for row in rows]

    def assert_scores(self, body=None, daemon=None):
        body = body or BODY
        answer = (daemon or self.daemon).client.post("/score", body)
        self.assertEqual(answer.status, 200, answer)
        # the vectors are exact; products with weights that are not are not
        for got, want in zip(answer.json["rewards"], self.expected(body), strict=True):
            self.assert_near(got, want, 1e-5 * max(1, abs(want)))

    def metric(self, name):
        return read_metrics(self.daemon.client)[f"micro_encoder_{name}"]
