# SPDX-License-Identifier: Apache-2.0
"""Real processes for the scenario tests: starts microd, talks to it, stops or kills it.

Every wait is bounded, every server listens on 127.0.0.1 on a port of its own choice and is ended
by its process id. A line of level error that a test did not announce fails the test, and so does
anything a sanitizer has to say.
"""
import fcntl
import http.client
import json
import os
import pty
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time
import unittest
from pathlib import Path

import contract

ROOT = Path(__file__).resolve().parents[2]
BIN_DIR = Path(os.environ.get("MICRO_BIN_DIR", ROOT / "build" / "release"))
SHARED_DATA = Path(os.environ.get("MICRO_SHARED_DATA", ROOT.parent / "shared" / "data"))
SANITIZED = bool(os.environ.get("MICRO_SANITIZE"))
PATIENCE = 120 if SANITIZED else 30  # seconds until a wait is given up
SANITIZER_OUTPUT = re.compile(
    r"ERROR: \w+Sanitizer|WARNING: \w+Sanitizer|runtime error:|SUMMARY: \w+Sanitizer")


def program(name):
    """The path of a program under test."""
    return BIN_DIR / name


def shared_data(name):
    """A file of the shared data sets; skips the test, saying so, when they are not here."""
    path = SHARED_DATA / name
    if not path.exists():
        raise unittest.SkipTest(f"{path} is not there; MICRO_SHARED_DATA names the folder")
    return path


def clean_environment(**extra):
    """This environment without settings of microd that a developer may have exported."""
    environment = {key: value for key, value in os.environ.items()
                   if not key.startswith("MICROD_")}
    if os.environ.get("MICRO_SANITIZE") == "thread":
        # ThreadSanitizer puts a signal off until the thread that got it calls something it
        # intercepts; the idle thread that OpenBLAS starts before main() never does
        environment["OPENBLAS_NUM_THREADS"] = "1"
    return environment | extra


def run(name, *arguments, env=None, timeout=PATIENCE):
    """Run a program to its end; (exit status, stdout, stderr)."""
    done = subprocess.run([program(name), *map(str, arguments)], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=timeout,
                          env=clean_environment(**(env or {})))
    if SANITIZER_OUTPUT.search(done.stderr):
        raise AssertionError(f"{name} {arguments}:\n{done.stderr}")
    return done.returncode, done.stdout, done.stderr


def run_on_terminal(name, *arguments, columns=100, env=None, timeout=PATIENCE):
    """Run a program with a terminal as standard output; (exit status, what it got, stderr)."""
    terminal, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    process = subprocess.Popen([program(name), *map(str, arguments)], stdout=slave, text=True,
                               stdin=subprocess.DEVNULL, stderr=subprocess.PIPE,
                               env=clean_environment(TERM="xterm") | (env or {}))
    os.close(slave)
    output = b""
    while True:
        try:
            chunk = os.read(terminal, 65536)
        except OSError:  # Linux: the other end is closed
            break
        if not chunk:
            break
        output += chunk
    os.close(terminal)
    _, errors = process.communicate(timeout=timeout)
    return process.returncode, output.decode().replace("\r\n", "\n"), errors


