#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""deploy/systemd/microd.service without systemd as the first process: what systemd-analyze says of
it, that the daemon keeps within its sandbox, as strace sees it, and what it tells its manager."""
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

import models
from harness import (PATIENCE, ROOT, SANITIZED, Client, Scenario, clean_environment, main, program,
                     run, wait_until)
from models import embedding

UNIT = ROOT / "deploy/systemd/microd.service"
SETTINGS = ROOT / "deploy/systemd/microd.default"
# Refused by the unit, and asked for all the same: where OpenBLAS's memory should be, and, by root
# only, SQLite's files for the owner of the database. The daemon must do without, as it does here.
REFUSED = {"mbind", "fchown"}
MOST_EXPOSURE = 1.5  # of 10; systemd calls this OK
FEEDBACK = {"user": "ada", "prompt": embedding([1, 0, 0, 0]), "chosen": embedding([1, 0, 0, 0]),
            "rejected": embedding([0, 1, 0, 0])}


def analyze(*arguments):
    return subprocess.run(["systemd-analyze", *map(str, arguments)], capture_output=True, text=True,
                          timeout=PATIENCE)


def values(key):
    """All that the unit says of a key."""
    return re.findall(rf"(?m)^{key}=(.*)$", UNIT.read_text())


@unittest.skipUnless(shutil.which("systemd-analyze"), "systemd-analyze is not installed")
class Unit(Scenario):
    def test_systemd_understands_every_line(self):
        # where the package puts the program and its manual is tests/package.sh's
        unit = self.folder / "microd.service"
        text = UNIT.read_text().replace("/usr/bin/microd", str(program("microd")))
        unit.write_text(text.replace("Documentation=man:microd(8)\n", ""))
        done = analyze("verify", unit)
        self.assertEqual((done.returncode, done.stdout + done.stderr), (0, ""))
        unit.write_text(unit.read_text().replace("ProtectHome=", "ProtectHouse="))
        self.assertIn("ProtectHouse", analyze("verify", unit).stderr)

    def test_little_is_left_exposed(self):
        done = analyze("security", "--offline=true", f"--threshold={round(10 * MOST_EXPOSURE)}",
                       UNIT)
        level = re.search(r"Overall exposure level.*: (\S+)", done.stdout)
        self.assertIsNotNone(level, done.stderr)
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertLessEqual(float(level[1]), MOST_EXPOSURE)
        readme = (ROOT / "deploy/README.md").read_text()
        self.assertIn(f"exposure level {level[1]} of 10", readme)

    def allowed_calls(self):
        """What SystemCallFilter= leaves, by systemd's own groups."""
        def group(names):
            found = set()
            for name in names:
                if not name.startswith("@"):
                    found.add(name)
                    continue
                lines = analyze("syscall-filter", name).stdout.splitlines()[1:]
                found |= group(line.strip() for line in lines if not line.strip().startswith("#"))
            return found
        allowed = set()
        for line in values("SystemCallFilter"):
            names = group(line.lstrip("~").split())
            allowed = allowed - names if line.startswith("~") else allowed | names
        # systemd itself lets these through always, so that the program can be started
        return allowed | {"execve", "exit", "exit_group", "rt_sigreturn", "getrlimit"}

    @unittest.skipUnless(shutil.which("strace"), "strace is not installed")
    @unittest.skipIf(SANITIZED, "a sanitizer makes system calls of its own")
    def test_the_daemon_keeps_within_its_system_calls(self):
        trace, port_file = self.folder / "trace", self.folder / "port"
        models.write_vector_model(self.folder / "m")
        process = subprocess.Popen(
            ["strace", "-f", "-qq", "-o", trace, "-e", "signal=none",
             "-e", f"inject={','.join(REFUSED)}:error=EPERM", program("microd"),
             "--model", self.folder / "m", "--state", self.folder / "db", "--port", "0",
             "--port-file", port_file], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, text=True, env=clean_environment())
        try:
            wait_until(lambda: port_file.exists() or process.poll() is not None, "the port file")
            if process.poll() is not None:
                raise unittest.SkipTest(f"strace cannot trace here: {process.stderr.read()[:200]}")
            self.use(int(port_file.read_text()))
            daemon = int(trace.read_text().split()[0])
            subprocess.run(["kill", "-HUP", str(daemon)], check=True)
            time.sleep(0.3)
            subprocess.run(["kill", "-TERM", str(daemon)], check=True)
            self.assertEqual(process.wait(PATIENCE), 0)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
            process.stderr.close()
        calls = set(re.findall(r"(?m)^\d+ +(?:<\.\.\. )?(\w+)(?:\(| resumed>)", trace.read_text()))
        self.assertLessEqual({"openat", "listen", "bind", "futex", "mmap"}, calls)
        self.assertEqual(calls - self.allowed_calls() - REFUSED, set())
        families = set(re.findall(r"socket\((AF_\w+)", trace.read_text()))
        self.assertLessEqual(families, set(values("RestrictAddressFamilies")[0].split()))
        executable = re.findall(r".*PROT_WRITE\|PROT_EXEC.*", trace.read_text())
        self.assertEqual(executable, [], "MemoryDenyWriteExecute= would stop this")

    def use(self, port):
        client = Client(port)
        self.addCleanup(client.close)
        for _ in range(3):
            self.assertEqual(client.post("/feedback", FEEDBACK).status, 200)
        self.assertEqual(client.post("/score", {"prompt": embedding([1, 0, 0, 0]),
                                                "responses": [embedding([1, 0, 0, 0])]}).status, 200)
        for path in ("/readyz", "/metrics", "/users/ada"):
            self.assertEqual(client.get(path).status, 200)
        self.assertEqual(client.delete("/users/ada").status, 200)


