"""Rules in bulk are read as any others of kube-proxy's own form, in whatever order they stand."""

from __future__ import annotations

from functools import cached_property

from hypothesis import given
from hypothesis import strategies as st

import iptviz
from iptviz.kube.plain_chains import PlainChains, _Lines
from tests import kubeproxy

ENDPOINTS = ("KUBE-SEP-A", "KUBE-SEP-B", "KUBE-SEP-C")
SERVICES = ("KUBE-SVC-X", "KUBE-SVC-Y")
DESTINATIONS = ("10.1.0.1:80", "10.1.0.2:80", "10.1.0.2:8080", "[fd00::2]:80", "10.1.0.3:99999", "a0.1:8080")
MASK = '-p tcp -m comment --comment "a/b:c cluster IP" -m tcp --dport 80 -j KUBE-MARK-MASQ'

endpoint = st.tuples(
    st.sampled_from(ENDPOINTS),
    st.sampled_from(DESTINATIONS),
    st.sampled_from(("tcp", "tcp", "tcp", "udp")),
    st.sampled_from(((0, 1), (0, 1), (0, 1), (1,), (0,), (1, 0))),
)
choice = st.sampled_from(ENDPOINTS).flatmap(
    lambda name: st.sampled_from(
        (
            f"-m statistic --mode random --probability 0.50000000000 -j {name}",
            f"-m statistic --mode random --probability 0.5.0 -j {name}",
            f"-j {name}",
            f"-m comment --comment a/b:c -j {name}",
            f"-m recent --rcheck --seconds 60 --reap --name {name} --mask 255.255.255.255 --rsource -j {name}",
        )
    )
)
mask = st.sampled_from(
    (
        f"! -s 10.0.0.0/8 -d 10.96.0.1/32 {MASK}",
        f"! -s 10.0.0.0/8 -d 10.96.0.0/24 {MASK}",
        f"-d 10.96.0.1/32 {MASK}",
        "-j KUBE-OTHER",
    )
)
service = st.tuples(
    st.sampled_from(SERVICES), st.lists(mask, max_size=1), st.lists(choice, min_size=1, max_size=3)
)
counters = st.sampled_from(("", "", "[3:180] "))


def endpoint_lines(name: str, destination: str, protocol: str, which: tuple[int, ...]) -> list[str]:
    lines = (
        f"-A {name} -s 10.1.0.1/32 -j KUBE-MARK-MASQ",
        f"-A {name} -p {protocol} -m {protocol} -j DNAT --to-destination {destination}",
    )
    return [lines[place] for place in which]


def service_lines(name: str, masks: list[str], choices: list[str]) -> list[str]:
    return [f"-A {name} {rule}" for rule in (*masks, *choices)]


lines = st.one_of(
    endpoint.map(lambda parts: endpoint_lines(*parts)),
    endpoint.map(lambda parts: endpoint_lines(*parts)),
    service.map(lambda parts: service_lines(*parts)),
)
chains = st.tuples(lines, counters).map(lambda parts: [parts[1] + line for line in parts[0]])


class OneByOne(PlainChains):
    """Reads all rules by the one expression for all forms."""

    @cached_property
    def _lines(self) -> _Lines:
        lines = _Lines()
        self._add(lines, self._table.blocks())
        return lines


def agreeing(text: str) -> int:
    """Compare both ways of all chains that services may have. How many were read."""
    table = iptviz.load(text.encode()).tables["nat"]
    bulk, single = PlainChains(table), OneByOne(table)
    read = 0
    for chain in (name for name in table.chains if name.startswith("KUBE-SVC-")):
        for protocol in ("tcp", "udp"):
            assert bulk.balancing(chain, protocol) == single.balancing(chain, protocol), (chain, protocol)
            read += bulk.balancing(chain, protocol) is not None
    return read


@given(st.lists(chains, max_size=8))
def test_rules_in_bulk_are_read_as_one_by_one(several: list[list[str]]) -> None:
    agreeing("\n".join(["*nat", *(line for some in several for line in some), "COMMIT", ""]))


def test_rules_of_a_cluster_are_read_in_bulk() -> None:
    text = kubeproxy.saved(kubeproxy.numbered(201, 5))
    table = iptviz.load(text.encode()).tables["nat"]
    assert sum(end - start for (start, end), in_bulk in table.parts() if in_bulk) > len(text) / 3
    assert agreeing(text) == 201


def test_a_chain_in_several_places_is_left_to_the_engine() -> None:
    one = endpoint_lines("KUBE-SEP-A", "10.1.0.1:80", "tcp", (0, 1))
    led = service_lines("KUBE-SVC-X", [], ["-j KUBE-SEP-A"])
    other = service_lines("KUBE-SVC-Y", [], ["-j KUBE-SEP-B"])
    for text, count in (([*one, *led], 1), ([*one, *led, *one], 0), ([*one, *other, *one, *led], 0)):
        assert agreeing("\n".join(["*nat", *text, "COMMIT", ""])) == count
