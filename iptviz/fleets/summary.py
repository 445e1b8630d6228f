"""What is kept of nodes to compare them: so little that thousands are held at once, and merged in any order.

A set of nodes is a number whose bits are the places of the nodes in their summary, counted from 0: it takes an
eighth of a byte for each, and a service port that is the same on all nodes is kept once. A summary of one node
knows nothing of the others, so that it can be kept for the next time.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from iptviz.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from iptviz.checks.finding import Finding
    from iptviz.compare.ports.form import PortForm

Nodes = int
"""A set of nodes: bit N is the node at place N."""

PortKey = tuple[str, ...]
"""By what a service port is the same on other nodes: the family, then `PortForm.key`."""

CauseKey = tuple[str, str, str]
"""By what a finding of `check` is the same on other nodes: its id, its severity, its service (empty: none)."""


_SUFFIXES = re.compile(
    r"(?:\.(?:txt|rules|nft|save|log|dump|out|json|tar|tgz|zip|gz|xz|bz2|zst))+\Z", re.IGNORECASE
)


class NodeFacts(NamedTuple):
    """What is told of a node beside its services.

    `name` is None where nothing tells it; `source` is where its rules come from, as it was given. `mode` is
    a mode of kube-proxy, as `iptviz.kube.mode.ModeName` has it, that of the first rules with services,
    `modes` those of all rules, each behind its family. `releases` are minor releases of Kubernetes 1.x that
    may have written the rules, `era` says so in words. `backend` is `legacy`, `nf_tables` or empty; `cnis`
    name whose chains are there. `saved` is when the rules were saved, in seconds since 1970, None where
    nothing tells it. `complete` is False where the dump lacks lines. `services` counts service ports.
    `pods` are networks of pods that masquerade rules name, `host_ports` ports that others than kube-proxy
    publish at all addresses, as `:8080/tcp`. `lost_hooks` are chains of nat from which nothing leads to
    services. `unseen` are tables that the node may have and nothing shows.
    """

    name: str | None
    source: str
    mode: str
    era: str
    releases: tuple[int, ...]
    backend: str
    cnis: tuple[str, ...]
    saved: float | None
    complete: bool
    services: int
    pods: tuple[str, ...] = ()
    host_ports: tuple[str, ...] = ()
    lost_hooks: tuple[str, ...] = ()
    unseen: tuple[str, ...] = ()
    modes: tuple[tuple[str, str], ...] = ()

    @property
    def label(self) -> str:
        """The node's name; where nothing tells it, that of its file, without what says what is in it."""
        return self.name or _SUFFIXES.sub("", self.source.rstrip("/").rpartition("/")[2]) or self.source


class Unreadable(NamedTuple):
    """Something that was given and tells of no node: where, and why, in one line."""

    source: str
    reason: str


class Noticed(NamedTuple):
    """A finding of `check`, as the first of `nodes` has it.

    `said` is what it says but for lines of the dump; empty where some nodes have it with other values.
    """

    finding: Finding
    nodes: Nodes
    said: str


class Summary(NamedTuple):
    """What is known of some nodes, which stand in the order in which they were given.

    `ports` has for each service port its forms, each with the nodes that have it so; `noticed` what `check`
    finds.
    """

    nodes: tuple[NodeFacts, ...]
    ports: dict[PortKey, dict[PortForm, Nodes]]
    noticed: dict[CauseKey, Noticed]
    unreadable: tuple[Unreadable, ...] = ()


def merged(summaries: Iterable[Summary]) -> Summary:
    """Return what several summaries say together: the nodes of each stand behind those of the ones before.

    So neighbours can be merged first: merged((a, merged((b, c)))) is merged((a, b, c)).
    """
    nodes: list[NodeFacts] = []
    ports: dict[PortKey, dict[PortForm, Nodes]] = {}
    noticed: dict[CauseKey, Noticed] = {}
    unreadable: list[Unreadable] = []
    for place, summary in enumerate(summaries):
        if place == 0:  # without comparing its forms with each other
            nodes, unreadable = list(summary.nodes), list(summary.unreadable)
            ports = {key: dict(forms) for key, forms in summary.ports.items()}
            noticed = dict(summary.noticed)
            continue
        behind = len(nodes)
        nodes += summary.nodes
        unreadable += summary.unreadable
        for key, forms in summary.ports.items():
            known = ports.setdefault(key, {})
            for form, those in forms.items():
                known[form] = known.get(form, 0) | those << behind
        for cause, one in summary.noticed.items():
            before = noticed.get(cause, one._replace(nodes=0))
            said = before.said if before.said == one.said else ""
            noticed[cause] = Noticed(before.finding, before.nodes | one.nodes << behind, said)
    return Summary(tuple(nodes), ports, noticed, tuple(unreadable))


def labels(nodes: Sequence[NodeFacts]) -> tuple[str, ...]:
    """Return what each node is called; where several are called so, their files are named, too."""
    called = [node.label for node in nodes]
    several = {name for name, count in Counter(called).items() if count > 1}
    return tuple(
        f"{name} ({node.source})" if name in several and name != node.source else name
        for name, node in zip(called, nodes, strict=True)
    )


def count_of(nodes: Nodes) -> int:
    """Return how many nodes are in a set."""
    return nodes.bit_count()


def places(nodes: Nodes) -> Iterator[int]:
    """Yield the places of the nodes in a set, the first one first."""
    while nodes:
        lowest = nodes & -nodes
        yield lowest.bit_length() - 1
        nodes ^= lowest
