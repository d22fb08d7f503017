#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a container must show over HTTP: docker_smoke.py URL learns|remembers, with the API key
in MICRO_KEY, if there is one."""
import json
import os
import sys
import urllib.request

PAIR = ("Seven minutes, then cold water.",
        "Here is how, step by step: 1. bring water to the boil. 2. wait seven minutes.")
PROMPT = "How long do I boil an egg?"


def call(path, body=None):
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"}
    if "MICRO_KEY" in os.environ:
        headers["Authorization"] = f"Bearer {os.environ['MICRO_KEY']}"
    request = urllib.request.Request(sys.argv[1] + path, data, headers)
    with urllib.request.urlopen(request, timeout=10) as response:
        return json.load(response)


def score():
    return call("/score", {"user": "ada", "prompt": PROMPT, "responses": PAIR})


def learns():
    before = score()
    assert before["updates"] == 0, before
    for number in range(3):
        answer = call("/feedback", {"user": "ada", "prompt": PROMPT, "id": f"smoke-{number}",
                                    "chosen": PAIR[1], "rejected": PAIR[0]})
        assert (answer["updates"], answer["duplicate"]) == (number + 1, False), answer
    after = score()
    assert after["preference"] < before["preference"], (before, after)
    print("learns:", before["preference"], "->", after["preference"])


def remembers():
    assert score()["updates"] == 3, score()
    assert call("/users/ada")["events"] == 3
    again = call("/feedback", {"user": "ada", "prompt": PROMPT, "id": "smoke-0",
                               "chosen": PAIR[1], "rejected": PAIR[0]})
    assert again["duplicate"], again
    print("remembers: preference", score()["preference"])


{"learns": learns, "remembers": remembers}[sys.argv[2]]()
