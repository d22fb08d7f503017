# SPDX-License-Identifier: Apache-2.0
"""microd beside the servers that one would compare it with, in turn, in one run. See serve.sh."""
import argparse
import contextlib
import http.client
import json
import os
import platform
import re
import sys
import tempfile
import time
from pathlib import Path

import bodies
import report
import targets
from harness import program
from loads import RedisLoad, Series, Wrk, run_together, run_wrk
from servers import (FastApi, MicrodServer, Nginx, NoWork, Redis, missing_programs, resident_mb)

PROGRAMS = ("wrk", "nginx", "redis-server", "redis-benchmark", "redis-cli")
MODULES = ("fastapi", "numpy", "ujson", "uvicorn", "uvloop", "httptools")
FEEDBACK_DIM = 384
SCORE_CONNECTIONS = 8       # beside the full load of feedback
NEARLY = 1e-3               # rewards of float32 sums in another order


def arguments():
    parser = argparse.ArgumentParser(prog="serve.sh", description=__doc__)
    parser.add_argument("--quick", action="store_true",
                        help="one round of a second of the shortest cases; no figures to quote")
    parser.add_argument("--only", default="", metavar="REGEX",
                        help="cases whose name matches, such as 'D=384 base64, 1' or feedback")
    parser.add_argument("--rounds", type=int, default=3, help="of each load (3)")
    parser.add_argument("--seconds", type=int, default=2, help="of each load (2)")
    parser.add_argument("--json", metavar="FILE", help="write everything that was measured")
    parser.add_argument("--folder", help="for databases, on the disk to be measured (TMPDIR)")
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.seconds = 1, 1
    return options


class Bench:
    """One run."""

    def __init__(self, options, folder):
        self.options = options
        self.folder = Path(folder)
        self.series = {}
        self.verdicts = []
        self.memory = {}
        self.running = {}

    def wanted(self, name):
        return re.search(self.options.only, name)

    def start(self, stack, server):
        """Run a server until the stack is left."""
        self.running[server.name] = server
        stack.callback(server.stop)
        return server

    def measure(self, case, pairs, contenders, closest=()):
        """contenders: name -> call that makes one Sample. All of them, round by round, each
        time in another order; then those of closest, whose ratio has a target that is not far,
        in as many rounds again and one more."""
        def run_in_turn(names, n_rounds):
            for turn in range(n_rounds):
                for name in names[turn % len(names):] + names[:turn % len(names)]:
                    series = self.series.setdefault((case, name), Series(pairs))
                    series.samples.append(contenders[name]())
        run_in_turn(list(contenders), self.options.rounds)
        if closest:
            run_in_turn(list(closest), self.options.rounds + 1)
        for name in contenders:
            report.print_row(case, name, self.series[case, name])

    def score_cases(self):
        cases = [case for case in bodies.all_cases() if self.wanted(case.name)]
        if self.options.quick:
            cases = [case for case in cases if case.batch == 1 and case.dim < 3072]
        return cases

    def score(self):
        """All cases of /score, those of a model together."""
        cases = self.score_cases()
        for dim in sorted({case.dim for case in cases}):
            with contextlib.ExitStack() as stack:
                folder = self.folder / f"score-{dim}"
                model = bodies.write_model(self.make(folder), dim)
                microd = self.start(stack, MicrodServer(folder, model))
                self.start(stack, NoWork(folder))
                self.start(stack, Nginx(folder))
                if dim:
                    self.start(stack, FastApi(folder, model))
                for case in cases:
                    if case.dim == dim:
                        self.score_case(folder, case)
                self.memory[f"model of D={dim or bodies.TEXT_DIM}"] = {
                    "resident_mb": resident_mb(microd.pid),
                    "model_mb": model.stat().st_size / 2 ** 20}

    def make(self, folder):
        folder.mkdir()
        return folder

    def score_case(self, folder, case):
        content_type, texts = bodies.score_bodies(case)
        load = Wrk.of_bodies(folder / case.name.replace(" ", "-"), content_type, texts,
                             case.connection)
        paths = {"microd": "/score", "no_work": "/score", "nginx": "/score"}
        if case.form == "safetensors":
            paths |= {"fastapi": "/tensors/score"}
        elif case.dim:
            paths |= {"fastapi": "/score", "pydantic": "/pydantic/score"}
        check_same_answers(self.running, paths, texts[0], content_type)
        servers = {name: self.running["fastapi" if name == "pydantic" else name]
                   for name in paths}
        self.measure(case.name, case.batch, {
            name: (lambda name=name: run_wrk(servers[name], paths[name], load,
                                             self.options.seconds)) for name in paths},
                     ("microd", "no_work") if case.name in targets.OVER_NO_WORK else ())

    def feedback(self):
        """Durable feedback: of vectors, and of texts, which FastAPI cannot read."""
        for name, dim in ((targets.FEEDBACK_TEXT, 0), (targets.FEEDBACK, FEEDBACK_DIM)):
            if self.wanted(name):
                self.feedback_case(name, dim)

    def feedback_case(self, name, dim):
        case = bodies.Case(dim, "base64" if dim else "text", 1, "keep")
        folder = self.make(self.folder / f"feedback-{dim}")
        model = bodies.write_model(folder, dim)
        template = folder / "template"
        template.write_bytes(bodies.Writer(case).feedback())
        load = Wrk("feedback", bodies.JSON_TYPE, [template])
        seconds = self.options.seconds
        with contextlib.ExitStack() as stack:
            microd = self.start(stack, MicrodServer(folder, model))
            redis = RedisLoad(self.start(stack, Redis(folder)))
            contenders = {"microd": lambda: run_wrk(microd, "/feedback", load, seconds),
                          "redis": lambda: redis.run(seconds)}
            if dim:
                # one process: more of them would wait for each other's transactions
                fastapi = self.start(stack, FastApi(folder, model, n_workers=1))
                contenders |= {
                    "fastapi": lambda: run_wrk(fastapi, "/feedback", load, seconds),
                    "pydantic": lambda: run_wrk(fastapi, "/pydantic/feedback", load, seconds)}
            self.measure(name, 1, contenders)
            if dim:
                self.score_beside_feedback(folder, case, microd, load)

    def score_beside_feedback(self, folder, case, microd, feedback):
        """The p99 of /score while feedback comes as fast as it is answered, and without. Where a
        thread runs decides more about a p99 than about other figures: so there are more rounds,
        alone and beside by turns, each time another first, and of the ratios the median counts."""
        content_type, texts = bodies.score_bodies(case)
        score = Wrk.of_bodies(folder / "score", content_type, texts, "keep")
        score.connections = SCORE_CONNECTIONS
        seconds = self.options.seconds
        alone, beside = (self.series.setdefault((f"score {what}", "microd"), Series())
                         for what in ("alone", "beside feedback"))
        learnt = []

        def score_alone():
            alone.samples.append(run_wrk(microd, "/score", score, seconds))

        def score_beside():
            sample, other = run_together(microd, "/score", score, "/feedback", feedback, seconds)
            beside.samples.append(sample)
            learnt.append(other["requests"] / other["seconds"])
        for turn in range(2 * self.options.rounds + 1):
            for run in (score_alone, score_beside)[::1 if turn % 2 else -1]:
                run()
        report.print_row("score alone", "microd", alone)
        report.print_row("score beside feedback", "microd", beside)
        report.print_beside(alone, beside, learnt)
        self.verdicts.append(targets.Verdict(
            "p99 of /score under full feedback / without",
            targets.ratio(beside, alone, "p99_ms"), "<=", targets.P99_UNDER_FEEDBACK))

    def judge(self):
        """All targets of what was measured."""
        self.verdicts = (targets.score_verdicts(self.series) +
                         targets.feedback_verdicts(self.series) + self.verdicts)
        for subject, memory in self.memory.items():
            self.verdicts.append(targets.Verdict(
                f"{subject}: resident MB without the model's",
                memory["resident_mb"] - memory["model_mb"], "<=", targets.RESIDENT_MB))

    def summary(self):
        return {"machine": machine(), "rounds": self.options.rounds,
                "seconds": self.options.seconds,
                "series": [{"case": case, "server": server, **series.summary()}
                           for (case, server), series in self.series.items()],
                "over_no_work": [dict(zip(("case", "cpu", "rate"), row))
                                 for row in targets.over_no_work(self.series)],
                "memory": self.memory,
                "targets": [verdict.summary() for verdict in self.verdicts]}


