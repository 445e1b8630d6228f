"""The one way from a finding or a remark to its sentence.

A sentence stands in its catalogue (`iptviz.checks.registry`): that of a finding is made by its diagnosis, that of
a remark stands in `REMARKS`. Here are those of remarks that belong to no catalogue, and what all sentences share:
the place in front, lists that are cut.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.kube.frontends import CHAIN, VIRTUAL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from fractions import Fraction

    from iptviz.checks.finding import Item

REMARKS: dict[str, str | Callable[..., str]] = {
    "assumed": "assumed: {assumption.text}",
    "shares-rounded": "shares are rounded at 2^-4096, exact ones would have too many digits",
    "shares-rounded-at": "{frontend}: shares are rounded at 2^-4096, exact ones would have too many digits",
    "left-open": "too many cases; left open: {questions}; shares are bounds: narrow the packet",
    "failing-not-known": lambda *, count: (
        f"{count:,} other service port{'' if count == 1 else 's'} not listed: whether all clients reach "
        f"{'it' if count == 1 else 'them'} depends on conditions or was not checked"
    ),
    "counts-together": "not known: {questions}, since another rule counts the same packets; shares are bounds",
    "left-open-at": "{frontend}: too many cases; left open: {questions}",
}
"""What an answer says that is about no dump, but about the answer."""

_WARNING = {"critical", "high"}
"""Severities of which an answer warns."""

OUTSIDE = " from outside the cluster"
"""Whose connections a policy Local treats apart."""

KIND_WORDS = {
    "cluster-ip": "cluster IP",
    "external-ip": "external IP",
    "load-balancer-ip": "load-balancer IP",
    "node-port": "node port",
    VIRTUAL: "virtual server",
    "host-port": "host port",
    "published": "published port",
    "health-check": "health check port",
    CHAIN: "chain",
}
"""What people call each kind of frontend."""

_UNTOLD_KINDS = {
    "cluster-ip": "cluster or external IP",
    "external-ip": "external or load-balancer IP",
}
"""What is said where nothing tells which of them a frontend is."""


def kind_word(kind: str, *, untold: bool = False) -> str:
    """Return what people call a kind of frontend; `untold`: nothing tells whether it is that kind or another."""
    return (_UNTOLD_KINDS.get(kind) if untold else None) or KIND_WORDS.get(kind, kind)


WHOSE = {"PREROUTING": "pods and other hosts", "OUTPUT": "the node itself"}
"""Whose connections pass a hook of nat."""


def sentence(item: Item) -> str:
    """Return a finding or a remark in words, with the line that it is about in front."""
    return placed(item.line, text(item))


def sentences(items: Iterable[Item]) -> list[str]:
    """Return findings and remarks in words."""
    return [sentence(item) for item in items]


def text(item: Item) -> str:
    """Return a finding or a remark in words, without the line that it is about."""
    from iptviz.checks.registry import sentence_of

    made = REMARKS.get(item.id) or sentence_of(item.id)
    values = dict(item.values)
    return made.format(**values) if isinstance(made, str) else made(**values)


def noted(item: Item) -> str:
    """Return a finding or a remark as a note beside an answer: a severe one begins with WARNING."""
    warns = getattr(item, "severity", "") in _WARNING
    return f"WARNING {sentence(item)}" if warns else sentence(item)


def placed(line: int, words: str) -> str:
    """Return words with the line in front that they are about, if they are about one."""
    return f"line {line}: {words}" if line else words


def percent(share: Fraction) -> str:
    """Return a share in [0, 1] with four digits that count: `33.33 %`."""
    return f"{float(share) * 100:.4g} %"


def listed(texts: Sequence[str], most: int) -> str:
    """Return at most so many texts with commas between them, and how many more there are."""
    return and_more(", ".join(texts[:most]), len(texts) - most)


def and_more(words: str, more: int) -> str:
    """Return words with how many more there are, if there are any."""
    return words + (f" and {more:,} more" if more > 0 else "")


def named_ports(names: Iterable[str]) -> str:
    """Return the names of service ports, the first few of many; several of one as `shop/web (2 ports)`."""
    services: dict[str, list[str]] = {}
    for name in names:
        service = name.partition(":")[0]
        services.setdefault(service if "/" in service else name, []).append(name)
    folded = [some[0] if len(some) == 1 else f"{one} ({len(some)} ports)" for one, some in services.items()]
    return listed(folded, 3)


def these(names: Sequence[str]) -> str:
    """Return of which service ports is spoken: a name, or how many there are of several, and the first few."""
    return names[0] if len(names) == 1 else f"{len(names):,} service ports ({named_ports(names)})"


def are(names: Sequence[object], one: str = "is", several: str = "are") -> str:
    """Return the word that fits one name, or the one that fits several."""
    return one if len(names) == 1 else several
