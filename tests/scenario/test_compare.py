#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""micro-model eval --compare and --adapt: methods side by side on the demo's made-up people.

The figures themselves have unit tests; here the real program trains, prints and writes: tables for
people, JSON for machines, one HTML page that needs nothing else.
"""
import hashlib
import html.parser
import json
import math
import os
import pty
import re
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from harness import PATIENCE, ROOT, Scenario, clean_environment, main, program, run

CONTEXTS = {"terse": 0, "warm": 1}
OBSERVED = ("--shots", "0,2,6", "--seeds", "2", "--heads", "4", "--encoder", "hash:512",
            "--epochs", "6")
ELSEWHERE = re.compile(r"""(?:src|href|action|data|poster|xlink:href)\s*=\s*["']?(?!#|data:)|@import"""
                       r"|url\(\s*[\"']?(?!#|data:)|<script", re.IGNORECASE)


FIGURES = ["Accuracy against feedback", "NLL against feedback", "Accuracy in each context",
           "NLL in each context", "Which heads speak for which prompt",
           "The head that knows each context best", "Every head in every context",
           "Pairs for the router", "Number of heads"]


class Page(html.parser.HTMLParser):
    """Which elements a page has."""

    def __init__(self, text):
        super().__init__()
        self.tags = set()
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        for name, _ in attributes:
            if name.startswith("on"):
                raise AssertionError(f"<{tag} {name}>: a script")


def write_pairs(path, pairs):
    path.write_text("".join(json.dumps(pair) + "\n" for pair in pairs), encoding="utf-8")
    return path


def in_contexts(pairs):
    """Every pair with a context of its user's, so that there is something to route by."""
    names = list(CONTEXTS)
    return [pair | {"context": names[hash_of(pair["user"]) % 2]} for pair in pairs]


def hash_of(text):
    return sum(text.encode())


