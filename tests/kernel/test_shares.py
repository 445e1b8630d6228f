"""The kernel judges: rules are loaded, connections opened, counters compared with what trace predicts."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from ipaddress import ip_address, ip_network
from itertools import product
from typing import TYPE_CHECKING, Any

import pytest

import iptviz
from tests import kubeproxy
from tests.conftest import EVERYTHING, part_of
from tests.kernel.lab import BACKENDS, NODE, Node, node, tables_of
from tests.kernel.save_fixtures import DUMPS, FIXTURES, HTTPD, HTTPD_6
from tests.kernel.statistics import LEVEL, chi_square_p, survival
from tests.kubeproxy import NEW, OLD, Cluster

if TYPE_CHECKING:
    from iptviz.dump.model import Dump
    from iptviz.engine.condition import Assumption, Condition
    from iptviz.kube.outcome import FrontendOutcome

CONNECTIONS = 20_000 if EVERYTHING else 5_000
OUTSIDE = {4: "198.51.100.7", 6: "2001:db8::7"}
POD = {4: "10.244.3.3", 6: "fd00:10:244:3::3"}

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("kernel")]


def counted(lab: Node) -> Dump:
    return iptviz.load(lab.save("-c").encode())


def connections(outcome: FrontendOutcome) -> list[int]:
    """How many connections each endpoint got."""
    return [end.counters.packets if end.counters else 0 for end in outcome.endpoints]


def marked(dump: Dump) -> int:
    """How many connections were marked for masquerading."""
    (rule,) = dump.tables["nat"].chains["KUBE-MARK-MASQ"].rules
    assert rule.counters is not None
    return rule.counters.packets


def agree(outcome: FrontendOutcome, count: int) -> None:
    """Check that the endpoints got `count` connections in the predicted shares."""
    observed = connections(outcome)
    assert sum(observed) == count
    assert chi_square_p(observed, [end.share for end in outcome.endpoints]) > LEVEL, observed


@pytest.mark.parametrize("name", [name for name in DUMPS if name != "httpd-nft/dump.rules"])
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_fixture_loaded_into_a_kernel_comes_back_the_same(name: str, backend: str) -> None:
    text = (FIXTURES / name).read_text()
    with node(backend, 6 if "dump6" in name else 4) as lab:
        lab.load(text)
        assert tables_of(lab.save()) == tables_of(text)


@pytest.mark.parametrize("era", [OLD, NEW])
@pytest.mark.parametrize("backend", BACKENDS)
def test_what_the_generator_writes_comes_back_the_same(era: str, backend: str) -> None:
    text = kubeproxy.saved(kubeproxy.numbered(30, 7, era=era))
    with node(backend) as lab:
        lab.load(text)
        assert tables_of(lab.save()) == tables_of(text)


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("era", [OLD, NEW])
@pytest.mark.parametrize("backend", BACKENDS)
def test_connections_to_the_cluster_ip_land_as_predicted(backend: str, era: str, family: int) -> None:
    service = HTTPD if family == 4 else HTTPD_6
    cidr = "10.244.0.0/16" if family == 4 else "fd00:10:244::/48"
    with node(backend, family) as lab:
        lab.load(kubeproxy.saved(Cluster((service,), era, family, cidr)))
        lab.connect((service.cluster_ip, 79), CONNECTIONS, source=OUTSIDE[family])
        dump = counted(lab)
        (one,) = iptviz.trace(dump, f"{service.cluster_ip}").services
        agree(one.usual, CONNECTIONS)
        assert marked(dump) == CONNECTIONS  # "source not in the pod network" holds
        lab.connect((service.cluster_ip, 79), 100, source=POD[family])
        assert marked(counted(lab)) == CONNECTIONS  # and here it does not


@pytest.mark.parametrize("endpoints", [1, 2, 3, 7, 20, 50])
@pytest.mark.parametrize("backend", BACKENDS)
def test_any_number_of_endpoints_shares_as_predicted(backend: str, endpoints: int) -> None:
    cluster = kubeproxy.numbered(2, endpoints, era=OLD, protocol="udp")
    with node(backend) as lab:
        lab.load(kubeproxy.saved(cluster))
        lab.connect((cluster.services[1].cluster_ip, 80), CONNECTIONS, source=OUTSIDE[4], protocol="udp")
        dump = counted(lab)
        (one,) = iptviz.trace(dump, cluster.services[1].cluster_ip).services
        agree(one.usual, CONNECTIONS)


@pytest.mark.parametrize("era", [OLD, NEW])
def test_a_node_port_is_masqueraded_whatever_the_source(era: str) -> None:
    with node("legacy") as lab:
        lab.load(kubeproxy.saved(Cluster((HTTPD,), era)))
        lab.connect((NODE[4], 32123), CONNECTIONS, source=OUTSIDE[4])
        lab.connect((NODE[4], 32123), 100, source=POD[4])
        dump = counted(lab)
        (one,) = iptviz.trace(dump, ":32123").services
        agree(one.usual, CONNECTIONS + 100)
        assert [mark.needs for mark in one.usual.masquerade] == [()]
        assert marked(dump) == CONNECTIONS + 100


@pytest.mark.parametrize("backend", BACKENDS)
def test_with_session_affinity_new_clients_share_and_old_ones_stay(backend: str) -> None:
    clients = 5_000
    with node(backend) as lab:
        lab.load(kubeproxy.saved(Cluster((replace(HTTPD, affinity=10800),))))
        lab.connect((HTTPD.cluster_ip, 79), clients, source="10.9.0.1", per_source=1)
        (one,) = iptviz.trace(counted(lab), HTTPD.cluster_ip).services
        agree(one.usual, clients)
        lab.connect((HTTPD.cluster_ip, 79), 500, source="10.8.0.1")
        (again,) = iptviz.trace(counted(lab), HTTPD.cluster_ip).services
    before, after = connections(one.usual), connections(again.usual)
    gained = [now - then for now, then in zip(after, before, strict=True)]
    assert sorted(gained) == [0, 0, 0, 500]


CLIENTS = {"outside": OUTSIDE[4], "pod": POD[4], "node": NODE[4]}


@pytest.mark.parametrize("who", CLIENTS)
@pytest.mark.parametrize("target", ["192.0.2.80:80", "203.0.113.10:80", ":30080"])
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_local_policy_sends_each_kind_of_client_where_its_case_says(
    backend: str, target: str, who: str
) -> None:
    count = 2_000
    text = (FIXTURES / "policies-today/dump.rules").read_text()
    address, _, port = target.rpartition(":")
    with node(backend) as lab:
        lab.load(text)
        lab.connect((address or NODE[4], int(port)), count, source=CLIENTS[who])
        dump = counted(lab)
    (one,) = iptviz.trace(dump, target).services
    outcome = next(outcome for outcome in one.outcomes if _describes(outcome, who))
    agree(outcome, count)
    assert marked(dump) == (count if outcome.masquerade else 0)


POLICIES: dict[str, dict[str, Any]] = {
    "Cluster": {},
    "Local": {"local_only": True, "local": 2},
    "none local": {"local_only": True, "local": 0},
}


# One of each form that external traffic has had: see the traits of tests.kubeproxy.eras.
FORMS = ["1.2", "1.4", "1.5", OLD, "1.16", "1.20", "1.21", "1.22", "1.24", "1.25", NEW]


@pytest.mark.parametrize(("era", "policy", "backend"), part_of(product(FORMS, POLICIES, BACKENDS), 5))
def test_every_client_lands_where_its_case_says_at_every_frontend(
    backend: str, era: str, policy: str
) -> None:
    service = replace(
        HTTPD,
        node_port=30080,
        external_ips=("192.0.2.80",),
        load_balancer_ips=("203.0.113.10",),
        **POLICIES[policy],
    )
    targets = [(HTTPD.cluster_ip, 79), ("192.0.2.80", 79), ("203.0.113.10", 79), (None, 30080)]
    text = kubeproxy.saved(Cluster((service,), era))
    for target in targets:
        for who, source in CLIENTS.items():
            with node(backend) as lab:
                lab.load(text)
                lab.connect((target[0] or NODE[4], target[1]), 1_000, source=source)
                dump = counted(lab)
            (one,) = iptviz.trace(dump, f"{target[0] or ''}:{target[1]}").services
            outcome = next(outcome for outcome in one.outcomes if _describes(outcome, who))
            observed = connections(outcome)
            lost = 1_000 - sum(observed)
            expected = [*(end.share for end in outcome.endpoints), outcome.leftover]
            assert chi_square_p([*observed, lost], expected) > LEVEL, (target, who, observed)
            assert marked(dump) == (1_000 if _masquerades(outcome, who) else 0), (target, who)


def _masquerades(outcome: FrontendOutcome, who: str) -> bool:
    return any(_holds(mark.needs, who) for mark in outcome.masquerade)


def _describes(outcome: FrontendOutcome, who: str) -> bool:
    """Whether the outcome is the case of such a client."""
    return _holds(outcome.when, who)


def _holds(needs: tuple[Assumption, ...], who: str) -> bool:
    return all(_is_true(need.condition, who) == need.holds for need in needs)


def _is_true(condition: Condition, who: str) -> bool:
    if condition.kind == "source-cidr":
        return any(ip_address(CLIENTS[who]) in ip_network(value) for value in condition.values)
    return {"source-type": who == "node", "bridge-port": False, "destination-type": False}[condition.kind]


RANDOM, NTH = "-m statistic --mode random", "-m statistic --mode nth"
ODD_RULES = {
    "inverted random": (f"{RANDOM} ! --probability 0.3", f"{RANDOM} --probability 0.5", ""),
    "the common mistake": (f"{RANDOM} --probability 0.333",) * 3,
    "nth": (f"{NTH} --every 3 --packet 0", f"{NTH} --every 2 --packet 1", ""),
    "inverted nth": (f"{NTH} ! --every 4 --packet 0", ""),
}


def handmade(matches: tuple[str, ...]) -> str:
    """A service chain with one endpoint for each of `matches`."""
    seps = [f"KUBE-SEP-{number}" for number in range(1, len(matches) + 1)]
    rules = [
        "*nat",
        *(f":{chain} - [0:0]" for chain in ("KUBE-SERVICES", "KUBE-SVC-HANDMADE", *seps)),
        "-A OUTPUT -j KUBE-SERVICES",
        "-A KUBE-SERVICES -d 10.96.7.7/32 -p tcp -m tcp --dport 80 -j KUBE-SVC-HANDMADE",
        *(f"-A KUBE-SVC-HANDMADE {match} -j {sep}" for match, sep in zip(matches, seps, strict=True)),
        *(f"-A {sep} -p tcp -j DNAT --to-destination 10.244.0.{i}:80" for i, sep in enumerate(seps, 1)),
        "COMMIT\n",
    ]
    return "\n".join(rules)


@pytest.mark.parametrize("matches", ODD_RULES.values(), ids=ODD_RULES)
@pytest.mark.parametrize("backend", BACKENDS)
def test_hand_written_chains_share_as_predicted(backend: str, matches: tuple[str, ...]) -> None:
    with node(backend) as lab:
        lab.load(handmade(matches))
        lab.connect(("10.96.7.7", 80), CONNECTIONS, source=OUTSIDE[4])
        (one,) = iptviz.trace(counted(lab), "10.96.7.7").services
    observed = connections(one.usual)
    shares = [end.share for end in one.usual.endpoints]
    lost = CONNECTIONS - sum(observed)
    assert chi_square_p([*observed, lost], [*shares, one.usual.leftover]) > LEVEL


def test_a_wrong_prediction_is_noticed() -> None:
    quarter, third = [Fraction(1, 4)] * 4, [Fraction(1, 3)] * 3
    assert chi_square_p([5000, 5010, 4980, 5010], quarter) > 0.5
    assert chi_square_p([5200, 4800, 5300, 4700], quarter) < LEVEL
    assert chi_square_p([10, 10, 1], [*third[:2], Fraction(0)]) == 0.0


def test_the_chi_square_test_itself_is_right() -> None:
    table = [(3.841, 1, 0.05), (5.991, 2, 0.05), (16.266, 3, 0.001), (18.307, 10, 0.05), (66.339, 49, 0.05)]
    for distance, freedom, expected in table:
        assert survival(distance, freedom) == pytest.approx(expected, rel=0.01)


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_counters_between_two_dumps_are_what_chance_makes(backend: str) -> None:
    with node(backend) as lab:
        lab.load(kubeproxy.saved(Cluster((HTTPD,))))
        lab.connect((HTTPD.cluster_ip, 79), 300, source=OUTSIDE[4])
        before = counted(lab)
        lab.connect((HTTPD.cluster_ip, 79), 5_000, source="198.51.100.8")
        result = iptviz.trace(counted(lab), HTTPD.cluster_ip, since=before)
    (seen,) = result.observed[0]
    assert seen.connections == 5_000
    assert not seen.problems
    assert seen.p is not None
    assert seen.p > LEVEL
