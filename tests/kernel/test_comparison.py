"""What compares documents with connections notices what is wrong, and nothing else."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

import pytest

from tests.kernel.attempts import NODE
from tests.kernel.clients_around import attempts
from tests.kernel.crossroads import crossroads
from tests.kernel.lab import NOTHING
from tests.kernel.site import OUTSIDE, PODS, Site
from tests.kernel.ways import CHANCE, Comparison
from tests.kubeproxy import Cluster, Service, saved

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.kernel.asked_conditions import Shape
    from tests.kernel.attempts import Fate

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("kernel")]

ENDS = ("10.244.1.5", "10.244.1.6", "10.244.1.7")
SITE = Site(here=ENDS[:2], there=ENDS[2:])
SERVICE = Service("web", "10.97.20.77", tuple((end, 8080) for end in ENDS))
DROPS = "*filter\n:FORWARD ACCEPT [0:0]\n-A FORWARD -s 10.244.1.6/32 -j DROP\n-A FORWARD -d 10.244.1.7/32 -j REJECT\nCOMMIT\n"
"""Answers of one endpoint are dropped, requests to another refused."""


def row(end: str, snat: str | None, **more: object) -> Shape:
    return {
        "address": end, "port": 8080, "exact": "1/3", "when": [], "outcome": "ACCEPT", "snat": snat,
        "reply": "ACCEPT", **more,
    }  # fmt: skip


def entry(clients: list[str], snat: str | None, least: str, *others: Shape, when: list[Shape]) -> Shape:
    reaching = {"at_least": {"exact": least}, "at_most": {"exact": least}}
    rest = {"exact": "0/1", "when": [], "outcome": "ACCEPT", "to": "10.97.20.77:80"}
    return {
        "clients": clients, "when": when, "endpoints": [row(ENDS[0], snat), *others], "leftover": [rest],
        "reaching": reaching,
    }  # fmt: skip


INSIDE = {"kind": "source-cidr", "value": "10.244.0.0/16", "text": "", "holds": True}
RIGHT = [
    entry(["outside"], "MASQUERADE", "1/3", row(ENDS[1], "MASQUERADE", reply="DROP"),
          row(ENDS[2], "MASQUERADE", outcome="REJECT"), when=[]),
    entry(["pod"], None, "1/3", row(ENDS[1], None, reply="DROP"), row(ENDS[2], None, outcome="REJECT"), when=[INSIDE]),
    entry(["node"], "MASQUERADE", "1/1", row(ENDS[1], "MASQUERADE"), row(ENDS[2], "MASQUERADE"),
          when=[INSIDE | {"holds": False}]),
    entry(["node"], None, "1/1", row(ENDS[1], None), row(ENDS[2], None), when=[INSIDE]),
]  # fmt: skip


def _row(at: int, number: int, **change: object) -> Callable[[list[Shape]], object]:
    return lambda paths: paths[at]["endpoints"][number].update(change)


def _reaching(at: int, **change: str) -> Callable[[list[Shape]], object]:
    return lambda paths: paths[at]["reaching"].update(
        {name: {"exact": share} for name, share in change.items()}
    )


WRONG: dict[str, Callable[[list[Shape]], Any]] = {
    "another endpoint": _row(0, 0, address="10.244.1.9"),
    "another port": _row(0, 0, port=80),
    "never there": _row(0, 0, exact="0/1"),
    "masqueraded": _row(1, 0, snat="MASQUERADE"),
    "not masqueraded": _row(0, 0, snat=None),
    "SNAT to another address": _row(0, 0, snat="192.0.2.7"),
    "dropped": _row(1, 2, outcome="DROP"),
    "refused": _row(2, 2, outcome="REJECT"),
    "not refused": _row(0, 2, outcome="ACCEPT"),
    "answers dropped": _row(2, 1, reply="DROP"),
    "answers pass": _row(0, 1, reply="ACCEPT"),
    "reaches more": _reaching(0, at_least="1/1"),
    "reaches less": _reaching(2, at_most="0/1"),
    "no entry": lambda paths: paths.pop(1),
    "two entries": lambda paths: paths[3].update(when=[]),
    "an entry of others": lambda paths: paths[1].update(when=[INSIDE | {"holds": False}]),
    "a row under a condition": _row(2, 0, when=[INSIDE]),
    "shares": lambda paths: (_row(2, 0, exact="9/10")(paths), _row(2, 1, exact="1/20")(paths), _row(2, 2, exact="1/20")(paths)),
}  # fmt: skip


@pytest.fixture(scope="module")
def fates(kernel: None) -> Iterator[list[list[Fate]]]:  # noqa: ARG001
    with crossroads(SITE) as lab:
        lab.load("nft", NOTHING + saved(Cluster((SERVICE,))))
        lab.load("legacy", NOTHING + DROPS)
        yield [
            lab.attempt(attempts(SITE, kind, "10.97.20.77", 80, "tcp", 96)) for kind in (OUTSIDE, PODS, NODE)
        ]


def troubles(paths: list[Shape], fates: list[list[Fate]]) -> list[str]:
    comparison = Comparison(paths, SITE)
    return [str(one) for some in fates for one in comparison.troubles(some, CHANCE / 1000)]


def test_what_is_right_is_not_complained_about(fates: list[list[Fate]]) -> None:
    assert troubles(RIGHT, fates) == []


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_noticed(wrong: Callable[[list[Shape]], Any], fates: list[list[Fate]]) -> None:
    paths = deepcopy(RIGHT)
    wrong(paths)
    assert troubles(paths, fates)
