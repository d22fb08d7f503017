# SPDX-License-Identifier: Apache-2.0
"""verl's custom_reward_function: path is this file, name compute_score, and reward_kwargs has
url (http://HOST:8080/classify) and, where there are keys, key.

extra_info["prompt"] of the dataset is the prompt, a text or messages; its user and context, if
there are any, say for whom. Overload and what breaks is tried again as verl does; any other fault
is an exception, never a reward that is not one.
"""
import json
import math
import time
import urllib.error
import urllib.parse
import urllib.request

TRIES, LONGEST_WAIT = 16, 30


def ask(request):
    """The answer's JSON. 4xx is raised at once, with the server's words."""
    for attempt in range(TRIES):
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            fault = f"{error.code}: {error.read(2000).decode(errors='replace')}"
            if error.code < 500:
                break
        except OSError as error:  # no connection, or one that broke
            fault = str(error)
        if attempt + 1 < TRIES:
            time.sleep(min(2 ** attempt, LONGEST_WAIT))
    raise RuntimeError(f"{request.full_url}: {fault}")


def compute_score(data_source, solution_str, ground_truth, extra_info=None, *, url, key=None, **_):
    del data_source, ground_truth  # a reward model has no need of them
    prompt = extra_info["prompt"]
    if isinstance(prompt, str):
        prompt = [{"role": "user", "content": prompt}]
    whom = {name: extra_info[name] for name in ("user", "context") if extra_info.get(name)}
    messages = [*prompt, {"role": "assistant", "content": solution_str}]
    headers = {"Content-Type": "application/json"}
    if key:
        headers["Authorization"] = f"Bearer {key}"
    answer = ask(urllib.request.Request(
        url + ("?" + urllib.parse.urlencode(whom) if whom else ""),
        json.dumps({"messages": messages, "use_activation": False}).encode(), headers))
    reward = answer["data"][-1]["probs"][-1]
    if not math.isfinite(reward):
        raise ValueError(f"want a finite reward, got {reward}")
    return reward
