# SPDX-License-Identifier: Apache-2.0
"""What trainers do to a reward server, from their documented behaviour: the payload, when they try
again, what they read. Plain HTTP, a new connection each time where they have one; waits are
shortened and counted instead.
"""
import http.client
import importlib.util
import json
import math
import re
import sys
from urllib.parse import urlsplit

import contract
from harness import ROOT, Answer

JSON_TYPE = re.compile(r"^application/(?:[\w.+-]+?\+)?json")  # what aiohttp's json() insists on


class ClientFault(Exception):
    """What ends a training, or its step."""


def recipe(name):
    """The module deploy/trainers/NAME.py."""
    spec = importlib.util.spec_from_file_location(name, ROOT / f"deploy/trainers/{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # pickle finds it there
    spec.loader.exec_module(module)
    return module


def post(url, payload, seen=None):
    """One POST on a connection of its own, held against the contract: (status, content type,
    body). seen gets the status, None where there was no answer."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=60)
    status, body = None, json.dumps(payload).encode()
    try:
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        connection.request("POST", target, body,
                           {"Content-Type": "application/json", "Accept": "*/*"})
        answer = Answer(connection.getresponse())
        status = answer.status
    except (OSError, http.client.HTTPException) as error:
        raise ClientFault(f"no answer: {error}") from error
    finally:
        connection.close()
        if seen is not None:
            seen.append(status)
    contract.check_exchange("POST", target, body, "application/json", answer)
    return answer.status, answer.headers.get("Content-Type", ""), answer.body


def aiohttp_json(status, kind, body):
    """raise_for_status() and json() of aiohttp."""
    if status >= 400:
        raise ClientFault(f"status {status}")
    if not JSON_TYPE.match(kind):
        raise ClientFault(f"content type {kind}")
    return json.loads(body)


def as_tensor(value):
    """torch.tensor([value]) takes a number or a list of one, and no text."""
    value = value[0] if isinstance(value, list) and len(value) == 1 else value
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ClientFault(f"no number: {value!r}")
    return float(value)


def openrlhf(urls, query, prompt, label, seen=None, tries=5):
    """One finished sample. With several servers the first gets it, the others empty arrays; any
    failure is tried again; the first server's answer is read."""
    answers = []
    for i, url in enumerate(urls):
        arrays = [query], [prompt], [label]
        payload = dict(zip(("query", "prompts", "labels"), arrays if i == 0 else ([], [], [])))
        for attempt in range(tries):
            try:
                answers.append(aiohttp_json(*post(url, payload, seen)))
                break
            except ClientFault:
                if attempt == tries - 1:
                    raise
    first = answers[0]
    scores = first.get("scores")
    return {"reward": as_tensor(first["rewards"]),
            "score": as_tensor(first["rewards"] if scores is None else scores),
            "logs": {name: as_tensor(value) for name, value in first["extra_logs"].items()}}


def openrlhf_2025(url, queries, prompts, labels):
    """A whole rollout in one POST."""
    answer = aiohttp_json(*post(url, {"query": queries, "prompts": prompts, "labels": labels}))
    return answer["rewards"]


def lightrft(url, queries, prompts):
    answer = aiohttp_json(*post(url, {"queries": queries, "prompts": prompts,
                                      "references": [""] * len(queries)}))
    assert "rewards" in answer
    return answer["rewards"]


def verl_vllm(address, text, seen=None, tries=16):
    """4xx is raised at once, anything else tried again."""
    for _ in range(tries):
        try:
            status, kind, body = post(f"http://{address}/classify", {
                "model": "rm", "input": text, "use_activation": False}, seen)
        except ClientFault:
            continue
        if 400 <= status < 500:
            raise ClientFault(f"status {status}")
        if status < 400:
            return aiohttp_json(status, kind, body)["data"][-1]["probs"][-1]
    raise ClientFault("no answer")


def vllm_messages(url, messages):
    """vLLM's other shape of the same: the server makes a text of the conversation."""
    answer = aiohttp_json(*post(url, {"model": "rm", "messages": messages,
                                      "use_activation": False}))
    return [one["probs"][-1] for one in answer["data"]]


def sglang_classify(url, texts):
    return [one["embedding"][0]
            for one in aiohttp_json(*post(url, {"model": "rm", "text": texts}))]


def slime(url, prompt, response, label=None, reward_key=None, seen=None, tries=10):
    """Every failure is tried again; the answer is the reward, or has it under reward_key."""
    for attempt in range(tries):
        try:
            answer = aiohttp_json(*post(url, {"prompt": prompt, "response": response,
                                              "label": label}, seen))
            return answer[reward_key] if reward_key else answer
        except ClientFault:
            if attempt == tries - 1:
                raise


def llamafactory(url, messages):
    """No look at the status; whatever has scores is an answer."""
    _, _, body = post(url, {"model": "model", "messages": messages})
    scores = json.loads(body)["scores"]
    assert all(math.isfinite(score) for score in scores)
    return scores


def rerank(url, query, documents, **more):
    return aiohttp_json(*post(url, {"model": "rm", "query": query, "documents": documents} | more))
