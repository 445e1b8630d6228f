"""One service through the releases: what each wrote for it, and what comes of every kind of client.

The rules are those that kube-proxy of the release writes for `shop/api` with two endpoints, the first on this node,
cut to what a connection meets. Clients: outside, a pod, the node itself.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

import pytest

import iptviz
from iptviz.checks.era import era_remark
from iptviz.checks.wording import sentence
from iptviz.engine.condition import Assumption, Condition
from iptviz.engine.knowing import answers_of
from iptviz.kube.era import era_of

if TYPE_CHECKING:
    from collections.abc import Callable

HEAD = """*nat
:PREROUTING ACCEPT [0:0]
:KUBE-SERVICES - [0:0]
-A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A OUTPUT -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A KUBE-MARK-MASQ -j MARK --set-xmark 0x4000/0x4000
-A KUBE-MARK-DROP -j MARK --set-xmark 0x8000/0x8000
-A KUBE-SERVICES -m comment --comment "kubernetes service nodeports; NOTE: this must be the last rule in this chain" -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS
-A KUBE-SEP-A -p tcp -m comment --comment "shop/api:https" -m tcp -j DNAT --to-destination 10.244.0.6:8443
-A KUBE-SEP-B -p tcp -m comment --comment "shop/api:https" -m tcp -j DNAT --to-destination 10.244.1.6:8443
"""
TCP = '-p tcp -m comment --comment "shop/api:https'
FIRST, SECOND = "10.244.0.6:8443", "10.244.1.6:8443"
HALF = "-m statistic --mode random --probability 0.50000000000"
BOTH = {FIRST: Fraction(1, 2), SECOND: Fraction(1, 2)}
HERE = {FIRST: Fraction(1)}
REFUSED: dict[str, Fraction] = {}


class Case(NamedTuple):
    """The rules of a release, the frontend asked about, and for each client its endpoints and masquerading."""

    rules: str
    target: str
    outside: tuple[dict[str, Fraction], bool]
    pod: tuple[dict[str, Fraction], bool]
    node: tuple[dict[str, Fraction], bool]
    since: int
    verdict: str | None = None


def ways(chain: str, comment: str = "shop/api:https") -> str:
    note = f'-m comment --comment "{comment}" ' if comment else ""
    return f"-A {chain} {note}{HALF} -j KUBE-SEP-A\n-A {chain} {note}-j KUBE-SEP-B\n"


def arrows(chain: str) -> str:
    return (
        f'-A {chain} -m comment --comment "shop/api:https -> {FIRST}" {HALF} -j KUBE-SEP-A\n'
        f'-A {chain} -m comment --comment "shop/api:https -> {SECOND}" -j KUBE-SEP-B\n'
    )


VIP = f'-A KUBE-SERVICES -d 203.0.113.10/32 {TCP} loadbalancer IP" -m tcp --dport 443'
EXTERNAL = f'-A KUBE-SERVICES -d 192.0.2.80/32 {TCP} external IP" -m tcp --dport 443'
CLUSTER = f'-A KUBE-SERVICES -d 10.96.0.9/32 {TCP} cluster IP" -m tcp --dport 443'
NODE_PORT = f'-A KUBE-NODEPORTS {TCP}" -m tcp --dport 30443'
REDIRECT = '-A KUBE-XLB-X -s 10.244.0.0/16 -m comment --comment "Redirect pods trying to reach external loadbalancer VIP to clusterIP" -j KUBE-SVC-X\n'
LOCAL_TRAFFIC = (
    '-A KUBE-XLB-X -m comment --comment "masquerade LOCAL traffic for shop/api:https LB IP" -m addrtype --src-type LOCAL -j KUBE-MARK-MASQ\n'
    '-A KUBE-XLB-X -m comment --comment "route LOCAL traffic for shop/api:https LB IP to service chain" -m addrtype --src-type LOCAL -j KUBE-SVC-X\n'
)
XLB_WAY = '-A KUBE-XLB-X -m comment --comment "Balancing rule 0 for shop/api:https" -j KUBE-SEP-A\n'
XLB_DROP = '-A KUBE-XLB-X -m comment --comment "shop/api:https has no local endpoints" -j KUBE-MARK-DROP\n'
FW_DROP = '-A KUBE-FW-X -m comment --comment "shop/api:https loadbalancer IP" -j KUBE-MARK-DROP\n'
EXT_CLUSTER = (
    '-A KUBE-EXT-X -m comment --comment "masquerade traffic for shop/api:https external destinations" -j KUBE-MARK-MASQ\n'
    "-A KUBE-EXT-X -j KUBE-SVC-X\n"
)


def ext_local(pod: str = "-s 10.244.0.0/16") -> str:
    told = "shop/api:https external destinations"
    return (
        f'-A KUBE-EXT-X {pod} -m comment --comment "pod traffic for {told}" -j KUBE-SVC-X\n'
        f'-A KUBE-EXT-X -m comment --comment "masquerade LOCAL traffic for {told}" -m addrtype --src-type LOCAL -j KUBE-MARK-MASQ\n'
        f'-A KUBE-EXT-X -m comment --comment "route LOCAL traffic for {told}" -m addrtype --src-type LOCAL -j KUBE-SVC-X\n'
        "-A KUBE-EXT-X -j KUBE-SVL-X\n"
    )


SVL = f'-A KUBE-SVL-X -m comment --comment "shop/api:https -> {FIRST}" -j KUBE-SEP-A\n'
SVL_DROP = '-A KUBE-SVL-X -m comment --comment "shop/api:https has no local endpoints" -j KUBE-MARK-DROP\n'

CASES = {
    "1.3 cluster IP, masquerade-all beside the cluster's network": Case(
        f"{CLUSTER} -j KUBE-MARK-MASQ\n{CLUSTER.replace(' -d ', ' ! -s 10.244.0.0/16 -d ')} -j KUBE-MARK-MASQ\n{CLUSTER} -j KUBE-SVC-X\n" + ways("KUBE-SVC-X"),
        "10.96.0.9", (BOTH, True), (BOTH, True), (BOTH, True), 3),
    "1.5 Local: no way for the node": Case(
        f"{VIP} -j KUBE-FW-X\n-A KUBE-FW-X -m comment --comment \"shop/api:https loadbalancer IP\" -j KUBE-XLB-X\n{FW_DROP}"
        f"{REDIRECT}{XLB_WAY}" + ways("KUBE-SVC-X"),
        "203.0.113.10", (HERE, False), (BOTH, False), (HERE, False), 5),
    "1.14 Local, none local": Case(
        f"{VIP} -j KUBE-FW-X\n-A KUBE-FW-X -m comment --comment \"shop/api:https loadbalancer IP\" -j KUBE-XLB-X\n{FW_DROP}"
        f"{REDIRECT}{XLB_DROP}" + ways("KUBE-SVC-X", ""),
        "203.0.113.10", (REFUSED, False), (BOTH, False), (REFUSED, False), 14, "DROP"),
    "1.16 Local: the node goes to all": Case(
        f"{VIP} -j KUBE-FW-X\n-A KUBE-FW-X -m comment --comment \"shop/api:https loadbalancer IP\" -j KUBE-XLB-X\n{FW_DROP}"
        f"{REDIRECT}{LOCAL_TRAFFIC}{XLB_WAY}" + ways("KUBE-SVC-X", ""),
        "203.0.113.10", (HERE, False), (BOTH, False), (BOTH, True), 16),
    "1.20 external IP of policy Local": Case(
        f"{EXTERNAL} -m physdev ! --physdev-is-in -m addrtype ! --src-type LOCAL -j KUBE-XLB-X\n"
        f"{EXTERNAL} -m addrtype --dst-type LOCAL -j KUBE-XLB-X\n{REDIRECT}{LOCAL_TRAFFIC}{XLB_WAY}" + ways("KUBE-SVC-X"),
        "192.0.2.80", (HERE, False), (BOTH, False), ({}, False), 20),
    "1.21 external IP by a single rule": Case(
        f"{EXTERNAL.replace(' -d ', ' ! -s 10.244.0.0/16 -d ')} -j KUBE-MARK-MASQ\n{EXTERNAL} -j KUBE-SVC-X\n" + ways("KUBE-SVC-X"),
        "192.0.2.80", (BOTH, True), (BOTH, False), (BOTH, True), 21),
    "1.22 masquerading in the service's chain: cluster IP": Case(
        f"{CLUSTER} -j KUBE-SVC-X\n{NODE_PORT} -j KUBE-SVC-X\n"
        + CLUSTER.replace("KUBE-SERVICES", "KUBE-SVC-X ! -s 10.244.0.0/16") + " -j KUBE-MARK-MASQ\n"
        + NODE_PORT.replace("KUBE-NODEPORTS", "KUBE-SVC-X") + " -j KUBE-MARK-MASQ\n" + ways("KUBE-SVC-X"),
        "10.96.0.9", (BOTH, True), (BOTH, False), (BOTH, True), 22),
    "1.22 masquerading in the service's chain: node port": Case(
        f"{CLUSTER} -j KUBE-SVC-X\n{NODE_PORT} -j KUBE-SVC-X\n"
        + CLUSTER.replace("KUBE-SERVICES", "KUBE-SVC-X ! -s 10.244.0.0/16") + " -j KUBE-MARK-MASQ\n"
        + NODE_PORT.replace("KUBE-NODEPORTS", "KUBE-SVC-X") + " -j KUBE-MARK-MASQ\n" + ways("KUBE-SVC-X"),
        ":30443", (BOTH, True), (BOTH, True), (BOTH, True), 22),
    "1.23 Local node port": Case(
        f"{NODE_PORT} -s 127.0.0.0/8 -j KUBE-MARK-MASQ\n{NODE_PORT} -j KUBE-XLB-X\n{REDIRECT}{LOCAL_TRAFFIC}"
        '-A KUBE-XLB-X -m comment --comment "shop/api:https" -j KUBE-SEP-A\n' + ways("KUBE-SVC-X"),
        ":30443", (HERE, False), (BOTH, False), (BOTH, True), 23),
    "1.22 OpenShift: local with fallback, none local": Case(
        f'{VIP} -j KUBE-FW-X\n-A KUBE-FW-X -m comment --comment "shop/api:https loadbalancer IP" -j KUBE-XLB-X\n{FW_DROP}'
        f'{REDIRECT}{LOCAL_TRAFFIC}-A KUBE-XLB-X -m comment --comment "local-with-fallback NAT" -j KUBE-MARK-MASQ\n'
        '-A KUBE-XLB-X -m comment --comment "Balancing rule 0 for shop/api:https" -j KUBE-SVC-X\n' + ways("KUBE-SVC-X"),
        "203.0.113.10", (BOTH, True), (BOTH, False), (BOTH, True), 22),
    "1.24 external traffic": Case(
        f"{VIP} -j KUBE-EXT-X\n{EXT_CLUSTER}" + arrows("KUBE-SVC-X"),
        "203.0.113.10", (BOTH, True), (BOTH, True), (BOTH, True), 24),
    "1.24 Local, none local": Case(
        f"{VIP} -j KUBE-EXT-X\n{ext_local()}{SVL_DROP}" + arrows("KUBE-SVC-X"),
        "203.0.113.10", (REFUSED, False), (BOTH, False), (BOTH, True), 24, "DROP"),
    "1.24 source ranges end in a drop mark": Case(
        f"{VIP} -j KUBE-FW-X\n-A KUBE-FW-X -s 0.0.0.0/0 -m comment --comment \"shop/api:https loadbalancer IP\" -j KUBE-EXT-X\n{FW_DROP}{EXT_CLUSTER}"
        + arrows("KUBE-SVC-X"),
        "203.0.113.10", (BOTH, True), (BOTH, True), (BOTH, True), 24),
    "1.25 Local, with a local endpoint": Case(
        f"{VIP} -j KUBE-EXT-X\n{ext_local()}{SVL}" + arrows("KUBE-SVC-X"),
        "203.0.113.10", (HERE, False), (BOTH, False), (BOTH, True), 25),
    "1.26 pods told by their bridge": Case(
        f"{VIP} -j KUBE-EXT-X\n{ext_local('-i cni0')}{SVL}" + arrows("KUBE-SVC-X"),
        "203.0.113.10", (HERE, False), (BOTH, False), (BOTH, True), 26),
    "1.26 pods told by a prefix of interfaces": Case(
        f"{CLUSTER} -j KUBE-SVC-X\n" + CLUSTER.replace("KUBE-SERVICES -d 10.96.0.9/32", "KUBE-SVC-X -d 10.96.0.9/32 ! -i cali+")
        + " -j KUBE-MARK-MASQ\n" + arrows("KUBE-SVC-X"),
        "10.96.0.9", (BOTH, True), (BOTH, False), (BOTH, True), 26),
    "1.26 internal policy Local": Case(
        f"{CLUSTER} -j KUBE-SVL-X\n{CLUSTER.replace('KUBE-SERVICES', 'KUBE-SVL-X ! -s 10.244.0.0/16')} -j KUBE-MARK-MASQ\n{SVL}",
        "10.96.0.9", (HERE, True), (HERE, False), (HERE, True), 26),
    "1.31 a node port twice": Case(
        f'-A KUBE-NODEPORTS -d 127.0.0.0/8 {TCP}" -m tcp --dport 30443 -m nfacct --nfacct-name  localhost_nps_accepted_pkts -j KUBE-EXT-X\n'
        f"{NODE_PORT} -j KUBE-EXT-X\n{EXT_CLUSTER}" + arrows("KUBE-SVC-X"),
        ":30443", (BOTH, True), (BOTH, True), (BOTH, True), 31),
}  # fmt: skip

POD = (Condition("source-cidr", "10.244.0.0/16"),)
POD_INTERFACES = ("cni0", "cali+")
NODE = (Condition("source-type", "LOCAL"),)
NEVER = (
    Condition("bridge-port", ""), Condition("destination-type", "LOCAL"), Condition("destination-cidr", "127.0.0.0/8"),
    Condition("match", "-m nfacct --nfacct-name localhost_nps_accepted_pkts"),
)  # fmt: skip
ALWAYS = (Condition("source-cidr", "0.0.0.0/0"),)


def facts(who: str, rules: str) -> Callable[[Condition], bool | None]:
    """What is so of a client; a pod comes by the interface that the rules name."""
    told = {
        Condition("in-interface", name): who == "pod" and f"-i {name} " in rules for name in POD_INTERFACES
    }
    told |= dict.fromkeys(POD, who == "pod") | dict.fromkeys(NODE, who == "node")
    told |= dict.fromkeys(NEVER, False) | dict.fromkeys(ALWAYS, True)
    return answers_of([Assumption(condition, holds) for condition, holds in told.items()])


@pytest.mark.parametrize("who", ["outside", "pod", "node"])
@pytest.mark.parametrize("name", CASES)
def test_every_client_meets_what_its_release_wrote(name: str, who: str) -> None:
    case = CASES[name]
    (one,) = iptviz.trace(iptviz.load(f"{HEAD}{case.rules}COMMIT\n".encode()), case.target).services
    known = facts(who, case.rules)
    (outcome,) = (
        one for one in one.outcomes if all(known(need.condition) == need.holds for need in one.when)
    )
    endpoints = {f"{end.address}:{end.port}": end.share for end in outcome.endpoints if end.share}
    masquerades = any(
        all(known(need.condition) == need.holds for need in mark.needs) for mark in outcome.masquerade
    )
    expected, masquerade = getattr(case, who)
    assert endpoints == expected
    assert (masquerades and bool(endpoints)) == masquerade
    if case.verdict and not expected:
        assert outcome.verdict is not None
        assert outcome.verdict.kind == case.verdict


@pytest.mark.parametrize("name", CASES)
def test_the_release_is_among_those_that_can_have_written_it(name: str) -> None:
    case = CASES[name]
    found = era_of(iptviz.load(f"{HEAD}{case.rules}COMMIT\n".encode()))
    assert case.since in found.releases, sentence(era_remark(found))


@pytest.mark.parametrize("name", CASES)
def test_the_list_of_services_says_the_same_of_outside_clients(name: str) -> None:
    case = CASES[name]
    (one,) = iptviz.services(iptviz.load(f"{HEAD}{case.rules}COMMIT\n".encode())).services
    answer = next(
        answer
        for answer in one.answers
        if case.target in {answer.frontend.address, f":{answer.frontend.port}"}
    )
    assert {f"{end.address}:{end.port}": end.share for end in answer.endpoints if end.share} == case.outside[
        0
    ]
    assert one.name == "shop/api:https"


# --- which addresses have node ports -------------------------------------------------------------------------

TAIL = '-m comment --comment "kubernetes service nodeports; NOTE: this must be the last rule in this chain"'
JUMPS = {
    "all": f"-A KUBE-SERVICES {TAIL} -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS\n",
    "chosen": f"-A KUBE-SERVICES -d 192.168.1.10/32 {TAIL} -j KUBE-NODEPORTS\n-A KUBE-SERVICES -d 10.9.0.1/32 {TAIL} -j KUBE-NODEPORTS\n",
    "all but localhost": f"-A KUBE-SERVICES ! -d 127.0.0.0/8 {TAIL} -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS\n",
}
OWN = ("192.168.1.10", "10.9.0.1", "172.16.0.1")


@pytest.mark.parametrize(
    ("jumps", "address", "reached"),
    [
        ("all", "192.168.1.10", True), ("all", "172.16.0.1", True), ("all", "127.0.0.1", True),
        ("all", "192.168.1.99", False), ("chosen", "10.9.0.1", True), ("chosen", "172.16.0.1", False),
        ("chosen", "127.0.0.1", False), ("all but localhost", "172.16.0.1", True),
        ("all but localhost", "127.0.0.1", False),
    ],
)  # fmt: skip
def test_a_node_port_is_reached_at_the_addresses_that_have_it(
    jumps: str, address: str, *, reached: bool
) -> None:
    head = "".join(line for line in HEAD.splitlines(keepends=True) if "KUBE-NODEPORTS" not in line)
    rules = f"{head}{JUMPS[jumps]}{NODE_PORT} -j KUBE-EXT-X\n{EXT_CLUSTER}{arrows('KUBE-SVC-X')}COMMIT\n"
    result = iptviz.packet(
        iptviz.load(rules.encode()), src="10.244.0.9", dst=address, protocol="tcp", dport=30443, mark=0,
        local_ips=OWN, hook="output",
    )  # fmt: skip
    found = {one.packet.dnat: one.share for one in result.outcomes}
    assert found == (BOTH if reached else {None: Fraction(1)})