class Compare(Scenario):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.data = Path(tempfile.mkdtemp(prefix="micro-scenario-"))
        cls.addClassCleanup(shutil.rmtree, cls.data)
        subprocess.run([ROOT / "deploy" / "demo-data.py", cls.data], check=True,
                       stdout=subprocess.DEVNULL)
        cls.train, cls.test = cls.data / "train.jsonl", cls.data / "test.jsonl"
        pairs = [json.loads(line) for line in cls.test.read_text().splitlines()]
        cls.route = write_pairs(cls.data / "route.jsonl", in_contexts(pairs[:200]))
        cls.contexts = write_pairs(cls.data / "contexts.jsonl", in_contexts(pairs[200:400]))

    def compare(self, methods, *options, status=0):
        done = run("micro-model", "eval", "--compare", methods, "--data", self.train, "--test",
                   self.test, *OBSERVED, *options, timeout=4 * PATIENCE)
        self.assertEqual(done[0], status, done)
        return done[1:]

    def compare_json(self, methods, *options):
        output, _ = self.compare(methods, "--json", *options)
        self.assertEqual(output.count("\n"), 1)
        return json.loads(output)

    def assert_score(self, score, n_seeds=2):
        self.assertEqual(set(score), {"accuracy", "nll"})
        for spread in score.values():
            self.assertEqual(set(spread), {"mean", "sd"})
            self.assertTrue(all(math.isfinite(value) and value >= 0 for value in spread.values()))
        self.assertLessEqual(score["accuracy"]["mean"], 1)
        if n_seeds == 1:
            self.assertEqual((score["accuracy"]["sd"], score["nll"]["sd"]), (0, 0))

    # ---- what is printed ----

    def test_tables_and_progress(self):
        output, progress = self.compare("bt,panel")
        self.assertIn("\nAccuracy after m feedbacks\nmethod", output)
        self.assertIn("\nNLL after m feedbacks\nmethod", output)
        self.assertRegex(output, r"\nbt +\*?0\.\d{3}±\.\d{3} +\*?0\.\d{3}±")
        self.assertRegex(output, r"\npanel +panel +hedge +4 +\d+\.\d s\n")
        self.assertNotIn("\033", output + progress)
        for line in output.splitlines()[2:]:
            self.assertLessEqual(len(line), 80, line)
        lines = progress.splitlines()
        self.assertEqual(len(lines), 4, progress)
        for i, line in enumerate(lines):
            name, seed = ("bt", "panel")[i // 2], i % 2 + 1
            self.assertRegex(line, rf"^\[{i + 1}/4\] {name}, seed {seed}: stage 1, heads: [14]  \d")

    def test_feedback_helps_where_it_is_used(self):
        result = self.compare_json("bt,panel", "--quiet")
        bt, panel = result["methods"]
        self.assertEqual([shot["shots"] for shot in panel["shots"]], [0, 2, 6])
        self.assertEqual(len({shot["nll"]["mean"] for shot in bt["shots"]}), 1)
        self.assertLess(panel["shots"][2]["nll"]["mean"], bt["shots"][2]["nll"]["mean"])
        self.assertGreater(panel["shots"][2]["accuracy"]["mean"],
                           bt["shots"][2]["accuracy"]["mean"])

    def test_same_seeds_same_figures(self):
        first, second = (self.compare_json("ensemble,lore,panel", "--quiet") for _ in range(2))
        for result in first, second:
            for method in result["methods"]:
                self.assertGreater(method.pop("seconds")["mean"], 0)
        self.assertEqual(first, second)

    def test_figures_are_those_of_train_and_eval(self):
        model = self.folder / "panel.safetensors"
        run("micro-model", "train", "--data", self.train, "--out", model, "--objective", "panel",
            "--heads", "4", "--encoder", "hash:512", "--epochs", "6", "--seed", "7",
            timeout=4 * PATIENCE)
        for adapt in "hedge", "none", "hyre", "lore":
            method = self.compare_json(f"panel+{adapt}", "--quiet", "--seeds", "1", "--seed",
                                       "7")["methods"][0]
            _, output, _ = run("micro-model", "eval", "--model", model, "--data", self.test,
                               "--shots", "0,2,6", "--adapt", adapt, "--json")
            for got, shot in zip(method["shots"], json.loads(output)["shots"], strict=True):
                self.assertEqual(got["nll"], {"mean": shot["nll"], "sd": 0})
                self.assertEqual(got["accuracy"], {"mean": shot["accuracy"], "sd": 0})

    def test_json_and_page_of_everything(self):
        page = self.folder / "report.html"
        result = self.compare_json("all", "--route", self.route, "--contexts", self.contexts,
                                   "--heads-curve", "2,4", "--budgets", "20,50", "--seeds", "1",
                                   "--report", page)
        self.assertEqual(set(result), {
            "train", "test", "route", "contexts", "encoder", "first_seed", "n_seeds", "methods",
            "left_out", "shots_missed", "heads_curve", "budget_curve", "router_map", "head_map",
            "sha256", "options", "version", "libraries"})
        self.assertEqual(result["sha256"], {name: hashlib.sha256(path.read_bytes()).hexdigest()
                                            for name, path in (("train", self.train),
                                                               ("test", self.test),
                                                               ("route", self.route),
                                                               ("contexts", self.contexts))})
        self.assertEqual(result["options"], {"heads": 4, "epochs": 6})
        self.assertIn("glibc", result["libraries"])
        self.assertEqual([method["name"] for method in result["methods"]],
                         ["bt", "static", "ensemble", "drm", "micro", "lore", "panel"])
        self.assertEqual([out["name"] for out in result["left_out"]], ["attributes"])
        self.assertIn("context", result["left_out"][0]["reason"])
        for method in result["methods"]:
            self.assertEqual({row["context"] for row in method["contexts"]}, set(CONTEXTS))
            self.assert_score(method["overall"], 1)
            self.assert_score(method["context_mean"], 1)
        self.assertEqual([point["n_heads"] for point in result["heads_curve"]["points"]], [2, 4])
        self.assertEqual([point["n_pairs"] for point in result["budget_curve"]["points"]],
                         [20, 50])
        weights = result["router_map"]["weights"]
        self.assertEqual(len(weights), len(result["router_map"]["prompts"]))
        self.assertTrue(all(name.split(": ")[0] in CONTEXTS
                            for name in result["router_map"]["prompts"]))
        for row in weights:
            self.assertEqual(len(row), 4)
            self.assert_near(sum(row), 1)
        self.assertEqual(len(result["head_map"]["accuracy"]), 2)
        self.check_page(page, result)

    def check_page(self, path, result):
        """One file: charts inside, no script, nothing from elsewhere."""
        text = path.read_text(encoding="utf-8")
        tags = Page(text).tags
        self.assertIn("svg", tags)
        self.assertFalse(tags & {"script", "link", "iframe", "object", "embed", "img"}, tags)
        self.assertIsNone(ELSEWHERE.search(text))
        for method in result["methods"]:
            self.assertIn(method["name"], text)
        self.assertEqual(re.findall(r"<h3>(.*?)</h3>", text), FIGURES)
        self.assertEqual(text.count("<figure>"), len(FIGURES))
        for digest in result["sha256"].values():
            self.assertIn(digest, text)
        self.assertIn(f"6 epochs; micro-model {result['version']}, {result['libraries']}.", text)
        self.assertNotIn("Not drawn:", text)
        self.assertEqual([entry.name for entry in path.parent.iterdir()], [path.name])

    def test_supervised_attributes_need_contexts(self):
        train = write_pairs(self.folder / "labelled.jsonl",
                            in_contexts([json.loads(line)
                                         for line in self.train.read_text().splitlines()[:500]]))
        _, output, _ = run("micro-model", "eval", "--compare", "attributes", "--data", train,
                           "--test", self.contexts, "--shots", "0", "--seeds", "1", "--encoder",
                           "hash:512", "--json", "--quiet", timeout=4 * PATIENCE)
        method = json.loads(output)["methods"][0]
        self.assertEqual(method["n_heads"], len(CONTEXTS))
        self.assert_score(method["context_mean"], 1)

    def test_without_users_there_is_no_feedback(self):
        files = []
        for path in self.train, self.test:
            pairs = [json.loads(line) for line in path.read_text().splitlines()[:300]]
            for pair in pairs:
                del pair["user"]
            files.append(write_pairs(self.folder / path.name, pairs))
        arguments = ("micro-model", "eval", "--compare", "bt,micro", "--data", files[0], "--test",
                     files[1], "--seeds", "1", "--heads", "2", "--encoder", "hash:64", "--quiet")
        status, output, errors = run(*arguments)
        self.assertEqual((status, errors), (0, ""))
        self.assertIn("\nleft out: feedback, because no user has more than 8 pairs (--shots)\n",
                      output)
        _, output, _ = run(*arguments, "--json")
        result = json.loads(output)
        self.assertEqual(result["shots_missed"], 8)
        self.assertEqual([[shot["shots"] for shot in method["shots"]]
                          for method in result["methods"]], [[0], [0]])
        status, output, errors = run(*arguments, "--shots", "0,1")
        self.assertEqual((status, output), (2, ""))
        self.assertIn("--shots 0,1: no user of ", errors)
        self.assertIn("the most that one has is 1", errors)

    # ---- what is refused, and the end ----

    def test_refusals_come_before_any_training(self):
        for options, status, fragment in (
                (["--budgets", "20"], 2, "--budgets needs the pairs of --route"),
                (["--route", self.route], 1, "no pair has a \"context\""),
                (["--report", self.folder], 1, str(self.folder)),
                (["--report", self.folder / "missing" / "page"], 1, "missing/page"),
                (["--report", self.train], 2, "is the file of --data"),
                (["--test", self.train], 2, "these are the pairs of --data"),
                (["--shots", "0,500"], 2, "--shots 0,500: no user of "),
                (["--adapt", "lore"], 2, "--adapt does not go with --compare"),
                (["--encoder", "hash:x"], 2, "--encoder")):
            output, errors = self.compare("bt,panel", *options, status=status)
            self.assertEqual(output, "")
            self.assertIn(fragment, errors)
            self.assertNotIn("stage 1", errors)

    def start_on_terminal(self, *options):
        """A comparison that draws on a terminal of ours; (process, the terminal's other end)."""
        ours, theirs = pty.openpty()
        process = subprocess.Popen(
            [program("micro-model"), "eval", "--compare", "panel", "--data", self.train, "--test",
             self.test, "--encoder", "hash:512", "--seeds", "1", *options],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=theirs,
            env=clean_environment(TERM="xterm", NO_COLOR="1"))
        os.close(theirs)
        self.addCleanup(process.stdout.close)
        self.addCleanup(os.close, ours)
        return process, ours

    def read_until(self, terminal, pattern):
        """What the terminal shows, until it matches."""
        seen, end = "", time.monotonic() + PATIENCE
        while not re.search(pattern, seen):
            self.assertLess(time.monotonic(), end, seen)
            try:
                seen += os.read(terminal, 4096).decode()
            except OSError as e:  # EIO: the program has ended
                self.fail(f"{e}; it does not match {pattern}: {seen!r}")
        return seen

    def test_ctrl_c_ends_in_order(self):
        page = self.folder / "report.html"
        process, terminal = self.start_on_terminal("--epochs", "100000", "--report", page)
        seen = self.read_until(terminal, r"epoch [2-9]\d*/100000")
        self.assertIn("about", seen)
        self.assertNotRegex(seen, r"\033\[\d*m")
        process.send_signal(signal.SIGINT)
        errors = self.read_until(terminal, r"interrupted (in|after) epoch")
        self.assertEqual(process.wait(timeout=PATIENCE), 130, errors)
        self.assertEqual(process.stdout.read(), b"")
        self.assertFalse(page.exists())

    # ---- --adapt of one model ----

    def test_adapt_goes_with_its_own_options(self):
        for options, fragment in (
                (["--adapt", "lore"], "--adapt needs --shots"),
                (["--tau", "0.5"], "--tau needs --shots"),
                (["--shots", "1", "--adapt", "hyre", "--tau", "1"],
                 "--tau goes with --adapt hedge"),
                (["--shots", "1", "--adapt", "lore", "--drift", "0.1"],
                 "--drift goes with --adapt hedge"),
                (["--test", "t"], "--test goes with --compare only"),
                (["--seeds", "2"], "--seeds goes with --compare only")):
            status, output, errors = run("micro-model", "eval", "--model", "m", "--data", "d",
                                         *options)
            self.assertEqual((status, output), (2, ""))
            self.assertIn(fragment, errors)


if __name__ == "__main__":
    main()
