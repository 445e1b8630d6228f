"""Runs inside a namespace: opens one connection from each of many source ports.

A nat rule counts the first packet of a connection, and a repeated 5-tuple is an old connection; so every
connection gets a source port, or once those are used up a source address, of its own. Sockets are
transparent: they may use addresses that the namespace does not have.
"""

from __future__ import annotations

import contextlib
import ipaddress
import json
import socket
import sys

FIRST_PORT = 20_000
IP_TRANSPARENT, IPV6_TRANSPARENT = 19, 75


def main() -> None:
    order = json.loads(sys.argv[1])
    kind = socket.SOCK_STREAM if order["protocol"] == "tcp" else socket.SOCK_DGRAM
    family = socket.AF_INET6 if ":" in order["target"][0] else socket.AF_INET
    source, per_source = ipaddress.ip_address(order["source"]), order["per_source"]
    for number in range(order["count"]):
        address, port = str(source + number // per_source), FIRST_PORT + number % per_source
        with _bound(family, kind, address, port) as sender:
            _open(sender, tuple(order["target"]))


def _open(sender: socket.socket, target: tuple[str, int]) -> None:
    with contextlib.suppress(BlockingIOError, ConnectionRefusedError):
        sender.connect(target)
        if sender.type == socket.SOCK_DGRAM:
            sender.send(b"x")


def _bound(family: int, kind: int, address: str, port: int) -> socket.socket:
    made = socket.socket(family, kind)
    made.setblocking(False)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        made.setsockopt(socket.IPPROTO_IPV6, IPV6_TRANSPARENT, 1)
    else:
        made.setsockopt(socket.SOL_IP, IP_TRANSPARENT, 1)
    made.bind((address, port))
    return made


main()
