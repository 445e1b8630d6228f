"""Runs inside a namespace: binds listeners, then opens one connection from each of many source ports.

A nat rule counts the first packet of a connection, and a repeated 5-tuple is an old connection; so every
connection gets a source port, or once those are used up a source address, of its own. UDP listeners keep
the stack from answering with ICMP errors, which would move counters too; for TCP an RST does no harm.
"""

from __future__ import annotations

import contextlib
import ipaddress
import json
import socket
import sys

FIRST_PORT, PORTS = 20_000, 40_000
IP_FREEBIND = 15  # the addresses are local by route only


def main() -> None:
    order = json.loads(sys.argv[1])
    kind = socket.SOCK_STREAM if order["protocol"] == "tcp" else socket.SOCK_DGRAM
    family = socket.AF_INET6 if ":" in order["target"][0] else socket.AF_INET
    udp = kind == socket.SOCK_DGRAM
    listeners = [_bound(family, kind, *listener) for listener in order["listeners"]] if udp else []
    source = ipaddress.ip_address(order["source"])
    for number in range(order["count"]):
        with _bound(family, kind, str(source + number // PORTS), FIRST_PORT + number % PORTS) as sender:
            _open(sender, tuple(order["target"]), udp=udp)
        if number % 256 == 0:
            _drain(listeners)


def _bound(family: int, kind: int, address: str, port: int) -> socket.socket:
    made = socket.socket(family, kind)
    made.setsockopt(socket.SOL_IP, IP_FREEBIND, 1)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.bind((address, port))
    return made


def _open(sender: socket.socket, target: tuple[str, int], *, udp: bool) -> None:
    sender.setblocking(False)
    if udp:
        sender.sendto(b"x", target)
    else:
        with contextlib.suppress(BlockingIOError, ConnectionRefusedError):
            sender.connect(target)


def _drain(listeners: list[socket.socket]) -> None:
    for listener in listeners:
        listener.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                listener.recv(16)


main()
