# SPDX-License-Identifier: Apache-2.0
"""A mixed load for a while: resident memory must stay flat. See soak.sh."""
import argparse
import contextlib
import signal
import sys
import tempfile
import time
from pathlib import Path

import bodies
from loads import Wrk
from servers import MicrodServer, cpu_seconds, missing_programs, resident_mb
from targets import RESIDENT_MB

DIM = 384
GROWTH = 1.1    # of the second half over the second quarter, at most
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


def watch(server, seconds, every):
    """Resident memory, every now and then; a reload each time, too."""
    samples, begin = [], time.monotonic()
    while time.monotonic() - begin < seconds - every / 2:
        time.sleep(every)
        samples.append(resident_mb(server.pid))
        print(f"{time.monotonic() - begin:6.0f} s: {samples[-1]:.1f} MB, "
              f"{cpu_seconds(server.pid):.0f} s of CPU", flush=True)
        server.process.send_signal(signal.SIGHUP)
    return samples


def soak(options, folder):
    """Whether memory was flat, and all was answered."""
    model = bodies.write_model(folder, DIM)
    server = MicrodServer(folder, model, *options.options)
    loads = [make_load(folder, *load) for load in LOADS]
    with contextlib.ExitStack() as stack:
        stack.callback(server.stop)
        running = [load.start(server.port, f"/{load.kind}", options.seconds) for load in loads]
        samples = watch(server, options.seconds, options.every)
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
    print(f"most: {max(samples):.1f} MB, want <= {RESIDENT_MB} besides model and cache")
    return failed == 0 and growth <= GROWTH


def main():
    options = arguments()
    if missing := missing_programs(("wrk",), ("numpy",)):
        print(f"skipped: {', '.join(missing)} not there (deploy/install-packages.sh bench)")
        return 77
    with tempfile.TemporaryDirectory(prefix="micro-bench-") as folder:
        return 0 if soak(options, Path(folder)) else 1


if __name__ == "__main__":
    sys.exit(main())
