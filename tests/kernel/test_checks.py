"""The kernel judges findings: what a fixture's fault is said to do to connections is what becomes of them.

What each fixture does is written here by hand. A fault harms some clients and leaves others alone; what only looks
like it harms nobody.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

import pytest

from iptviz.checks.registry import catalogue
from tests.conftest import FIXTURES
from tests.kernel.attempts import NODE, Attempt
from tests.kernel.crossroads import LONG_PATIENCE, PATIENCE, crossroads
from tests.kernel.lab import BACKENDS, NOTHING
from tests.kernel.site import AWAY, OUTSIDE, PODS, Site, ports_of

if TYPE_CHECKING:
    from pathlib import Path

    from tests.kernel.attempts import Fate
    from tests.kernel.crossroads import Crossroads

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("kernel")]

TIMES = 32
"""How often each client tries: one of two endpoints is missed once in some thousand million times."""

# --- who asks, for what, and what may become of it --------------------------------------------------------------

BALANCER = "balancer"
SOURCES = {OUTSIDE: "203.0.113.99", BALANCER: "198.51.100.7", PODS: "10.244.1.77", AWAY: "10.244.2.77"}
HERE, THERE = ("10.244.1.5", "10.244.1.7", "10.244.1.31"), ("10.244.2.6",)

WEB, CART, SHOP, API = "10.96.0.50:80", "10.96.0.60:80", "10.97.20.77:80", "10.96.0.1:443"
PORT = "node:30080"
"""A port of the node's own address."""

FIRST, SECOND, SERVER = "10.244.1.5:8080", "10.244.2.6:8080", "192.0.2.10:6443"
DROPPED, UNCHANGED, TAKEN = "nothing, not even a refusal", "goes on as it was sent", "answered by the node"
PROHIBITED, REFUSED = "refused, icmp 3/10", "refused, icmp 3/3"


class Try(NamedTuple):
    """Who asks for what, and all that becomes of it, by chance: addresses are endpoints that are reached."""

    client: str
    to: str
    meets: tuple[str, ...]


def seen_as_node(*ends: str) -> tuple[str, ...]:
    """Endpoints that are reached, and see an address of the node in place of the client's."""
    return tuple(f"{end} as the node" for end in ends)


def in_vain(*ends: str) -> tuple[str, ...]:
    """Endpoints that are reached, and the client, whose address they do not see, hears of no answer."""
    return tuple(f"{end} as the node, in vain" for end in ends)


BOTH = (FIRST, SECOND)
WELL = Try(PODS, WEB, BOTH), Try(NODE, WEB, BOTH)
"""How a service's two endpoints are reached by its cluster IP where nothing is wrong."""
FROM_OUTSIDE = Try(OUTSIDE, PORT, seen_as_node(*BOTH))
API_WELL = Try(PODS, API, (SERVER,)), Try(NODE, API, (SERVER,))
LOST = Try(PODS, WEB, seen_as_node(*BOTH))

NOT_LOADED = {"forward-drop/near-without-policy"}
"""What iptables-restore refuses: the declaration of a built-in chain without its policy."""

