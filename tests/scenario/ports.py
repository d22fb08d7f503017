# SPDX-License-Identifier: Apache-2.0
"""Ports that stay ours while nobody listens on them."""
import random
import socket
from pathlib import Path

RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
FIRST, END = 1024, 65536  # below only root may listen
N_TRIES = 100


def candidates():
    """What the kernel gives to nobody who asks for any port, so that no server and no client of
    another test has it meanwhile; every port, if it gives them all."""
    low, high = map(int, RANGE.read_text().split())
    return [*range(FIRST, low), *range(max(high + 1, FIRST), END)] or range(FIRST, END)


def free_port():
    """A port of 127.0.0.1 that nobody listens on."""
    ports = candidates()
    for port in random.SystemRandom().sample(ports, min(N_TRIES, len(ports))):
        try:
            with socket.create_server(("127.0.0.1", port)):
                return port
        except OSError:
            pass
    raise AssertionError(f"{N_TRIES} ports are in use")