def wait_until(condition, what, seconds=PATIENCE):
    """Poll until condition() is true; its value."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.005)
    raise AssertionError(f"waited {seconds} s for {what}")


class Answer:
    """One HTTP response."""

    def __init__(self, response):
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def error(self):
        return self.json["error"]

    def __repr__(self):
        return f"{self.status} {self.body[:500]!r}"


class Client:
    """One keep-alive connection; for one thread. tls: an SSLContext, for HTTPS. Each exchange is
    held against the contract, unless checked is set to False."""

    def __init__(self, port, headers=None, tls=None):
        self.headers = dict(headers or {})
        self.checked = True
        if tls is None:
            self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        else:
            self.connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=PATIENCE,
                                                          context=tls)

    def request(self, method, path, body=None, headers=None):
        """body: bytes or str are sent as they are, anything else as JSON."""
        headers = self.headers | (headers or {})
        if body is not None and not isinstance(body, (bytes, str)):
            body = json.dumps(body)
        if isinstance(body, str):
            body = body.encode()
        if body is not None:
            headers.setdefault("Content-Type", "application/json")
        self.connection.request(method, path, body=body, headers=headers)
        answer = Answer(self.connection.getresponse())
        if self.checked:
            contract.check_exchange(method, path, body, headers.get("Content-Type"), answer)
        return answer

    def get(self, path, **more):
        return self.request("GET", path, **more)

    def post(self, path, body, **more):
        return self.request("POST", path, body, **more)

    def delete(self, path, **more):
        return self.request("DELETE", path, **more)

    def close(self):
        self.connection.close()


class Microd:
    """A microd of our own on a free port, with its log."""

    def __init__(self, folder, model, *options, state=None, env=None, tls=None, limits=None):
        self.folder = Path(folder)
        self.model = model
        self.options = [str(option) for option in options]
        self.state = Path(state or self.folder / "micro.db")
        self.env = env or {}
        self.tls = tls
        self.limits = limits  # a function that sets them, before the program starts
        self.log_path = self.folder / "microd.log"
        self.expected_errors = []
        self.process = None
        self.clients = []
        self.client = None
        self.port = None
        self.start()

    def start(self, ready=True):
        """Start (again), on the same model and state; wait until it listens and is ready."""
        port_file = self.folder / "port"
        port_file.unlink(missing_ok=True)
        arguments = [program("microd"), "--model", str(self.model), "--state", str(self.state),
                     "--port", "0", "--port-file", str(port_file), *self.options]
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log, env=clean_environment(**self.env),
                                            preexec_fn=self.limits)
        wait_until(lambda: port_file.exists() or self.process.poll() is not None, "the port file")
        if self.process.poll() is not None:
            raise AssertionError(f"microd ended with {self.process.returncode}:\n{self.log()}")
        self.port = int(port_file.read_text())
        self.client = self.new_client()
        if ready:
            wait_until(lambda: self.client.get("/readyz").status == 200, "/readyz")

    def new_client(self, key=None):
        """Another connection, with an API key; closed at the end of the test."""
        headers = {"Authorization": f"Bearer {key}"} if key else None
        self.clients.append(Client(self.port, headers, self.tls))
        return self.clients[-1]

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def signal(self, number):
        self.process.send_signal(number)

    def wait(self):
        """Wait for its end; the exit status."""
        return self.process.wait(timeout=PATIENCE)

    def stop(self):
        """SIGTERM; it must end with status 0."""
        self.signal(signal.SIGTERM)
        status = self.wait()
        if status != 0:
            raise AssertionError(f"exit status {status} after SIGTERM:\n{self.log()}")

    def kill(self):
        """kill -9."""
        self.process.kill()
        self.wait()

    def expect_error(self, pattern):
        """Announce that the log may have error lines that match."""
        self.expected_errors.append(re.compile(pattern))

    def finish(self):
        """At the end of a test: stop what runs, and look at what it logged."""
        try:
            if self.process.poll() is None:
                self.stop()
        finally:
            if self.process.poll() is None:
                self.kill()
            for client in self.clients:
                client.close()
        for line in self.log().splitlines():
            if SANITIZER_OUTPUT.search(line):
                raise AssertionError(f"sanitizer report:\n{self.log()}")
            if "level=error" in line and not any(p.search(line) for p in self.expected_errors):
                raise AssertionError(f"unexpected log line: {line}")


class Scenario(unittest.TestCase):
    """A test with a folder of its own and daemons that are looked after."""

    def setUp(self):
        self.folder = Path(tempfile.mkdtemp(prefix="micro-scenario-"))
        self.addCleanup(shutil.rmtree, self.folder)

    def start(self, model, *options, **more):
        daemon = Microd(self.folder, model, *options, **more)
        self.addCleanup(daemon.finish)
        return daemon

    def assert_near(self, actual, expected, tolerance=1e-9, what=""):
        """Element by element, written so that a NaN fails."""
        if isinstance(expected, (list, tuple)):
            self.assertEqual(len(actual), len(expected), what)
            for i, (a, e) in enumerate(zip(actual, expected)):
                self.assert_near(a, e, tolerance, f"{what}[{i}]")
        elif not abs(actual - expected) <= tolerance:
            self.fail(f"{what}: {actual!r}, want {expected!r} +- {tolerance}")

    def assert_error(self, answer, status, code, fragment="", param=None):
        """The error body that every refusal has."""
        self.assertEqual(answer.status, status, answer)
        self.assertEqual(answer.headers["Content-Type"], "application/json")
        kind = {4: "invalid_request_error"}.get(
            status // 100, "overloaded_error" if status == 503 else "server_error")
        self.assertEqual(set(answer.json), {"error"}, answer)
        error = answer.error
        self.assertEqual(set(error), {"message", "type", "param", "code"}, answer)
        self.assertEqual((error["type"], error["code"], error["param"]), (kind, code, param))
        self.assertIn(fragment, error["message"])


class SharedDaemon(Scenario):
    """Tests that share one daemon, because none of them disturbs another."""

    OPTIONS = ()

    @classmethod
    def make_model(cls, folder):
        """Write the model file; its path."""
        raise NotImplementedError

    @classmethod
    def setUpClass(cls):
        folder = Path(tempfile.mkdtemp(prefix="micro-scenario-"))
        cls.addClassCleanup(shutil.rmtree, folder)
        cls.daemon = Microd(folder, cls.make_model(folder), *cls.OPTIONS)
        cls.addClassCleanup(cls.daemon.finish)
        cls.client = cls.daemon.client


def main():
    """Run the calling file's tests. Exit status 77, for CTest, when all of them were skipped."""
    for name in ("microd", "micro-model"):
        if not program(name).exists():
            sys.exit(f"{program(name)} is not there; MICRO_BIN_DIR names its folder")
    result = unittest.main(module="__main__", exit=False, verbosity=2).result
    for _, reason in result.skipped:
        print(f"skipped: {reason}")
    if not result.wasSuccessful():
        sys.exit(1)
    if result.testsRun == len(result.skipped):
        sys.exit(77)