MEETS: dict[str, tuple[Try, ...]] = {
    # FORWARD is not asked of what the node itself sends; kube-proxy accepts there what it masquerades.
    "forward-drop/fault": (Try(PODS, WEB, (DROPPED,)), Try(NODE, WEB, BOTH)),
    "forward-drop/fault-docker": (Try(PODS, WEB, (DROPPED,)), Try(NODE, WEB, BOTH)),
    "forward-drop/fault-rule": (Try(PODS, WEB, (DROPPED,)), Try(NODE, WEB, BOTH)),
    "forward-drop/fault-report-22-docker-forward-drop": (
        Try(PODS, SHOP, (DROPPED,)),
        Try(OUTSIDE, "node:32745", seen_as_node(*BOTH)),
        Try(NODE, SHOP, BOTH),
    ),
    "forward-drop/fault-report-31-forward-drop-first": (Try(PODS, SHOP, (DROPPED,)), Try(NODE, SHOP, BOTH)),
    "forward-drop/fault-interface": (Try(PODS, WEB, (DROPPED,)), Try(AWAY, WEB, (f"{FIRST}, in vain", SECOND)), Try(NODE, WEB, BOTH)),
    "forward-drop/fault-queue": (Try(PODS, WEB, (DROPPED,)), Try(NODE, WEB, BOTH)),
    "forward-drop/fault-all-but": (
        Try(PODS, WEB, (DROPPED,)), Try(BALANCER, PORT, (DROPPED,)), FROM_OUTSIDE, Try(NODE, WEB, BOTH),
    ),
    "forward-drop/fault-in-kube-services": (Try(PODS, WEB, (DROPPED,)), FROM_OUTSIDE, Try(NODE, WEB, BOTH)),
    "forward-drop/near-containers": (*WELL, FROM_OUTSIDE),
    "forward-drop/near": WELL,
    "forward-drop/near-blocklist": (*WELL, FROM_OUTSIDE),
    "forward-drop/near-never-asked": WELL,
    "forward-reject-first/fault": (Try(PODS, WEB, (PROHIBITED,)), Try(NODE, WEB, BOTH)),
    "forward-reject-first/near": WELL,
    # The node asks itself by lo, which is accepted.
    "input-drop/fault": (Try(PODS, API, (DROPPED,)), Try(NODE, API, (SERVER,))),
    "input-drop/fault-before-1.21": (Try(OUTSIDE, "node:31234", (DROPPED,)), Try(PODS, SHOP, BOTH)),
    "input-drop/fault-health-check": (Try(OUTSIDE, "node:32000", (DROPPED,)), Try(OUTSIDE, PORT, (FIRST,))),
    "input-drop/near": API_WELL,
    # No uplink of the laboratory is called eth0.
    "input-drop/fault-health-check-uplink": WELL,
    "input-drop/near-health-check-uplink": WELL,
    "input-drop/near-accepted": API_WELL,
    "input-drop/near-health-check": (
        Try(BALANCER, "node:32000", (TAKEN,)), Try(OUTSIDE, "node:32000", (DROPPED,)),
    ),
    "output-drop/fault": (Try(NODE, WEB, (DROPPED,)), Try(PODS, WEB, BOTH)),
    "output-drop/fault-one-endpoint": (Try(NODE, WEB, (REFUSED, SECOND)), Try(PODS, WEB, BOTH)),
    "output-drop/near": WELL,
    "output-drop/fault-in-kube-firewall": (Try(NODE, WEB, (DROPPED,)), Try(PODS, WEB, BOTH)),
    "output-drop/near-kube-firewall": WELL,
    "rule-drops-services/fault": (Try(PODS, WEB, (DROPPED,)), Try(NODE, WEB, BOTH)),
    "rule-drops-services/fault-mangle": (Try(PODS, WEB, (DROPPED,)), Try(NODE, WEB, BOTH)),
    "rule-drops-services/fault-node": (Try(NODE, WEB, (DROPPED,)), Try(PODS, WEB, BOTH), FROM_OUTSIDE),
    "rule-drops-services/near": WELL,
    "replies-dropped/fault": (Try(OUTSIDE, PORT, in_vain(*BOTH)), *WELL),
    "replies-dropped/fault-one-endpoint": (
        Try(OUTSIDE, PORT, (*in_vain(FIRST), *seen_as_node(SECOND))),
        Try(PODS, WEB, (f"{FIRST}, in vain", SECOND)),
        Try(NODE, WEB, BOTH),
    ),
    "replies-dropped/fault-to-the-node": (
        Try(NODE, WEB, (f"{FIRST}, in vain", f"{SECOND}, in vain")), Try(PODS, WEB, BOTH), FROM_OUTSIDE,
    ),
    "replies-dropped/near": (*WELL, FROM_OUTSIDE),
    "blocked-endpoint-hidden/fault": (Try(PODS, WEB, (FIRST, DROPPED)), Try(NODE, WEB, BOTH)),
    "blocked-endpoint-hidden/near": WELL,
    "blocked-endpoint-hidden/near-other-port": WELL,
    "policy-drops-services/fault": (Try(PODS, WEB, (DROPPED, SECOND)), Try(NODE, WEB, BOTH)),
    "policy-drops-services/near": WELL,
    "foreign-dnat-first/fault": (Try(PODS, SHOP, (UNCHANGED,)), Try(NODE, SHOP, (FIRST,))),
    "foreign-dnat-first/fault-beside-the-jump": (
        Try(PODS, SHOP, ("192.0.2.40:80",)), Try(NODE, SHOP, (FIRST,)),
    ),
    "foreign-dnat-first/fault-node-port-behind-jumps": (
        Try(OUTSIDE, PORT, ("192.168.1.10:15001",)), Try(PODS, SHOP, (FIRST,)),
    ),
    "foreign-dnat-first/near": (Try(PODS, SHOP, (FIRST,)),),
    "foreign-dnat-first/near-other-port": (Try(PODS, SHOP, (FIRST,)),),
    "foreign-dnat-first/near-own-addresses": (Try(PODS, SHOP, (FIRST,)),),
    "hostport-preempts/fault": (Try(PODS, SHOP, ("10.244.1.31:8080",)), Try(NODE, SHOP, (FIRST,))),
    "hostport-preempts/fault-node-port": (
        Try(OUTSIDE, PORT, ("10.244.1.31:8080",)), Try(PODS, SHOP, (FIRST,)),
    ),
    "hostport-preempts/near": (Try(PODS, SHOP, (FIRST,)),),
    "hostport-preempts/near-asked-later": (Try(PODS, SHOP, (FIRST,)),),
    # A pod's own address is kept on its way to others; the world sees the node's.
    "foreign-masquerade/fault": (LOST,),
    "foreign-masquerade/fault-ip-masq-agent": (LOST,),
    "foreign-masquerade/fault-report-05-extra-masquerade": (Try(PODS, SHOP, seen_as_node(*BOTH)),),
    "foreign-masquerade/fault-flannel": (Try(PODS, API, seen_as_node(SERVER)), Try(PODS, WEB, BOTH)),
    "foreign-masquerade/fault-local": (Try(OUTSIDE, PORT, seen_as_node(FIRST)), Try(PODS, WEB, BOTH)),
    "foreign-masquerade/fault-every-way": (LOST,),
    "foreign-masquerade/fault-one-way": (Try(PODS, WEB, (FIRST, *seen_as_node(SECOND))),),
    "foreign-masquerade/near": WELL,
    "foreign-masquerade/fault-in-kube-postrouting": (LOST, Try(NODE, WEB, BOTH)),
    "foreign-masquerade/fault-no-return": (LOST,),
    # What comes back to the node bears the mark too, and KUBE-FIREWALL drops it in INPUT: `drop-mark-set`.
    "foreign-masquerade/fault-mark-set": (LOST, Try(NODE, WEB, (f"{FIRST}, in vain", f"{SECOND}, in vain"))),
    "foreign-masquerade/near-mark-of-its-own": WELL,
    "foreign-masquerade/near-cluster": (*WELL, FROM_OUTSIDE),
    "foreign-masquerade/near-flannel": (*WELL, Try(OUTSIDE, PORT, (FIRST,))),
    "foreign-masquerade/near-ip-masq-agent": WELL,
    "foreign-masquerade/near-local": (*WELL, Try(OUTSIDE, PORT, (FIRST,))),
    "stale-pod-policy/fault": (Try(PODS, WEB, (REFUSED, SECOND)), Try(NODE, WEB, BOTH)),
    "stale-pod-policy/fault-report-07-kube-router-stale-pod": (Try(PODS, SHOP, (REFUSED, SECOND)),),
    "stale-pod-policy/near": WELL,
    "service-chain-empty/fault-one-of-two": (Try(PODS, CART, (UNCHANGED,)), *WELL),
    "service-chain-empty/near-one-endpoint": (Try(PODS, CART, ("10.244.1.7:8080",)), *WELL),
    "services-asked-if/fault": (Try(PODS, SHOP, (UNCHANGED,)), Try(NODE, SHOP, BOTH)),
    "services-asked-if/near": (Try(PODS, SHOP, BOTH), Try(NODE, SHOP, BOTH), FROM_OUTSIDE),
    "service-not-reached/fault": (Try(PODS, SHOP, (UNCHANGED,)), Try(NODE, SHOP, (UNCHANGED,)), FROM_OUTSIDE),
    "service-not-reached/fault-accept-by-source": (Try(AWAY, SHOP, (UNCHANGED,)), Try(PODS, SHOP, BOTH)),
    "service-not-reached/fault-return-by-source": (Try(AWAY, SHOP, (UNCHANGED,)), Try(PODS, SHOP, BOTH)),
    "forward-drop/fault-in-kube-firewall": (Try(PODS, SHOP, (DROPPED,)), Try(NODE, SHOP, BOTH)),
    "service-not-reached/fault-udp": (Try(PODS, SHOP, (UNCHANGED,)), Try(NODE, SHOP, BOTH)),
    "service-not-reached/near": (Try(PODS, SHOP, BOTH), Try(NODE, SHOP, BOTH), FROM_OUTSIDE),
    "untracked-service/fault-elsewhere": (Try(PODS, SHOP, (UNCHANGED,)), Try(NODE, SHOP, (UNCHANGED,))),
    # Nobody is to get to the pod, and who is masqueraded does.
    "policy-after-kube-forward/fault-report-50-npm-after-kube-forward": (
        Try(PODS, SHOP, (DROPPED, SECOND)), Try(OUTSIDE, PORT, seen_as_node(*BOTH)),
    ),
    "policy-after-kube-forward/fault": (*WELL, FROM_OUTSIDE),
    "policy-after-kube-forward/near": (*WELL, FROM_OUTSIDE),
}  # fmt: skip
"""What becomes of connections where the rules of a fixture are."""


