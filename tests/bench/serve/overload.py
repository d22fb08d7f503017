# SPDX-License-Identifier: Apache-2.0
"""Three times as many requests as microd can answer, sent whether it answers or not. See
overload.sh."""
import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import bodies
from harness import SANITIZED, program
from servers import MicrodServer, resident_mb

GOODPUT = 0.8           # of the capacity, at least
GROWTH = 1.1            # of the memory after the first quarter, at most
SAMPLE_SECONDS = 0.25
CHECK_MB = 400          # connections and bodies that may be pending, and all else
ALL_PROCESSORS = os.sched_getaffinity(0)


def arguments():
    parser = argparse.ArgumentParser(prog="overload.sh", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60, help="of overload (60)")
    parser.add_argument("--times", type=float, default=3, help="the capacity (3)")
    parser.add_argument("--dim", type=int, default=3072, help="0: texts (3072)")
    parser.add_argument("--form", default="numbers",
                        help="text, base64, numbers or safetensors (numbers)")
    parser.add_argument("--batch", type=int, default=1, help="pairs in a request (1)")
    parser.add_argument("--check", action="store_true",
                        help="only what holds on a busy machine, too: answers go on, memory is "
                             "bounded")
    parser.add_argument("options", nargs="*", metavar="-- OPTION", help="of microd")
    return parser.parse_args()


def load(server, rate, seconds, request):
    """One run of load.c, on the last processor; what it prints."""
    processors = sorted(os.sched_getaffinity(server.pid))
    own = {max(ALL_PROCESSORS)} - set(processors) or set(processors)
    done = subprocess.run([program("bench_load"), str(server.port), str(rate), str(seconds),
                           str(request)], check=True, capture_output=True, text=True,
                          timeout=seconds + 120,
                          preexec_fn=lambda: os.sched_setaffinity(0, own))
    return json.loads(done.stdout)


class Memory(threading.Thread):
    """Samples of a server's resident memory, until stop()."""

    def __init__(self, server):
        super().__init__()
        self.server = server
        self.samples = []
        self.stopping = threading.Event()
        self.start()

    def run(self):
        while not self.stopping.wait(SAMPLE_SECONDS):
            self.samples.append(resident_mb(self.server.pid))

    def stop(self):
        self.stopping.set()
        self.join()
        return self.samples


def write_request(path, case):
    """The whole HTTP request."""
    content_type, texts = bodies.score_bodies(case)
    head = (f"POST /score HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {content_type}\r\n"
            f"Content-Length: {len(texts[0])}\r\n\r\n")
    path.write_bytes(head.encode() + texts[0])


def show(what, result):
    times = ", ".join(f"{name.replace('_', ' ')} {result[name]:.0f}" for name in (
        "ok_p50_ms", "ok_p99_ms", "refused_p50_ms", "refused_p99_ms") if name in result)
    print(f"{what}: goodput {result['goodput']:.0f}/s; {result['ok']} answered, "
          f"{result['refused']} refused, {result['broken']} broken, {result['timed_out']} timed "
          f"out, {result['unsent']} not sent because all connections waited; {times}, behind "
          f"{result['behind_ms']:.0f}", flush=True)


def measure(options, folder):
    """Whether all targets were met."""
    case = bodies.Case(options.dim, options.form, options.batch, "keep")
    request = folder / "request"
    write_request(request, case)
    if len(ALL_PROCESSORS) > 1:
        # more load must not mean less processor for the server
        os.sched_setaffinity(0, ALL_PROCESSORS - {max(ALL_PROCESSORS)})
    server = MicrodServer(folder, bodies.write_model(folder, options.dim), *options.options)
    try:
        capacity_seconds = max(options.seconds / 10, 1)
        before = load(server, 0, capacity_seconds, request)
        show("closed loop, 32 connections", before)
        memory = Memory(server)
        begin = time.monotonic()
        over = load(server, round(options.times * before["goodput"]), options.seconds, request)
        seconds = time.monotonic() - begin
        samples = memory.stop()
        show(f"open loop, {options.times:g} times that for {options.seconds:g} s", over)
        after = load(server, 0, capacity_seconds, request)
        show("closed loop again", after)
    finally:
        server.stop()
    capacity = (before["goodput"] + after["goodput"]) / 2
    return after["ok"] > 0 and judge(options, over, capacity, samples, seconds)


def judge(options, over, capacity, samples, seconds):
    n_during = max(int(options.seconds / seconds * len(samples)), 4)
    quarter, during = samples[:n_during // 4], samples[:n_during]
    growth = max(during) / max(quarter)
    goodput = over["goodput"] / capacity
    lost = over["broken"] + over["timed_out"] + over["other_status"]
    print(f"goodput / capacity: {goodput:.2f}, want >= {GOODPUT}")
    # at the end all connections are replaced by those that waited, before they are cleared away
    print(f"resident: {max(quarter):.0f} MB in the first quarter, {max(during):.0f} MB at most: "
          f"{growth:.2f} times, want <= {GROWTH}; {max(samples):.0f} MB when the load ends")
    print(f"neither answered nor refused: {lost}, want 0")
    if options.check:
        # a sanitizer keeps what was freed
        limit = CHECK_MB * (2 if SANITIZED else 1)
        return over["ok"] > 0 and over["other_status"] == 0 and max(samples) < limit
    return goodput >= GOODPUT and growth <= GROWTH and lost == 0


def main():
    options = arguments()
    with tempfile.TemporaryDirectory(prefix="micro-bench-") as folder:
        return 0 if measure(options, Path(folder)) else 1


if __name__ == "__main__":
    sys.exit(main())
