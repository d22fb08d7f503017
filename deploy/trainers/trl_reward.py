# SPDX-License-Identifier: Apache-2.0
"""A TRL reward function: GRPOTrainer(reward_funcs=MicroReward("http://127.0.0.1:8080"), ...).

Picklable. The dataset's columns `user` and `context`, if there are any, say for whom. A fault is an
exception with the server's words, never a reward that is not one.
"""
import json
import math
import urllib.request


def text(completion):
    """A text, or the one message that a chat's completion is."""
    if isinstance(completion, str):
        return completion
    if len(completion) != 1:
        raise ValueError(f"want one message as completion, got {len(completion)}")
    return completion[0]["content"]


class MicroReward:
    __name__ = "micro_reward"  # TRL logs under this name

    def __init__(self, url, key=None, timeout=120):
        self.url, self.key, self.timeout = url.rstrip("/"), key, timeout

    def __call__(self, prompts, completions, user=None, context=None, **_):
        n = len(completions)
        items = [{"prompt": p, "responses": [text(c)], "user": u, "context": x}
                 for p, c, u, x in zip(prompts, completions, user or [None] * n,
                                       context or [None] * n, strict=True)]
        if not items:
            return []
        headers = {"Content-Type": "application/json"}
        if self.key:
            headers["Authorization"] = f"Bearer {self.key}"
        request = urllib.request.Request(f"{self.url}/score", json.dumps({"items": items}).encode(),
                                         headers)
        with urllib.request.urlopen(request, timeout=self.timeout) as answer:
            rewards = [item["rewards"][0] for item in json.load(answer)["items"]]
        if len(rewards) != n or not all(map(math.isfinite, rewards)):
            raise ValueError(f"want {n} finite rewards, got {rewards[:5]}")
        return rewards
