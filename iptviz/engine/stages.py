"""The stages of netfilter's hooks: what iptables and the kernel have there, each with its priority.

Source: include/uapi/linux/netfilter_ipv4.h.
"""

from __future__ import annotations

from iptviz.records import NamedTuple


class Stage(NamedTuple):
    """A chain that a hook leads to; only packets that routing sent to `route` pass it (empty: all).

    `type` and `hook` are those of a chain of nft: `filter`, `nat` or `route`, and the hook as iptables calls it.
    Of a table of iptables its name and that of its chain tell them.
    """

    table: str
    chain: str
    route: str = ""
    type: str = ""
    hook: str = ""

    @property
    def point(self) -> str:
        """The hook, as iptables calls it."""
        return self.hook or self.chain

    @property
    def is_nat(self) -> bool:
        """Whether it is asked about the first packet of a connection alone."""
        return self.type == "nat" or (not self.type and self.table == "nat")


CONNECTION, ROUTING, LOOPBACK = Stage("", "connection"), Stage("", "routing"), Stage("", "loopback")
CONNECTION_AGAIN = Stage("", "connection", "INPUT")
START, REMARKING, REROUTING = Stage("", "start"), Stage("", "remarking"), Stage("", "rerouting")

_PRIORITIES = {"raw": -300, "mangle": -150, "filter": 0, "security": 50}
_TRACKING, _DNAT, _SNAT = -200, -100, 100


class Segment(NamedTuple):
    """What is asked at a hook, each with its priority; those without a hook are no chains.

    `asks_nat`: what comes back in by lo has passed nat.
    """

    hook: str
    stages: tuple[tuple[int, Stage], ...]
    route: str = ""
    asks_nat: bool = True


def _tables(hook: str, names: str, route: str = "") -> tuple[tuple[int, Stage], ...]:
    return tuple((_PRIORITIES[name], Stage(name, hook, route)) for name in names.split())


def _nat(hook: str, route: str = "") -> tuple[int, Stage]:
    return _DNAT if hook in {"PREROUTING", "OUTPUT"} else _SNAT, Stage("nat", hook, route)


def _alone(stage: Stage) -> Segment:
    return Segment("", ((0, stage),))


SEGMENTS: dict[str, tuple[Segment, ...]] = {
    "prerouting": (
        _alone(START),
        Segment("PREROUTING", (
            *_tables("PREROUTING", "raw"), (_TRACKING, CONNECTION), *_tables("PREROUTING", "mangle"),
            _nat("PREROUTING"),
        )),
        _alone(ROUTING),
        Segment(
            "INPUT", (*_tables("INPUT", "mangle filter security", "INPUT"), _nat("INPUT", "INPUT")), "INPUT"
        ),
        Segment("FORWARD", _tables("FORWARD", "mangle filter security", "FORWARD"), "FORWARD"),
        Segment(
            "POSTROUTING", (*_tables("POSTROUTING", "mangle", "FORWARD"), _nat("POSTROUTING", "FORWARD")),
            "FORWARD",
        ),
    ),
    "output": (
        _alone(START),
        Segment("OUTPUT", (
            *_tables("OUTPUT", "raw"), (_TRACKING, CONNECTION), *_tables("OUTPUT", "mangle"),
            (_PRIORITIES["mangle"], REMARKING), _nat("OUTPUT"), (_DNAT, REROUTING),
            *_tables("OUTPUT", "filter security"),
        )),
        Segment("POSTROUTING", (*_tables("POSTROUTING", "mangle"), _nat("POSTROUTING"))),
        _alone(LOOPBACK),
        Segment("PREROUTING", (
            *_tables("PREROUTING", "raw", "INPUT"), (_TRACKING, CONNECTION_AGAIN),
            *_tables("PREROUTING", "mangle", "INPUT"),
        ), "INPUT", asks_nat=False),
        Segment("INPUT", _tables("INPUT", "mangle filter security", "INPUT"), "INPUT", asks_nat=False),
    ),
}  # fmt: skip
"""For each hook where a packet may start, the hooks that it passes, and what iptables and the kernel have there.

What the node sends to itself comes back in by lo, with its connection; nat has chosen by then and is not asked.
"""

STAGES: dict[str, tuple[Stage, ...]] = {
    start: tuple(stage for segment in segments for _, stage in segment.stages)
    for start, segments in SEGMENTS.items()
}
"""For each hook where a packet may start, the stages of iptables in the kernel's order."""


class Asked(NamedTuple):
    """A chain that a hook leads to, of the rules at place `layer`; `place` is that in its own table."""

    layer: int
    stage: Stage
    place: int = 0

    @property
    def name(self) -> str:
        """How answers call it."""
        return f"{self.stage.table} {self.stage.chain}"


class Turn(NamedTuple):
    """A stage, and which time it comes, from 0: once for each chain of `group`, which have one priority."""

    stage: Stage
    number: int = 0
    group: tuple[Asked, ...] = ()
