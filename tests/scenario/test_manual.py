#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""microd(8) and micro-model(1): every command and option of --help is in the page, mandoc and man
find no fault in it, and cmake --install puts it where man looks."""
import re
import shutil
import subprocess
import unittest

from harness import BIN_DIR, PATIENCE, Scenario, clean_environment, main, run

PAGES = {"microd": "microd.8", "micro-model": "micro-model.1"}


def words(text):
    """Words alone, whatever the line breaks."""
    return " ".join(text.split())


def commands_of(program):
    """The names of the commands that --help lists."""
    text = run(program, "--help")[1]
    listed = re.search(r"(?m)^commands.*:\n((?:  .*\n)+)", text)[1]
    return re.findall(r"(?m)^  (\S+) ", listed)


def entries_of(text):
    """(option as it is shown, description) for each option of a --help."""
    found = re.findall(r"(?m)^  (--\S+(?: \S+)?)\n((?:      .*\n)+)", text)
    return [(option, words(description)) for option, description in found]


class Manual(Scenario):
    def shown(self, page):
        """The page as a terminal shows it, without emphasis."""
        done = subprocess.run(["mandoc", "-Tascii", "-Owidth=200", BIN_DIR / page],
                              capture_output=True, text=True, timeout=PATIENCE, check=True)
        return words(re.sub(".\b", "", done.stdout))

    @unittest.skipUnless(shutil.which("mandoc"), "mandoc is not installed")
    def test_every_command_and_option_of_help_is_in_the_page(self):
        for program, page in PAGES.items():
            shown = self.shown(page)
            commands = commands_of(program)
            self.assertIn("man", commands)
            n_options = 0
            for command in [None, *commands]:
                status, text, errors = run(program, *([command] if command else []), "--help")
                self.assertEqual((status, errors), (0, ""))
                usage = re.match(r"usage: (.*)", text)[1]
                self.assertIn(words(usage), shown)
                entries = entries_of(text)
                self.assertIn("--help", [option for option, _ in entries])
                for option, description in entries:
                    if option != "--help":
                        self.assertIn(f"{option} {description}", shown)
                        n_options += 1
            self.assertGreater(n_options, 30)

    @unittest.skipUnless(shutil.which("mandoc"), "mandoc is not installed")
    def test_mandoc_finds_no_fault(self):
        for page in PAGES.values():
            done = subprocess.run(["mandoc", "-Tlint", BIN_DIR / page], capture_output=True,
                                  text=True, timeout=PATIENCE)
            self.assertEqual((done.returncode, done.stdout), (0, ""))

    @unittest.skipUnless(shutil.which("man"), "man is not installed")
    def test_man_finds_no_fault(self):
        for page in PAGES.values():
            done = subprocess.run(
                ["man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z", BIN_DIR / page],
                stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, timeout=PATIENCE,
                env=clean_environment(MANROFFSEQ="", MANWIDTH="80", LC_ALL="C.UTF-8"))
            self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_page_is_what_the_program_writes(self):
        for program, page in PAGES.items():
            self.assertEqual(run(program, "man"), (0, (BIN_DIR / page).read_text(), ""))
            status, _, errors = run(program, "man", "x")
            self.assertEqual(status, 2)
            self.assertIn("unexpected argument x", errors)

    def test_pages_are_installed(self):
        done = subprocess.run(["cmake", "--install", BIN_DIR, "--prefix", self.folder],
                              capture_output=True, text=True, timeout=PATIENCE)
        self.assertEqual(done.returncode, 0, done.stderr)
        for name in ("bin/microd", "bin/micro-model", "share/man/man8/microd.8",
                     "share/man/man1/micro-model.1"):
            self.assertTrue((self.folder / name).is_file(), name)


if __name__ == "__main__":
    main()
