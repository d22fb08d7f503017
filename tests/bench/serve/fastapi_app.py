# SPDX-License-Identifier: Apache-2.0
"""The same service as a Python team would write it: FastAPI, numpy, sqlite3.

POST /score and /feedback are tuned: raw body, ujson, numpy over all items at once. POST
/pydantic/score and /pydantic/feedback are written as FastAPI's documentation shows it. POST
/tensors/score takes safetensors. Vectors only: there is no encoder of texts.

Environment: BENCH_MODEL a model file with an mlp router, BENCH_STATE an SQLite file.
"""
import base64
import json
import os
import sqlite3
import struct
from typing import List, Optional, Union

import numpy as np
import ujson
from fastapi import FastAPI, HTTPException, Request, Response
from pydantic import BaseModel

JSON = "application/json"


def read_tensors(raw):
    """(name -> F32 array, metadata) of the bytes of a safetensors file."""
    size = struct.unpack_from("<Q", raw)[0]
    header = json.loads(bytes(raw[8:8 + size]))
    metadata = header.pop("__metadata__", {})
    tensors = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        flat = np.frombuffer(raw, "<f4", (end - begin) // 4, 8 + size + begin)
        tensors[name] = flat.reshape(entry["shape"])
    return tensors, metadata


class Model:
    """Heads and router; everything for many items at once."""

    def __init__(self, path):
        with open(path, "rb") as file:
            tensors, _ = read_tensors(file.read())
        self.heads = np.ascontiguousarray(tensors["heads.weight"].T)    # [dim, n_heads]
        self.center = tensors["heads.center"].astype(np.float64)
        self.layers = [np.ascontiguousarray(tensors[name]) for name in (
            "router.0.weight", "router.0.bias", "router.2.weight", "router.2.bias")]
        self.dim, self.n_heads = self.heads.shape

    def logits(self, prompts):
        """g(c,x): [n_items, n_heads]"""
        w0, b0, w2, b2 = self.layers
        hidden = prompts @ w0.T
        hidden += b0
        np.maximum(hidden, 0, out=hidden)
        return (hidden @ w2.T + b2).astype(np.float64)

    def rewards(self, responses):
        """r_k: [n_responses, n_heads]"""
        return (responses @ self.heads).astype(np.float64)


class State:
    """Users' log-weights in memory, each step durable in SQLite before it is answered."""

    def __init__(self, path):
        self.log_weights = {}
        self.db = sqlite3.connect(path, isolation_level=None)
        self.db.execute("PRAGMA busy_timeout = 10000")
        self.db.execute("PRAGMA journal_mode = WAL")
        self.db.execute("PRAGMA synchronous = FULL")
        self.db.execute("CREATE TABLE IF NOT EXISTS state (user TEXT PRIMARY KEY, "
                        "updates INTEGER, log_weights BLOB) WITHOUT ROWID")
        self.db.execute("CREATE TABLE IF NOT EXISTS event (user TEXT, id TEXT, losses BLOB, "
                        "PRIMARY KEY (user, id)) WITHOUT ROWID")

    def get(self, user, n_heads):
        return self.log_weights.get(user) or (0, np.zeros(n_heads))

    def learn(self, user, event_id, losses):
        """One Hedge step in one transaction; (updates, log-weights, whether it was known)."""
        self.db.execute("BEGIN IMMEDIATE")
        row = self.db.execute("SELECT updates, log_weights FROM state WHERE user = ?",
                              (user,)).fetchone()
        updates, s = (row[0], np.frombuffer(row[1])) if row else (0, np.zeros(len(losses)))
        new = self.db.execute("INSERT OR IGNORE INTO event VALUES (?, ?, ?)",
                              (user, event_id, losses.tobytes())).rowcount
        if new:
            s = s - losses
            s = s - np.logaddexp.reduce(s)
            updates += 1
            self.db.execute("INSERT INTO state VALUES (?, ?, ?) ON CONFLICT (user) DO UPDATE SET "
                            "updates = excluded.updates, log_weights = excluded.log_weights",
                            (user, updates, s.tobytes()))
        self.db.execute("COMMIT")
        self.log_weights[user] = (updates, s)
        return updates, s, not new


model = Model(os.environ["BENCH_MODEL"])
state = State(os.environ["BENCH_STATE"])
app = FastAPI()


def softmax(x):
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def score_rows(users, prompts, responses, counts):
    """Answers of items; prompts [n_items, dim], responses [sum of counts, dim]."""
    known = [state.get(user, model.n_heads) for user in users]
    weights = softmax(model.logits(prompts) + np.stack([s for _, s in known]))
    rewards = model.rewards(responses)
    centered = rewards - model.center
    answers, at = [], 0
    for i, n in enumerate(counts):
        item = {"rewards": (centered[at:at + n] @ weights[i]).tolist(),
                "weights": weights[i].tolist(), "updates": known[i][0]}
        if n == 2:
            p = 1 / (1 + np.exp(rewards[at + 1] - rewards[at]))
            item["preference"] = float(weights[i] @ p)
        answers.append(item)
        at += n
    return answers


def vector(value):
    """The numbers of {"embedding": ...}, checked."""
    numbers = value["embedding"]
    if isinstance(numbers, str):
        numbers = np.frombuffer(base64.b64decode(numbers, validate=True), "<f4")
    else:
        numbers = np.array(numbers, np.float32)
    if numbers.shape != (model.dim,):
        raise HTTPException(422, f"want {model.dim} numbers")
    return numbers


def stack(vectors):
    rows = np.stack(vectors)
    if not np.isfinite(rows).all():
        raise HTTPException(422, "not finite")
    return rows


def score_items(items):
    responses = [vector(r) for item in items for r in item["responses"]]
    return score_rows([item.get("user") for item in items],
                      stack([vector(item["prompt"]) for item in items]), stack(responses),
                      [len(item["responses"]) for item in items])


def learn(user, event_id, prompt, chosen, rejected):
    rewards = model.rewards(stack([chosen, rejected]))
    losses = np.logaddexp(0, rewards[1] - rewards[0])
    updates, s, duplicate = state.learn(user, event_id, losses)
    weights = softmax(model.logits(stack([prompt]))[0] + s)
    return {"user": user, "id": event_id, "weights": weights.tolist(), "updates": updates,
            "duplicate": duplicate}


@app.post("/score")
async def tuned_score(request: Request):
    body = ujson.loads(await request.body())
    if "items" in body:
        answer = {"items": score_items(body["items"])}
    else:
        answer = score_items([body])[0]
    return Response(ujson.dumps(answer), media_type=JSON)


@app.post("/feedback")
async def tuned_feedback(request: Request):
    body = ujson.loads(await request.body())
    answer = learn(body["user"], body["id"],
                   *(vector(body[name]) for name in ("prompt", "chosen", "rejected")))
    return Response(ujson.dumps(answer), media_type=JSON)


@app.post("/tensors/score")
async def tensors_score(request: Request):
    tensors, metadata = read_tensors(await request.body())
    prompts, responses = tensors["prompt"], tensors["responses"]
    fields = ujson.loads(metadata["request"])
    items = fields.get("items") or [fields]
    if prompts.shape[1:] != (model.dim,) or not np.isfinite(prompts).all():
        raise HTTPException(422, f"want {model.dim} numbers")
    answers = score_rows([item.get("user") for item in items], prompts, stack(responses),
                         [item.get("responses", len(responses)) for item in items])
    return Response(ujson.dumps({"items": answers} if "items" in fields else answers[0]),
                    media_type=JSON)


class Vector(BaseModel):
    embedding: Union[List[float], str]


class Item(BaseModel):
    user: Optional[str] = None
    context: Optional[str] = None
    prompt: Vector
    responses: List[Vector]


class Items(BaseModel):
    items: List[Item]


class Feedback(BaseModel):
    user: str
    id: str
    prompt: Vector
    chosen: Vector
    rejected: Vector


class Score(BaseModel):
    rewards: List[float]
    weights: List[float]
    updates: int
    preference: Optional[float] = None


class Scores(BaseModel):
    items: List[Score]


class Learnt(BaseModel):
    user: str
    id: str
    weights: List[float]
    updates: int
    duplicate: bool


@app.post("/pydantic/score", response_model=Union[Scores, Score])
async def idiomatic_score(request: Union[Items, Item]):
    if isinstance(request, Items):
        return {"items": score_items(request.dict()["items"])}
    return score_items([request.dict()])[0]


@app.post("/pydantic/feedback", response_model=Learnt)
async def idiomatic_feedback(request: Feedback):
    return learn(request.user, request.id, vector(request.prompt.dict()),
                 vector(request.chosen.dict()), vector(request.rejected.dict()))


@app.get("/livez")
async def livez():
    return {"status": "ok"}