class Settings(Scenario):
    def test_every_setting_is_an_option(self):
        known = set(re.findall(r"MICROD_\w+", run("microd", "--help")[1]))
        named = set(re.findall(r"MICROD_\w+", SETTINGS.read_text() + UNIT.read_text()))
        self.assertTrue(named)
        self.assertLessEqual(named, known)


class Notification(Scenario):
    """sd_notify(3)'s side of it, with a socket of our own as the manager."""

    def listen(self, address):
        manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(manager.close)
        manager.settimeout(PATIENCE)
        manager.bind(address)
        return manager

    def told(self, manager):
        return manager.recv(4096).decode()

    def check(self, address, variable):
        manager = self.listen(address)
        models.write_vector_model(self.folder / "m")
        daemon = self.start(self.folder / "m", env={"NOTIFY_SOCKET": variable})
        self.assertEqual(self.told(manager), "READY=1")
        daemon.signal(signal.SIGHUP)
        state, moment = self.told(manager).split("\n")
        self.assertEqual(state, "RELOADING=1")
        self.assertRegex(moment, r"^MONOTONIC_USEC=\d+$")
        self.assertLess(abs(int(moment.split("=")[1]) / 1e6 - time.monotonic()), PATIENCE)
        self.assertEqual(self.told(manager), "READY=1")
        daemon.stop()
        self.assertEqual(self.told(manager), "STOPPING=1")

    def test_start_reload_and_stop_are_told(self):
        # a socket's path has 108 bytes at most
        folder = tempfile.mkdtemp(prefix="m-", dir="/tmp")
        self.addCleanup(shutil.rmtree, folder)
        self.check(str(Path(folder) / "notify"), str(Path(folder) / "notify"))

    def test_abstract_socket(self):
        name = f"micro-test-{self.folder.name}"
        self.check("\0" + name, "@" + name)

    def test_manager_that_is_not_there_does_not_matter(self):
        models.write_vector_model(self.folder / "m")
        for variable in (str(self.folder / "nobody"), "relative", "@", "/" + "x" * 200):
            daemon = self.start(self.folder / "m", env={"NOTIFY_SOCKET": variable})
            daemon.stop()


if __name__ == "__main__":
    main()
