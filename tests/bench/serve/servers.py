# SPDX-License-Identifier: Apache-2.0
"""The servers that are compared: each on 127.0.0.1, started alone and ended by its process id."""
import http.client
import os
import shutil
import socket
import subprocess
from pathlib import Path

from harness import PATIENCE, Microd, program, wait_until

HERE = Path(__file__).resolve().parent
PYTHON = "/usr/bin/python3"  # Debian's, which has Debian's FastAPI
N_THREADS = 2                # or processes, of every server
TICKS = os.sysconf("SC_CLK_TCK")
# What microd answers to one pair, for the servers that answer without looking
ANSWER = ('{"model": "%s", "rewards": [0.14159265358979, -0.71828182845904], "preference": '
          '0.57721566490153, "weights": [%s], "updates": 1}'
          % ("0" * 64, ", ".join(["0.09999999999999999"] * 10)))


def missing_programs(programs, modules):
    """Those that are not installed; modules of Debian's Python."""
    missing = [name for name in programs if shutil.which(name) is None]
    modules = ", ".join(modules)
    if subprocess.run([PYTHON, "-c", f"import {modules}"], capture_output=True,
                      check=False).returncode != 0:
        missing.append(f"{PYTHON} with {modules}")
    return missing


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def stat_of(pid):
    """The fields of /proc/PID/stat after the name, or None."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None


def family(pid):
    """A process and what descends from it."""
    parents = {int(entry): int(stat[1]) for entry in os.listdir("/proc") if entry.isdigit()
               and (stat := stat_of(entry)) is not None}
    found = [pid]
    for member in found:
        found += [child for child, parent in parents.items() if parent == member]
    return found


def cpu_seconds(pid):
    """User and system time so far, children included."""
    stats = [stat_of(member) for member in family(pid)]
    return sum(int(stat[11]) + int(stat[12]) for stat in stats if stat) / TICKS


def resident_mb(pid):
    """Resident memory of the process and its children; what they share is counted once each."""
    total = 0
    for member in family(pid):
        for line in Path(f"/proc/{member}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                total += int(line.split()[1])
    return total / 1024


class Server:
    """A process of our own that listens on a port."""

    def __init__(self, name, folder):
        self.name = name
        self.folder = Path(folder) / name
        self.folder.mkdir(parents=True)
        self.process = None
        self.port = None

    @property
    def pid(self):
        return self.process.pid

    def launch(self, arguments, **more):
        with open(self.folder / "output", "ab") as output:
            self.process = subprocess.Popen(
                [str(a) for a in arguments], stderr=output,
                **({"stdin": subprocess.DEVNULL, "stdout": output} | more))

    def answers(self):
        if self.process.poll() is not None:
            raise RuntimeError(f"{self.name} ended:\n{(self.folder / 'output').read_text()}")
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        except OSError:
            return False
        return True

    def wait(self):
        wait_until(self.answers, self.name)

    def stop(self):
        if self.process is None or self.process.poll() is not None:
            return
        self.process.terminate()
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class MicrodServer(Server):
    def __init__(self, folder, model, *options):
        super().__init__("microd", folder)
        self.daemon = Microd(self.folder, model, "--threads", N_THREADS, *options)
        self.process, self.port = self.daemon.process, self.daemon.port

    def stop(self):
        self.daemon.finish()


class NoWork(Server):
    """libmicrohttpd alone."""

    def __init__(self, folder):
        super().__init__("no_work", folder)
        self.launch([program("bench_no_work"), N_THREADS, ANSWER], stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE)
        self.port = int(self.process.stdout.readline())

    def stop(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(PATIENCE)


class Nginx(Server):
    CONF = """
daemon off; worker_processes {workers}; pid {folder}/pid; worker_rlimit_nofile 16384;
events {{ worker_connections 4096; }}
http {{
  access_log off; client_max_body_size 64m; keepalive_requests 1000000000;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{port} reuseport;
    location / {{ default_type application/json; return 200 '{answer}'; }}
  }}
}}
"""

    def __init__(self, folder):
        super().__init__("nginx", folder)
        self.port = free_port()
        conf = self.folder / "nginx.conf"
        conf.write_text(self.CONF.format(workers=N_THREADS, folder=self.folder, port=self.port,
                                         answer=ANSWER))
        self.launch(["nginx", "-c", conf, "-e", self.folder / "error.log"])
        self.wait()


class FastApi(Server):
    """fastapi_app.py in uvicorn with everything that makes it fast."""

    def __init__(self, folder, model, n_workers=N_THREADS):
        super().__init__("fastapi", folder)
        self.port = free_port()
        environment = os.environ | {
            "BENCH_MODEL": str(model), "BENCH_STATE": str(self.folder / "state.db"),
            # of several processes, each with threads of its own, all would be slower
            "OPENBLAS_NUM_THREADS": "1"}
        self.launch([PYTHON, "-m", "uvicorn", "fastapi_app:app", "--app-dir", HERE, "--host",
                     "127.0.0.1", "--port", self.port, "--workers", n_workers, "--loop",
                     "uvloop", "--http", "httptools", "--no-access-log", "--log-level",
                     "warning"], env=environment)
        self.n_workers = n_workers
        self.wait()
        wait_until(self.all_alive, "fastapi's workers")

    def all_alive(self):
        """Connections go to any worker, also to one that is not there yet."""
        self.answers()
        try:
            for _ in range(8 * self.n_workers):
                connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
                connection.request("GET", "/livez")
                if connection.getresponse().status != 200:
                    return False
                connection.close()
        except OSError:
            return False
        return True


class Redis(Server):
    """Every write is on disk before its answer."""

    def __init__(self, folder):
        super().__init__("redis", folder)
        self.port = free_port()
        self.launch(["redis-server", "--port", self.port, "--bind", "127.0.0.1", "--dir",
                     self.folder, "--save", "", "--appendonly", "yes", "--appendfsync",
                     "always", "--daemonize", "no"])
        self.wait()
