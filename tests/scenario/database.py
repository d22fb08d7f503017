# SPDX-License-Identifier: Apache-2.0
"""A state database as schema/sqlite.sql has it, read without microd."""
import contextlib
import math
import sqlite3
import struct


@contextlib.contextmanager
def opened(path):
    """A read-only connection."""
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        yield connection


def integrity(path):
    with opened(path) as connection:
        return connection.execute("PRAGMA integrity_check").fetchall()


def event_ids(path):
    """(user, event id) of every event."""
    with opened(path) as connection:
        return connection.execute("SELECT user, id FROM events").fetchall()


def unpack(blob):
    return list(struct.unpack(f"<{len(blob) // 8}d", blob))


def hedge_step(state, losses, temperature, strength, drift):
    """core/model/hedge.c, operation by operation: the same bits."""
    step = strength / temperature
    state = [s - loss * step for s, loss in zip(state, losses)]
    most = max(state)
    total = 0.0
    for s in state:
        total += math.exp(s - most)
    log_total = math.log(total)
    state = [s - most - log_total for s in state]
    if drift > 0:
        share = math.log(drift / len(state))
        kept = [math.log1p(-drift) + s for s in state]
        state = [max(s, share) + math.log(math.exp(s - max(s, share)) +
                                          math.exp(share - max(s, share))) for s in kept]
    return state


def replay(path):
    """(user, context, model) -> (log-weights, updates, time) as the events make it."""
    states = {}
    with opened(path) as connection:
        events = connection.execute(
            "SELECT user, context, model, time_us, temperature, strength, drift, losses"
            " FROM events ORDER BY seq").fetchall()
    for user, context, model, time_us, *rates, losses in events:
        losses = unpack(losses)
        start = ([-math.log(len(losses))] * len(losses), 0, 0)
        before = states.get((user, "", model), start)
        for place, begin in {"": start, context: before}.items():
            state, updates, _ = states.get((user, place, model), (begin[0], 0, 0))
            states[user, place, model] = (hedge_step(state, losses, *rates), updates + 1, time_us)
    return states


def stored_states(path):
    """The same of the table: of a database whose daemon has stopped."""
    with opened(path) as connection:
        rows = connection.execute("SELECT user, context, model, log_weights, updates, updated_us"
                                  " FROM states").fetchall()
    return {tuple(row[:3]): (unpack(row[3]), *row[4:]) for row in rows}
