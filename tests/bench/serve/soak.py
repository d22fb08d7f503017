# SPDX-License-Identifier: Apache-2.0
"""A mixed load for a while: resident memory must stay flat and small. See soak.sh."""
import argparse
import contextlib
import signal
import sys
import tempfile
import time
from pathlib import Path

import bodies
from harness import SANITIZED
from loads import Wrk
from prometheus import read_metrics
from servers import MicrodServer, cpu_seconds, missing_programs, resident_mb
from targets import RESIDENT_MB

DIM = 384
GROWTH = 1.1    # of the second half over the second quarter, at most
WARM = 60       # seconds from which on that means something: before, each buffer is new once
CACHE = "micro_state_cache_bytes"
# (kind, form, pairs, connection, connections): what goes on at once
LOADS = [("score", "base64", 1, "keep", 8), ("score", "safetensors", 8, "keep", 2),
         ("score", "numbers", 1, "close", 2), ("feedback", "base64", 1, "keep", 8)]


def arguments():
    parser = argparse.ArgumentParser(prog="soak.sh", description=__doc__)
    parser.add_argument("--seconds", type=int, default=600, help="of load (600)")
    parser.add_argument("--every", type=int, default=10, help="seconds between two looks (10)")
    parser.add_argument("options", nargs="*", metavar="-- OPTION", help="of microd")
    return parser.parse_args()


def make_load(folder, kind, form, batch, connection, connections):
    case = bodies.Case(DIM, form, batch, connection)
    where = folder / f"{kind}-{form}-{batch}"
    if kind == "feedback":
        where.mkdir()
        template = where / "template"
        template.write_bytes(bodies.Writer(case).feedback())
        return Wrk(kind, bodies.JSON_TYPE, [template], connection, connections, 1)
    load = Wrk.of_bodies(where, *bodies.score_bodies(case), connection)
    load.connections, load.threads = connections, 1
    return load


def watch(server, model_mb, seconds, every):
    """Resident memory, and what of it is neither the model nor users' states, every now and then;
    a reload each time, too."""
    samples, own, begin = [], [], time.monotonic()
    while time.monotonic() - begin < seconds - every / 2:
        time.sleep(every)
        samples.append(resident_mb(server.pid))
        cache_mb = read_metrics(server.daemon.client)[CACHE] / 2 ** 20
        own.append(samples[-1] - model_mb - cache_mb)
        print(f"{time.monotonic() - begin:6.0f} s: {samples[-1]:.1f} MB, {own[-1]:.1f} besides the "
              f"model and {cache_mb:.1f} of users' states; {cpu_seconds(server.pid):.0f} s of CPU",
              flush=True)
        server.process.send_signal(signal.SIGHUP)
    return samples, own


def soak(options, folder):
    """Whether memory was flat and small, and all was answered."""
    model = bodies.write_model(folder, DIM)
    model_mb = model.stat().st_size / 2 ** 20
    server = MicrodServer(folder, model, *options.options)
    loads = [make_load(folder, *load) for load in LOADS]
    with contextlib.ExitStack() as stack:
        stack.callback(server.stop)
        running = [load.start(server.port, f"/{load.kind}", options.seconds) for load in loads]
        samples, own = watch(server, model_mb, options.seconds, options.every)
        results = [load.finish(process, options.seconds) for load, process in zip(loads, running)]
    failed = 0
    for (kind, form, batch, connection, _), result in zip(LOADS, results):
        bad = sum(result[name] for name in ("bad_status", "connect", "read", "write", "timeout"))
        failed += bad
        print(f"{kind} {form}, {batch}, {connection}: {result['requests']} requests, p99 "
              f"{result['p99_ms']:.1f} ms, {bad} failed")
    n = len(samples)
    growth = max(samples[n // 2:]) / max(samples[n // 4:max(n // 2, 1)])
    print(f"second half / second quarter: {growth:.3f}, want <= {GROWTH}")
    print(f"most besides model and users' states: {max(own):.1f} MB, want <= {RESIDENT_MB}")
    if SANITIZED:
        print("with a sanitizer's memory, which is not judged")
        return failed == 0
    if options.seconds < WARM:
        print(f"growth is judged from {WARM} seconds on")
        growth = 0
    return failed == 0 and growth <= GROWTH and max(own) <= RESIDENT_MB


def main():
    options = arguments()
    if missing := missing_programs(("wrk",), ("numpy",)):
        print(f"skipped: {', '.join(missing)} not there (deploy/install-packages.sh bench)")
        return 77
    with tempfile.TemporaryDirectory(prefix="micro-bench-") as folder:
        return 0 if soak(options, Path(folder)) else 1


if __name__ == "__main__":
    sys.exit(main())
