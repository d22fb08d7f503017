# SPDX-License-Identifier: Apache-2.0
"""A TRL reward function: GRPOTrainer(reward_funcs=MicroReward("http://127.0.0.1:8080"), ...).

Picklable. The dataset's columns `user` and `context`, if there are any, say for whom. A 503 is tried
again when the server says, and a connection that breaks or is refused, as while it restarts, after
1, 2, 4 and up to 30 s; any other fault is an exception with the server's words, never a reward that
is not one.
"""
import json
import math
import time
import urllib.error
import urllib.request

TRIES, LONGEST_WAIT = 16, 30


def text(completion):
    """A text, or the one message that a chat's completion is."""
    if isinstance(completion, str):
        return completion
    if len(completion) != 1:
        raise ValueError(f"want one message as completion, got {len(completion)}")
    return completion[0]["content"]


def ask(request, timeout):
    """The answer's JSON."""
    for attempt in range(TRIES):
        wait = min(2 ** attempt, LONGEST_WAIT)
        try:
            with urllib.request.urlopen(request, timeout=timeout) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            fault = f"{error.code}: {error.read(2000).decode(errors='replace')}"
            if error.code != 503:
                break
            told = error.headers.get("Retry-After", "")
            wait = min(int(told), LONGEST_WAIT) if told.isdecimal() else 1
        except OSError as error:  # no connection, or one that broke
            fault = str(error)
        if attempt + 1 < TRIES:
            time.sleep(wait)
    raise RuntimeError(f"{request.full_url}: {fault}")


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
        rewards = [item["rewards"][0] for item in ask(request, self.timeout)["items"]]
        if len(rewards) != n or not all(map(math.isfinite, rewards)):
            raise ValueError(f"want {n} finite rewards, got {rewards[:5]}")
        return rewards
