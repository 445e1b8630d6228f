"""What is said of a chain, a set or an object beside its rules and elements."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.records import NamedTuple

if TYPE_CHECKING:
    from iptviz.nft.expressions import Type
    from iptviz.nft.statements import Statement

VERDICT: Type = ("verdict",)
"""The type of the data of a verdict map."""


class Base(NamedTuple):
    """Where a chain is hooked in.

    Attributes:
        type: `filter`, `nat` or `route`.
        hook: `prerouting`, `input`, `forward`, `output`, `postrouting`, `ingress` or `egress`.
        priority: as the kernel has it; chains of lower ones are asked first. None where its name is not known.
        policy: `accept` or `drop`: what becomes of packets that reach the end.
        devices: those whose packets it sees, of ingress and egress alone.
        flags: `offload`.
    """

    type: str
    hook: str
    priority: int | None
    policy: str = "accept"
    devices: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()


class Read(NamedTuple):
    """What is read of a rule's text."""

    statements: tuple[Statement, ...]
    comment: str | None = None


class SetHead(NamedTuple):
    """What is said of a set beside its elements; times are in milliseconds.

    Attributes:
        key_type: the types of a key.
        data_type: those of a map's data, `VERDICT` in a verdict map; None in a set.
        flags: `constant`, `dynamic`, `interval`, `timeout`, in alphabetical order.
        rest: what else is said, as it stands there (`auto-merge`, `policy memory`, `counter`).
    """

    key_type: Type
    data_type: Type | None = None
    flags: tuple[str, ...] = ()
    timeout: int | None = None
    size: int | None = None
    comment: str | None = None
    rest: tuple[str, ...] = ()


class NamedObject(NamedTuple):
    """What else a table holds: a counter, quota, limit, ct helper, ct timeout, flowtable, and so on.

    `text` is what stands between its braces, as it stands there.
    """

    kind: str
    name: str
    text: str
    line: int = 0
    handle: int | None = None
    comment: str | None = None
