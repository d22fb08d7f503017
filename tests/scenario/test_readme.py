#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""README.md and the pages that go on from it keep their word: their ```sh blocks are run in order,
as a reader would run them.

They run in a copy of the repository, on a free port in place of 8080. The second of the two
commands, tests/run.sh, runs this very test and is therefore not run again. A ```json block after
a ```sh block is the end of the output that is promised, a line for each line: same keys, same
texts, near numbers. So is a ```text block, whose lines must come in this order; those that are
"..." stand for any others, and at the end of a line for its rest. Indented commands are of data that are not here: they run on smaller
files of the same names.
"""
import gzip
import json
import os
import re
import shutil
import socket
import subprocess

import models
from harness import BIN_DIR, PATIENCE, ROOT, Scenario, clean_environment, main
from ports import free_port

PAGES = ["README.md", "core/README.md", "server/README.md"]  # each goes on where the last ended
NOT_RUN = re.compile(r"(?m)^tests/run\.sh\b.*$")
INDENTED = re.compile(r"(?m)^    (micro\S* .*)$")
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(!?)\[[^\]]*\]\(([^)\s]+)\)")
MAX_PICTURE = 300_000
NUMBER = re.compile(r"(\d+(?:\.\d+)?)")
SHORTENED = "…"    # the README cuts ids
TOLERANCE = 0.05  # the last bits of a trained model depend on the machine's libm


def blocks(text):
    return [(match[1], match[2]) for match in BLOCK.finditer(text)]


def anchors(path):
    """Of a page's headings, as GitHub makes them."""
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
            for heading in re.findall(r"(?m)^#+ (.*)$", path.read_text())}


def same_word(got, promised):
    """The same but for numbers, which are near."""
    if promised.endswith(SHORTENED):
        return got.startswith(promised.removesuffix(SHORTENED))
    got, promised = NUMBER.split(got), NUMBER.split(promised)
    return got[::2] == promised[::2] and all(
        abs(float(a) - float(b)) <= TOLERANCE for a, b in zip(got[1::2], promised[1::2]))


def same_words(got, promised):
    if promised[-1] == "...":
        promised = promised[:-1]
        got = got[:len(promised)]
    return len(got) == len(promised) and all(map(same_word, got, promised))


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

    def same_lines(self, output, promised):
        lines = [line.split() for line in output.splitlines()]
        for line in promised.splitlines():
            if line.strip() in ("", "..."):
                continue
            words = line.split()
            while lines and not same_words(lines[0], words):
                lines.pop(0)
            self.assertTrue(lines, f"{line}\nis not in\n{output}")

    def run_page(self, page):
        """How many blocks were run."""
        output, n_run = "", 0
        for language, text in blocks((self.copy / page).read_text()):
            if language == "sh":
                text = NOT_RUN.sub("", text)
                done = self.run_shell(text)
                self.assertEqual(done.returncode, 0, f"{text}\n{done.stdout}\n{done.stderr}")
                output = done.stdout
                n_run += 1
            elif language == "json":
                promised = text.splitlines()
                got = output.splitlines()[-len(promised):]
                self.same_answer([json.loads(line) for line in got],
                                 [json.loads(line) for line in promised])
            elif language == "text":
                self.same_lines(output, text)
        return n_run

    def test_blocks_run_in_order(self):
        for page in PAGES:
            self.assertGreaterEqual(self.run_page(page), 1, page)
        # the end of the last page: a dry run, then the click
        done = self.run_shell("curl -s 127.0.0.1:8080/users/alan")
        self.assertEqual(json.loads(done.stdout)["events"], 1)

    def test_indented_commands_run_on_small_files(self):
        folder = self.folder / "small"
        train, test = models.demo_data(folder, users=40, pairs=6, test_users=3, test_pairs=12,
                                       context_pairs=450, context_test_pairs=30)
        for path in (train, test, folder / "context.train.jsonl", folder / "context.test.jsonl"):
            with gzip.open(f"{path}.gz", "wb") as file:
                file.write(path.read_bytes())
        commands = [command for page in PAGES for command in
                    INDENTED.findall(re.sub(r"\\\n *", "", (ROOT / page).read_text()))]
        self.assertTrue(commands)
        for command in commands:
            done = subprocess.run(["bash", "-euc", command], cwd=folder, capture_output=True,
                                  text=True, timeout=20 * PATIENCE, stdin=subprocess.DEVNULL,
                                  env=clean_environment(PATH=f"{BIN_DIR}:/usr/bin:/bin"))
            self.assertEqual(done.returncode, 0, f"{command}\n{done.stdout}{done.stderr}")
        self.assertTrue((folder / "report.html").stat().st_size > 0)

    def test_quickstart_twice_keeps_the_state(self):
        feedback = """curl -fsS -H 'Content-Type: application/json' 127.0.0.1:8080/feedback -d '
            {"user": "ada", "prompt": "p", "chosen": "a", "rejected": "b"}'"""
        for updates in (1, 2):
            done = self.run_shell("deploy/quickstart.sh >&2\n" + feedback)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(json.loads(done.stdout)["updates"], updates)
        self.assertIn("microd runs already", done.stderr)

    def test_what_it_points_to_is_there(self):
        pages = [ROOT / page for page in PAGES]
        for folder in ("deploy", "schema"):
            pages += (ROOT / folder).glob("**/*.md")
        pictures = 0
        for page in pages:
            for is_picture, target in LINK.findall(page.read_text()):
                name, _, anchor = target.partition("#")
                if re.match(r"https?:", name):
                    continue
                path = page.parent / name if name else page
                self.assertTrue(path.exists(), f"{page}: {target}")
                if anchor:
                    self.assertIn(anchor, anchors(path), f"{page}: {target}")
                if is_picture:
                    self.assertLess(path.stat().st_size, MAX_PICTURE, target)
                    pictures += 1
        self.assertGreater(pictures, 0)

    def test_the_two_commands_are_there(self):
        commands = [line.partition("#")[0].strip()
                    for language, text in blocks((ROOT / "README.md").read_text())
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