def post(port, path, content_type, body):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("POST", path, body=body, headers={"Content-Type": content_type})
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    if answer.status != 200:
        raise RuntimeError(f"{path}: {answer.status} {text[:500]!r}")
    return json.loads(text)


def check_same_answers(running, paths, body, content_type):
    """What is compared must do the same work."""
    ours = post(running["microd"].port, paths["microd"], content_type, body)
    for path in {paths.get("fastapi"), paths.get("pydantic")} - {None}:
        theirs = post(running["fastapi"].port, path, content_type, body)
        for mine, other in zip(ours.get("items", [ours]), theirs.get("items", [theirs])):
            for name in ("rewards", "weights"):
                for a, b in zip(mine[name], other[name], strict=True):
                    if not abs(a - b) <= NEARLY:
                        raise RuntimeError(f"fastapi{path}: {name} {other[name]}, "
                                           f"microd: {mine[name]}")


def machine():
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.split(": ")[1] for line in lines if line.startswith("model name")),
                 platform.machine())
    return {"processor": model, "cores": os.cpu_count(), "kernel": platform.release(),
            "date": time.strftime("%Y-%m-%d"), "load_average": os.getloadavg()[0]}


def main():
    options = arguments()
    if missing := missing_programs(PROGRAMS, MODULES):
        print(f"skipped: {', '.join(missing)} not there (deploy/install-packages.sh bench)")
        return 77
    for name in ("microd", "micro-model", "bench_no_work"):
        if not program(name).exists():
            print(f"{program(name)} is not there; MICRO_BIN_DIR names its folder")
            return 1
    with tempfile.TemporaryDirectory(prefix="micro-bench-", dir=options.folder) as folder:
        bench = Bench(options, folder)
        report.print_head(machine(), options)
        bench.score()
        bench.feedback()
    if not bench.series:
        print(f"no case matches {options.only}")
        return 1
    bench.judge()
    report.print_ratios(targets.over_no_work(bench.series))
    report.print_verdicts(bench.verdicts)
    if options.json:
        Path(options.json).write_text(json.dumps(bench.summary(), indent=1) + "\n")
    failed = sum(series.failed for series in bench.series.values())
    if failed:
        print(f"{failed} requests failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
