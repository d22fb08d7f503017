#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A process that may have no more memory: large requests are refused, small ones go on, nothing
that was acknowledged is lost, and when there is memory again all is as before."""
import http.client
import json
import os
import resource
import unittest

import models
from harness import Scenario, main
from load import feedback_body, score_body, seeded

BODY = 12 << 20
ROOM = 4 << 20     # what may be mapped besides what is
UNLIMITED = resource.RLIM_INFINITY


def mapped(pid):
    """Bytes of address space."""
    with open(f"/proc/{pid}/statm", encoding="ascii") as file:
        return int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")


@unittest.skipIf(os.environ.get("MICRO_SANITIZE"), "sanitizers map terabytes, and end without memory")
class NoMemory(Scenario):
    def setUp(self):
        super().setUp()
        model = self.folder / "m"
        models.write_vector_model(model)
        self.daemon = self.start(model, "--max-body", "16M", "--max-items", "1000000")
        self.daemon.expect_error("code=no_memory")
        self.rng = seeded(self)

    def limit(self, n_bytes):
        resource.prlimit(self.daemon.process.pid, resource.RLIMIT_AS, (n_bytes, UNLIMITED))

    def ask(self, path, body):
        """The status; 0: the connection was closed, the only answer for which there was no need of
        memory."""
        client = self.daemon.new_client()
        try:
            return client.post(path, body).status
        except (http.client.HTTPException, OSError):
            return 0
        finally:
            client.close()

    def test_large_requests_are_refused_and_small_ones_go_on(self):
        large = score_body(self.rng, "ada")
        large = json.dumps({"items": [large] * (BODY // len(str(large)))})
        acknowledged = 0
        self.assertEqual(self.ask("/score", score_body(self.rng, "ada")), 200)
        self.limit(mapped(self.daemon.process.pid) + ROOM)
        refused = [self.ask("/score", large) for _ in range(3)]
        self.assertTrue(set(refused) <= {503, 0} and 503 in refused, refused)
        for _ in range(20):
            self.assertIn(self.ask("/score", score_body(self.rng, "ada")), (200, 503, 0))
            acknowledged += self.ask("/feedback", feedback_body(self.rng, "ada")) == 200
        self.assertGreater(acknowledged, 0)
        self.assertIsNone(self.daemon.process.poll())
        self.limit(UNLIMITED)
        for _ in range(5):
            self.assertEqual(self.ask("/score", score_body(self.rng, "ada")), 200)
            self.assertEqual(self.ask("/feedback", feedback_body(self.rng, "ada")), 200)
        self.assertEqual(self.daemon.client.get("/readyz").status, 200)
        # what was applied although its answer did not come may be there besides
        self.assertGreaterEqual(self.daemon.client.get("/users/ada").json["events"],
                                acknowledged + 5)
        self.daemon.kill()
        self.daemon.start()
        self.assertGreaterEqual(self.daemon.client.get("/users/ada").json["events"],
                                acknowledged + 5)


if __name__ == "__main__":
    main()
