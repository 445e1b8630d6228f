"""What a dump alone does not decide: a question with one truth, and the words for either answer."""

from __future__ import annotations

from typing import NamedTuple

# kind -> what is said when it holds, and when it does not; {} is the value.
_WORDS = {
    "source-cidr": ("source in {}", "source not in {}"),
    "destination-cidr": ("destination in {}", "destination not in {}"),
    "source-type": ("source is {}", "source is not {}"),
    "destination-type": ("destination is {}", "destination is not {}"),
    "in-interface": ("input interface is {}", "input interface is not {}"),
    "out-interface": ("output interface is {}", "output interface is not {}"),
    "bridge-port": ("input is a bridge port", "input is not a bridge port"),
    "source-port": ("source port {}", "source port not {}"),
    "mark": ("mark is {}", "mark is not {}"),
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


def clauses(assumptions: tuple[Assumption, ...]) -> str:
    """Return `assumptions` as one text; none of them reads `always`."""
    return " and ".join(assumption.text for assumption in assumptions) or "always"
