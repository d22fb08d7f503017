# SPDX-License-Identifier: Apache-2.0
"""wrk and redis-benchmark: one load on one server, and what it cost."""
import csv
import json
import statistics
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from servers import cpu_seconds, resident_mb

HERE = Path(__file__).resolve().parent
CONNECTIONS = 32
# Bodies so long that 32 of them at once would be answered by a slow server all too late
LONG_BODY = 1 << 20
CONNECTIONS_OF_LONG = 4
LOAD_THREADS = 2
TIMEOUT = 60  # seconds an answer may take


@dataclass
class Sample:
    """One load of a few seconds."""
    rate: float         # requests a second
    p50_ms: float
    p99_ms: float
    cpu_us: float       # the server's, a request
    busy: float         # cores that the server used
    resident_mb: float  # of the server, right after
    failed: int         # answers other than 2xx and 3xx, broken connections, timeouts
    requests: int


@dataclass
class Series:
    """The samples of one server under one load."""
    pairs: int = 1      # in a request
    samples: list = field(default_factory=list)

    def median(self, name):
        return statistics.median(getattr(sample, name) for sample in self.samples)

    @property
    def failed(self):
        return sum(sample.failed for sample in self.samples)

    def summary(self):
        names = ("rate", "p50_ms", "p99_ms", "cpu_us", "busy", "resident_mb")
        return {name: self.median(name) for name in names} | {
            "pairs_rate": self.median("rate") * self.pairs, "failed": self.failed,
            "requests": sum(sample.requests for sample in self.samples),
            "rates": [sample.rate for sample in self.samples]}


@dataclass
class Wrk:
    """A load: bodies in files, or one template of feedback."""
    kind: str           # score or feedback
    content_type: str
    files: list
    connection: str = "keep"
    connections: int = CONNECTIONS
    threads: int = LOAD_THREADS

    @classmethod
    def of_bodies(cls, folder, content_type, bodies, connection):
        """Bodies of /score."""
        folder.mkdir(parents=True)
        files = []
        for number, body in enumerate(bodies):
            files.append(folder / str(number))
            files[-1].write_bytes(body)
        few = max(map(len, bodies)) > LONG_BODY
        return cls("score", content_type, files, connection,
                   CONNECTIONS_OF_LONG if few else CONNECTIONS)

    def start(self, port, path, seconds):
        threads = min(self.threads, self.connections)
        files = list(self.files)
        if self.kind == "feedback":
            files.append(time.monotonic_ns())  # ids of this run are its own
        return subprocess.Popen(
            [str(a) for a in ("wrk", "-t", threads, "-c", self.connections, "-d",
                              f"{seconds}s", "--timeout", f"{TIMEOUT}s", "-s",
                              HERE / "load.lua", f"http://127.0.0.1:{port}/", "--", self.kind,
                              path, self.content_type, self.connection, *files)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    @staticmethod
    def finish(process, seconds):
        """Its result, as load.lua prints it."""
        output, _ = process.communicate(timeout=seconds + TIMEOUT)
        try:
            return json.loads(output.splitlines()[-1])
        except (IndexError, ValueError):
            raise RuntimeError(f"wrk: exit status {process.returncode}\n{output}") from None


def sample_of(result, cpu, megabytes):
    failed = sum(result[name] for name in ("bad_status", "connect", "read", "write", "timeout"))
    seconds, requests = result["seconds"], result["requests"]
    return Sample(requests / seconds, result["p50_ms"], result["p99_ms"],
                  cpu / max(requests, 1) * 1e6, cpu / seconds, megabytes, failed, requests)


def run_wrk(server, path, load, seconds):
    """One load on a server; its Sample."""
    before = cpu_seconds(server.pid)
    result = load.finish(load.start(server.port, path, seconds), seconds)
    return sample_of(result, cpu_seconds(server.pid) - before, resident_mb(server.pid))


def run_together(server, path, load, other_path, other, seconds):
    """Two loads at once; the first one's Sample, and what the second did."""
    background = other.start(server.port, other_path, seconds + 1)
    time.sleep(0.5)
    sample = run_wrk(server, path, load, seconds)
    return sample, other.finish(background, seconds)


class RedisLoad:
    """The same feedback as a script, from as many connections."""
    N_LOSSES = 10
    ID_RANGE = 10 ** 12

    def __init__(self, server):
        self.server = server
        script = (HERE / "feedback.redis.lua").read_text()
        self.sha = subprocess.run(
            ["redis-cli", "-p", str(server.port), "SCRIPT", "LOAD", script], check=True,
            capture_output=True, text=True, timeout=TIMEOUT).stdout.strip()

    def run_n(self, n):
        losses = [f"0.{k + 1}931471805599453" for k in range(self.N_LOSSES)]
        output = subprocess.run(
            ["redis-benchmark", "-p", str(self.server.port), "-c", str(CONNECTIONS), "-n", str(n),
             "-r", str(self.ID_RANGE), "--csv", "--precision", "3", "EVALSHA", self.sha, "0",
             "__rand_int__", *losses],
            check=True, capture_output=True, text=True, timeout=TIMEOUT).stdout
        rows = list(csv.DictReader(output.splitlines()))
        if not rows or b"ERR" in output.encode():
            raise RuntimeError(f"redis-benchmark:\n{output}")
        return rows[0]

    def run(self, seconds):
        """One load of about so many seconds."""
        rate = float(self.run_n(2000)["rps"])
        n = max(int(rate * seconds), 1000)
        before = cpu_seconds(self.server.pid)
        row = self.run_n(n)
        cpu = cpu_seconds(self.server.pid) - before
        return Sample(float(row["rps"]), float(row["p50_latency_ms"]),
                      float(row["p99_latency_ms"]), cpu / n * 1e6, cpu * float(row["rps"]) / n,
                      resident_mb(self.server.pid), 0, n)
