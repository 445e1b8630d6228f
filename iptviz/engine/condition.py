"""What a dump alone does not decide: a question with one truth, and the words for either answer."""

from __future__ import annotations

from typing import NamedTuple

from iptviz.errors import PacketError

# kind -> what is said when it holds, and when it does not; {} is the value.
_WORDS = {
    "source-cidr": ("source in {}", "source not in {}"),
    "destination-cidr": ("destination in {}", "destination not in {}"),
    "source-range": ("source in {}", "source not in {}"),
    "destination-range": ("destination in {}", "destination not in {}"),
    "source-type": ("source is {}", "source is not {}"),
    "destination-type": ("destination is {}", "destination is not {}"),
    "in-interface": ("input interface is {}", "input interface is not {}"),
    "out-interface": ("output interface is {}", "output interface is not {}"),
    "bridge-port": ("input is a bridge port", "input is not a bridge port"),
    "source-port": ("source port {}", "source port not {}"),
    "destination-port": ("destination port {}", "destination port not {}"),
    "protocol": ("protocol is {}", "protocol is not {}"),
    "state": ("connection state is {}", "connection state is not {}"),
    "tracking": ("this node tracks connections", "this node tracks no connections"),
    "fragment": ("packet is a later fragment", "packet is no later fragment"),
    "mark": ("mark is {}", "mark is not {}"),
    "connmark": ("connection mark is {}", "connection mark is not {}"),
    "local": ("{} is an address of this node", "{} is no address of this node"),
    "endpoint-local": (
        "the address that {} chose is one of this node",
        "the address that {} chose is not one of this node",
    ),
    "listener": ("a program listens on {}", "no program listens on {}"),
    "rate": ("{} is not exceeded", "{} is exceeded"),
    "time": ("now is {}", "now is not {}"),
    "quota": ("{} bytes are not used up", "{} bytes are used up"),
    "recent": ("source is in the recent list {}", "source is not in the recent list {}"),
    "set": ("packet is in ipset {}", "packet is not in ipset {}"),
    "match": ("packet matches {}", "packet does not match {}"),
    "target": ("rules go on after target {}", "rules end at target {}"),
}
_NODE = {"LOCAL": "an address of this node"}


class Condition(NamedTuple):
    """One question about a packet; `kind` is a key of the table above, `value` what it asks about."""

    kind: str
    value: str


class Assumption(NamedTuple):
    """A condition together with its answer."""

    condition: Condition
    holds: bool

    @property
    def text(self) -> str:
        """The answer as a clause, such as `source not in 10.244.0.0/16`."""
        kind, value = self.condition
        shown = _NODE.get(value, f"of type {value}") if kind.endswith("-type") else value
        return _WORDS[kind][0 if self.holds else 1].format(shown)

    def opposite(self) -> Assumption:
        """Return the other answer to the same question."""
        return Assumption(self.condition, not self.holds)


def read_assumption(text: str) -> Assumption:
    """Read a condition in the words in which an answer states it, after `not` or `!` the opposite of it.

    Raises:
        PacketError: no condition is worded so.
    """
    bare = text.strip()
    for prefix in ("! ", "not "):
        if bare.startswith(prefix):
            return read_assumption(bare.removeprefix(prefix)).opposite()
    for kind, words in _WORDS.items():
        for holds, template in ((False, words[1]), (True, words[0])):
            before, braces, after = template.partition("{}")
            fits = bare.startswith(before) and bare.endswith(after) and len(bare) >= len(before + after)
            if fits and (braces or bare == template):
                value = bare[len(before) : len(bare) - len(after)]
                if value.startswith("not ") or _is_other(kind, value):
                    continue
                return Assumption(Condition(kind, _asked_value(kind, value)), holds)
    raise PacketError(
        f"no condition reads {text!r}", hint="write it as an answer states it, or with `not ` before it"
    )


def _is_other(kind: str, value: str) -> bool:
    """Whether words that several kinds share mean another kind: networks and ranges both read `source in`."""
    if kind.endswith("-type"):
        return value not in _NODE.values() and not value.startswith("of type ")
    return kind.endswith("-cidr") and "-" in value.split(" ", maxsplit=1)[0]


def _asked_value(kind: str, value: str) -> str:
    if not kind.endswith("-type"):
        return value
    return next((name for name, words in _NODE.items() if words == value), value.removeprefix("of type "))


def clauses(assumptions: tuple[Assumption, ...]) -> str:
    """Return `assumptions` as one text; none of them reads `always`."""
    return " and ".join(assumption.text for assumption in assumptions) or "always"
