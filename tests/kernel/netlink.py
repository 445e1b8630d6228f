"""What netfilter is asked by netlink, since the programs for it are seldom installed: nfacct's, conntrack's."""

from __future__ import annotations

import socket
import struct

from tests.kernel.namespaces import inside

_NETFILTER = 12
_NEW_COUNTER = 7 << 8  # NFNL_SUBSYS_ACCT, NFNL_MSG_ACCT_NEW
_FORGET = 1 << 8 | 2  # NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_DELETE
_REQUEST, _CREATE = 0x001 | 0x004, 0x400  # acknowledged
_NAME, _KIND, _QUOTA = 1, 5, 6
_OF_PACKETS = 1
_HEADER = struct.Struct("=IHHII")
_OF_ANY_FAMILY = struct.pack("=BBH", 0, 0, 0)


def make_counter(namespace: str, name: str, quota: int = 0) -> None:
    """Make a counter, with a quota of packets where one is given."""
    wanted = _attribute(_NAME, name.encode() + b"\0")
    if quota:
        wanted += _attribute(_KIND, struct.pack("!I", _OF_PACKETS))
        wanted += _attribute(_QUOTA, struct.pack("!Q", quota))
    _ask(namespace, _NEW_COUNTER, _REQUEST | _CREATE, wanted)


def forget_connections(namespace: str) -> None:
    """Let tracking forget all connections."""
    _ask(namespace, _FORGET, _REQUEST)


def _ask(namespace: str, kind: int, flags: int, attributes: bytes = b"") -> None:
    with inside(namespace):
        asking = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETFILTER)
    body = _OF_ANY_FAMILY + attributes
    with asking:
        asking.send(_HEADER.pack(_HEADER.size + len(body), kind, flags, 1, 0) + body)
        (error,) = struct.unpack_from("=i", asking.recv(4096), _HEADER.size)
    if error:
        raise OSError(-error, f"netlink message {kind:#x}")


def _attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)
