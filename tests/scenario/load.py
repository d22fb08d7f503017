# SPDX-License-Identifier: Apache-2.0
"""Clients that keep a daemon busy from threads of their own."""
import http.client
import random
import threading

import models
from models import embedding


def feedback_body(rng, user, **more):
    return {"user": user, "prompt": embedding(models.random_vector(rng)),
            "chosen": embedding(models.random_vector(rng)),
            "rejected": embedding(models.random_vector(rng))} | more


def score_body(rng, user):
    return {"user": user, "prompt": embedding(models.random_vector(rng)),
            "responses": [embedding(models.random_vector(rng)) for _ in range(2)]}


class Load:
    """n_clients threads, each of which calls work(client, number) until stop() or a lost
    connection; what work returns is kept. Any other exception is raised again by stop()."""

    def __init__(self, daemon, n_clients, work):
        self.work = work
        self.results = [[] for _ in range(n_clients)]
        self.lost = 0        # clients whose connection broke
        self.fault = None
        self.stopping = threading.Event()
        self.threads = [threading.Thread(target=self.run, args=(daemon.new_client(), number))
                        for number in range(n_clients)]
        for thread in self.threads:
            thread.start()

    def run(self, client, number):
        try:
            while not self.stopping.is_set():
                self.results[number].append(self.work(client, number))
        except (OSError, http.client.HTTPException):
            self.lost += 1
        except Exception as fault:  # pylint: disable=broad-except
            self.fault = fault
        finally:
            client.close()

    def count(self):
        return sum(len(results) for results in self.results)

    def stop(self):
        """End all threads; everything that work returned."""
        self.stopping.set()
        for thread in self.threads:
            thread.join(timeout=60)
            if thread.is_alive():
                raise AssertionError("a client does not end")
        if self.fault:
            raise self.fault
        return [result for results in self.results for result in results]


def seeded(test, number=0):
    return random.Random(f"{test.id()} {number}")
