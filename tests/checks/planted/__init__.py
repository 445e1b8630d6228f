"""Faults for big healthy dumps: one module a catalogue, each with a table `PLANTS`.

A fault is planted at several places of dumps of several kinds, and has to be found there as what it is, alone.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from tests import kubeproxy

if TYPE_CHECKING:
    from collections.abc import Callable

ERA = "1.29"


class Base(NamedTuple):
    """A healthy dump: its text, its family, and the services that the place of a fault is counted in."""

    name: str
    text: str
    family: int
    services: tuple[kubeproxy.Service, ...]
    cluster: kubeproxy.Cluster

    def service(self, place: int) -> kubeproxy.Service:
        """A service far down the dump, another one for each place."""
        return self.services[(place * 37 + 11) % len(self.services)]

    def line_of(self, pattern: str, place: int = 0) -> str:
        """One of the lines that match, another one for each place."""
        found = re.findall(rf"^.*{pattern}.*$", self.text, re.MULTILINE)
        assert found, pattern
        return str(found[(place * 37 + 11) % len(found)])

    def before(self, line: str, new: str) -> str:
        """The text with another line before a line."""
        assert f"\n{line}\n" in self.text, line
        return self.text.replace(f"\n{line}\n", f"\n{new}\n{line}\n", 1)

    def after(self, line: str, new: str) -> str:
        """The text with another line after a line."""
        assert f"\n{line}\n" in self.text, line
        return self.text.replace(f"\n{line}\n", f"\n{line}\n{new}\n", 1)

    def instead(self, line: str, new: str = "") -> str:
        """The text with another line, or none, in the place of a line."""
        assert f"\n{line}\n" in self.text, line
        return self.text.replace(f"\n{line}\n", f"\n{new}\n" if new else "\n", 1)

    def appended(self, table: str, rules: str) -> str:
        """The text with rules at the end of a table."""
        head, _, rest = self.text.partition(f"\n*{table}\n")
        own, commit, tail = rest.partition("\nCOMMIT\n")
        assert commit, table
        return f"{head}\n*{table}\n{own}\n{rules}{commit}{tail}"


class Plant(NamedTuple):
    """How a fault is planted: `put` returns the dump with the fault at one of the places 0 to 2.

    `families` are those in which there is such a fault. `beside` are other findings that this fault brings with it.
    `nameless` says whether it shows in a dump without comments, which tie what is one service together.
    """

    put: Callable[[Base, int], str]
    families: tuple[int, ...] = (4, 6)
    beside: frozenset[str] = frozenset()
    nameless: bool = True


def _nft(text: str) -> str:
    return re.sub(r"(ip6?tables)-save (v[\d.]+)(?: \(legacy\))?", r"\1-save \2 (nf_tables)", text)


def _cluster(family: int) -> kubeproxy.Cluster:
    at, pod = (
        ("10.96.1.{}", "10.244.{}.{}") if family == 4 else ("fd00:10:96::{:x}", "fd00:10:244:{:x}::{:x}")
    )
    services = tuple(
        kubeproxy.Service(
            f"shop-{number}",
            at.format(number),
            tuple((pod.format(place, number), 8080) for place in range(4)),
            port_name="http",
            node_port=30_000 + number,
            local=1,
        )
        for number in range(1, 61)
    )
    pods = "10.244.0.0/16" if family == 4 else "fd00:10:244::/48"
    return kubeproxy.Cluster(services, ERA, family=family, pod_cidr=pods)


def bases() -> list[Base]:
    """Healthy dumps of 60 services: of both backends, of both families, with counters and without names."""
    made = []
    for family in (4, 6):
        cluster = _cluster(family)
        text = kubeproxy.saved(cluster)
        counted = re.sub(r"^-A ", "[123:4567] -A ", text, flags=re.MULTILINE)
        nameless = re.sub(r' -m comment --comment "[^"]*"', "", text)
        for name, shown in (
            ("plain", text),
            ("nf_tables", _nft(text)),
            ("counters", counted),
            ("nameless", nameless),
        ):
            made.append(Base(f"{name}-{family}", shown, family, cluster.services, cluster))
    return made
