#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""README.md keeps its word: its ```sh blocks are run in order, as a reader would run them.

They run in a copy of the repository, on a free port in place of 8080. The second of the two
commands, tests/run.sh, runs this very test and is therefore not run again. A ```json block after
a ```sh block is the output that the README promises: same keys, same texts, near numbers. So is
a ```text block, whose lines must come in this order; those that are "..." stand for any others.
"""
import json
import os
import re
import shutil
import socket
import subprocess

from harness import PATIENCE, ROOT, Scenario, clean_environment, main

NOT_RUN = re.compile(r"^(git clone |cd \w|tests/run\.sh$|docker )")
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(!?)\[[^\]]*\]\(([^)\s]+)\)")
MAX_PICTURE = 300_000
NUMBER = re.compile(r"-?\d+(\.\d+)?")
SHORTENED = "…"    # the README cuts ids
TOLERANCE = 0.05  # the last bits of a trained model depend on the machine's libm


def blocks(text):
    return [(match[1], match[2]) for match in BLOCK.finditer(text)]


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


class Readme(Scenario):
    def setUp(self):
        super().setUp()
        self.copy = self.folder / "micro"
        shutil.copytree(ROOT, self.copy, symlinks=True,
                        ignore=shutil.ignore_patterns("build*", "run", ".git", "__pycache__"))
        self.port = str(free_port())
        self.addCleanup(self.run_shell, "deploy/stop.sh")

    def run_shell(self, commands):
        """The lines of one block, in one shell that ends at the first failure."""
        return subprocess.run(["bash", "-euc", commands.replace("8080", self.port)],
                              cwd=self.copy, stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=20 * PATIENCE,
                              env=clean_environment(PORT=self.port))

    def same_answer(self, got, promised, where=""):
        """got is what the README shows."""
        if isinstance(promised, dict):
            self.assertEqual(set(got), set(promised), where)
            for key, value in promised.items():
                self.same_answer(got[key], value, f"{where}/{key}")
        elif isinstance(promised, list):
            self.assertEqual(len(got), len(promised), where)
            for i, (a, b) in enumerate(zip(got, promised)):
                self.same_answer(a, b, f"{where}/{i}")
        elif isinstance(promised, float):
            self.assert_near(got, promised, TOLERANCE, where)
        elif not str(promised).endswith(SHORTENED):
            self.assertEqual(got, promised, where)

    def same_line(self, got, promised):
        """Words the same, numbers near."""
        if len(got) != len(promised):
            return False
        for a, b in zip(got, promised):
            if b.endswith(SHORTENED):
                if not a.startswith(b.removesuffix(SHORTENED)):
                    return False
            elif NUMBER.fullmatch(b):
                if not NUMBER.fullmatch(a) or abs(float(a) - float(b)) > TOLERANCE:
                    return False
            elif a != b:
                return False
        return True

    def same_lines(self, output, promised):
        lines = [line.split() for line in output.splitlines()]
        for line in promised.splitlines():
            if line.strip() in ("", "..."):
                continue
            while lines and not self.same_line(lines[0], line.split()):
                lines.pop(0)
            self.assertTrue(lines, f"{line}\nis not in\n{output}")

    def test_blocks_run_in_order(self):
        readme = self.copy / "README.md"
        output, n_run = "", 0
        for language, text in blocks(readme.read_text()):
            if language == "sh":
                lines = re.sub(r"\\\n", " ", text)
                if all(NOT_RUN.match(line) for line in lines.splitlines() if line.strip()):
                    continue
                done = self.run_shell(text)
                self.assertEqual(done.returncode, 0, f"{text}\n{done.stdout}\n{done.stderr}")
                output = done.stdout
                n_run += 1
            elif language == "json":
                self.same_answer(json.loads(output.strip().splitlines()[-1]), json.loads(text))
            elif language == "text":
                self.same_lines(output, text)
        self.assertGreaterEqual(n_run, 4)

    def test_quickstart_twice_keeps_the_state(self):
        feedback = """curl -fsS -H 'Content-Type: application/json' 127.0.0.1:8080/feedback -d '
            {"user": "ada", "prompt": "p", "chosen": "a", "rejected": "b"}'"""
        for updates in (1, 2):
            done = self.run_shell("deploy/quickstart.sh >&2\n" + feedback)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(json.loads(done.stdout)["updates"], updates)
        self.assertIn("microd runs already", done.stderr)

    def test_what_it_points_to_is_there(self):
        targets = LINK.findall((ROOT / "README.md").read_text())
        self.assertTrue([target for is_picture, target in targets if is_picture])
        for is_picture, target in targets:
            if re.match(r"https?://|#", target):
                continue
            path = ROOT / target.partition("#")[0]
            self.assertTrue(path.exists(), target)
            if is_picture:
                self.assertLess(path.stat().st_size, MAX_PICTURE, target)

    def test_the_two_commands_are_there(self):
        commands = [line for language, text in blocks((ROOT / "README.md").read_text())
                    if language == "sh" for line in text.splitlines()]
        for command in ("deploy/quickstart.sh", "tests/run.sh"):
            self.assertIn(command, commands)
            self.assertTrue(os.access(ROOT / command, os.X_OK), command)


class Quickstart(Scenario):
    def test_port_that_is_taken_is_said_at_once(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = str(taken.getsockname()[1])
            done = subprocess.run([ROOT / "deploy/quickstart.sh"], stdin=subprocess.DEVNULL,
                                  capture_output=True, text=True, timeout=PATIENCE,
                                  env=clean_environment(PORT=port))
        self.assertEqual(done.returncode, 1)
        self.assertIn(f"port {port} is taken", done.stderr)

    def test_port_that_is_no_number(self):
        done = subprocess.run([ROOT / "deploy/quickstart.sh"], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=PATIENCE,
                              env=clean_environment(PORT="http"))
        self.assertEqual(done.returncode, 1)
        self.assertIn("PORT=http", done.stderr)


if __name__ == "__main__":
    main()
