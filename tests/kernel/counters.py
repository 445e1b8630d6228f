"""Counting objects of nfacct, made by netlink: the program of that name is seldom installed."""

from __future__ import annotations

import socket
import struct

from tests.kernel.namespaces import inside

_NETFILTER = 12
_NEW = 7 << 8  # NFNL_SUBSYS_ACCT, NFNL_MSG_ACCT_NEW
_FLAGS = 0x001 | 0x004 | 0x400  # a request, acknowledged, that creates
_NAME, _KIND, _QUOTA = 1, 5, 6
_OF_PACKETS = 1
_HEADER = struct.Struct("=IHHII")


def make_counter(namespace: str, name: str, quota: int = 0) -> None:
    """Make a counter, with a quota of packets where one is given."""
    wanted = struct.pack("=BBH", 0, 0, 0) + _attribute(_NAME, name.encode() + b"\0")
    if quota:
        wanted += _attribute(_KIND, struct.pack("!I", _OF_PACKETS))
        wanted += _attribute(_QUOTA, struct.pack("!Q", quota))
    with inside(namespace):
        asking = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETFILTER)
    with asking:
        asking.send(_HEADER.pack(_HEADER.size + len(wanted), _NEW, _FLAGS, 1, 0) + wanted)
        (error,) = struct.unpack_from("=i", asking.recv(4096), _HEADER.size)
    if error:
        raise OSError(-error, f"counter {name}")


def _attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)