# --- what the kernel makes of it --------------------------------------------------------------------------------


def site_for(path: Path) -> Site:
    """A node with the address that lies beside the rules, if any does."""
    beside = path.with_suffix(".addresses")
    found = re.search(r"eth0\s+inet ([\d.]+)/", beside.read_text()) if beside.exists() else None
    return Site((found[1] if found else "192.168.1.10",), here=HERE, there=THERE)


def attempts(site: Site, one: Try) -> list[Attempt]:
    address, _, port = one.to.partition(":")
    source = SOURCES.get(one.client, site.addresses[0])
    link = OUTSIDE if one.client == BALANCER else one.client
    return [Attempt(link, source, address.replace("node", site.addresses[0]), int(port))] * TIMES


def became(site: Site, fate: Fate) -> str:
    """What became of an attempt, in the words of the table; of the node's own it is not asked as whom it comes."""
    came = fate.arrived
    if came is None:
        return f"refused, {fate.refused}" if fate.refused else DROPPED
    if not fate.rewritten:
        return TAKEN if fate.at == NODE and fate.answered else UNCHANGED
    as_node = came.source != fate.attempt.source and fate.attempt.client != NODE
    assert not as_node or came.source in site.own
    words = f"{came.destination}:{came.dport}{' as the node' if as_node else ''}"
    return words if fate.reaches else f"{words}, in vain"


def met(lab: Crossroads, one: Try, patience: float = PATIENCE) -> set[str]:
    return {became(lab.site, fate) for fate in lab.attempt(attempts(lab.site, one), patience)}


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("fixture", MEETS)
def test_what_is_found_is_what_becomes_of_connections(fixture: str, backend: str) -> None:
    path = FIXTURES / f"checks/{fixture}.rules"
    text = path.read_text()
    with crossroads(site_for(path)) as lab:
        lab.listen({*ports_of(text), ("tcp", 15001), ("tcp", 31234)})
        lab.load(backend, NOTHING + text)
        for one in MEETS[fixture]:
            found = met(lab, one)
            if found != {*one.meets}:
                found = met(lab, one, LONG_PATIENCE)  # the machine may be busy
            assert found == {*one.meets}, (one, found)


def test_every_fixture_of_these_findings_is_tried() -> None:
    folders = {what for name in ("traffic", "lost_sources", "policies") for what in catalogue(name).diagnoses}
    files = {
        f"{path.parent.name}/{path.stem}"
        for what in folders
        for path in (FIXTURES / "checks" / what).glob("*.rules")
    }
    assert files - NOT_LOADED <= set(MEETS)
