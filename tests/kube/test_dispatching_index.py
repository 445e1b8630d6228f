"""What a rule says of a frontend is told from its text where it is plain: the same as its parts say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

import iptviz
from iptviz.dump.model import Dump
from iptviz.kube.dispatching import DispatchingRules, _about, dispatching_rules
from iptviz.kube.frontends import (
    asks_for_nothing_else,
    frontend_as_read,
    frontend_of,
    host_of,
    port_of,
    unprinted_port,
    value_of,
)
from tests import kubeproxy
from tests.conftest import ROOT

if TYPE_CHECKING:
    from iptviz.dump.rule import Rule

ODD = """*nat
-A KUBE-SERVICES ! -d 10.96.0.1/32 -p tcp -m tcp --dport 80 -j KUBE-SVC-A
-A KUBE-SERVICES -d 10.96.0.0/24 -p tcp -m tcp --dport 80 -j KUBE-SVC-A
-A KUBE-SERVICES -d 10.96.0.1/32 -p tcp -m tcp ! --dport 80 -j KUBE-SVC-A
-A KUBE-SERVICES -d 10.96.0.1/32 -p tcp -m tcp --dport 80:90 -j KUBE-SVC-A
-A KUBE-SERVICES -d 10.96.0.1/32 -p tcp -m tcp --dport 99999 -j KUBE-SVC-A
-A KUBE-SERVICES -d 10.96.0.1/32 -p tcp -m comment --comment "-d 10.96.0.2/32 --dport 81" -m tcp --dport 80 -j KUBE-SVC-A
-A KUBE-SERVICES -d 10.96.0.1/32 -p tcp -m tcp --dport 80 -j KUBE-SVC-A -m comment --comment late
-A KUBE-SERVICES -s 10.0.0.1/32 -d 10.96.0.1/32 -p udp -m udp --dport 53 -j KUBE-SVC-A
-A KUBE-NODEPORTS -d 127.0.0.0/8 -p tcp -m tcp --dport 30080 -j KUBE-EXT-A
-A KUBE-NODEPORTS -d 10.0.0.9/32 -p tcp -m tcp --dport 30080 -j KUBE-EXT-A
COMMIT
"""


def agreeing(dump: Dump) -> int:
    """Compare both ways of all dispatching rules. How many were plain."""
    plain = 0
    for rule in dispatching_rules(dump):
        about = _about(rule)
        assert (about.address, about.port) == (host_of(rule), port_of(rule) or unprinted_port(rule)), (
            rule.text
        )
        frontend = frontend_of(rule) if about.target else None
        if frontend is not None:
            assert about[:3] == frontend[1:4], rule.text
        if about.plain is not None:
            assert about.asks_for_nothing_else == asks_for_nothing_else(rule), rule.text
            assert (about.chain, about.jump) == (rule.chain, rule.jump), rule.text
            assert about.plain.source == next(
                (one.values[0] for one in rule.parts.basics if one.negated), None
            )
            assert about.plain.protocol == value_of(rule, "-p"), rule.text
        agreeing_frontends(about.rule)
        plain += bool(about.target)
    return plain


def agreeing_frontends(rule: Rule) -> None:
    """Compare both ways of a frontend."""
    read, apart = frontend_of(rule), frontend_as_read(rule, None)
    assert (read and read._replace(plain=None)) == apart, rule.text
    if read and apart:
        assert (read.service, read.leads_to, read.suffix, read.claimant, read.text) == (
            apart.service, apart.leads_to, apart.suffix, apart.claimant, apart.text,
        ), rule.text  # fmt: skip


CHAINS = {"nat": ("KUBE-SERVICES", "KUBE-NODEPORTS"), "filter": ("KUBE-SERVICES", "KUBE-EXTERNAL-SERVICES", "KUBE-PROXY-FIREWALL")}  # fmt: skip
PIECES = (
    ("", "! -s 10.0.0.0/8", "-s 10.0.0.0/8", "! -i eth0"),
    ("", "-d 10.96.0.1/32", "-d 10.96.0.0/24", "! -d 10.96.0.1/32", "-d fd00::1/128", "-d 127.0.0.0/8", "-d 127.0.0.1/32"),
    ("-p tcp", "-p udp", "-p 6", "! -p tcp", ""),
    ("", '-m comment --comment "a/b:c cluster IP"', "-m comment --comment a/b", '-m comment --comment "a/b external IP"',
     '-m comment --comment "a/b has no endpoints"', '-m comment --comment "a/b\\" c"', "-m comment --comment -x", '-m comment --comment ""',
     '-m comment --comment "a/b loadbalancer IP"', '-m comment --comment "traffic for nobody"'),
    ("-m tcp --dport 80", "-m udp --dport 80", "-m tcp ! --dport 80", "-m tcp --dport 99999", "-m tcp --dport http", "-m tcp",
     "-m addrtype --dst-type LOCAL -m tcp --dport 80"),
    ("-j KUBE-SVC-A", "-j KUBE-EXT-A", "-j KUBE-FW-A", "-j KUBE-MARK-MASQ", "-j DROP", "-j REJECT --reject-with icmp-port-unreachable",
     "-g KUBE-SVC-A", "-j KUBE-SVC-A --x y", "-j KUBE-SVC-A --reject-with x", "-j KUBE-NODEPORTS", ""),
)  # fmt: skip


@given(st.sampled_from(sorted(CHAINS)), st.integers(0, 2), st.tuples(*map(st.sampled_from, PIECES)))
def test_both_ways_agree_on_any_rule(table: str, place: int, pieces: tuple[str, ...]) -> None:
    chain = CHAINS[table][place % len(CHAINS[table])]
    text = " ".join(filter(None, (f"-A {chain}", *pieces)))
    agreeing(Dump(f"*{table}\n:{chain} - [0:0]\n{text}\nCOMMIT\n".encode()))


def test_both_ways_agree_on_the_fixtures() -> None:
    paths = sorted((ROOT / "fixtures").rglob("*.rules"))
    assert sum(agreeing(dump) for path in paths for dump in iptviz.load_all(str(path))[0]) > 500


def test_both_ways_agree_on_what_kube_proxy_writes_and_on_odd_rules() -> None:
    for era in (kubeproxy.OLD, kubeproxy.NEW):
        assert agreeing(Dump(kubeproxy.saved(kubeproxy.numbered(20, 3, era=era)).encode())) > 20
    assert agreeing(Dump(ODD.encode())) == 1


CLAIMED_TWICE = """*nat
:KUBE-NODEPORTS - [0:0]
:KUBE-SERVICES - [0:0]
:KUBE-SVC-A - [0:0]
:KUBE-SVC-B - [0:0]
-A KUBE-NODEPORTS -p tcp -m comment --comment a/b -m tcp --dport 30080 -j KUBE-SVC-A
-A KUBE-NODEPORTS -p tcp -m comment --comment c/d -m tcp --dport 30080 -j KUBE-SVC-B
-A KUBE-SERVICES -d 10.96.0.1/32 -p tcp -m comment --comment "a/b cluster IP" -m tcp --dport 80 -j KUBE-SVC-A
-A KUBE-SERVICES -d 10.96.0.1/32 -p tcp -m comment --comment "c/d cluster IP" -m tcp --dport 80 -j KUBE-SVC-B
-A KUBE-SERVICES -d 10.96.0.10/32 -p tcp -m comment --comment "e/f cluster IP" -m tcp --dport 80 -j KUBE-SVC-C
-A KUBE-SERVICES -m comment --comment "nodeports" -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS
COMMIT
"""


def test_what_is_known_of_one_frontend_is_what_is_known_among_all() -> None:
    paths = sorted((ROOT / "fixtures").rglob("*.rules"))
    dumps = [dump for path in paths for dump in iptviz.load_all(str(path))[0]]
    for dump in (Dump(CLAIMED_TWICE.encode()), *dumps):
        among = DispatchingRules(dump)
        for frontend in among.frontends()[:9]:
            alone = DispatchingRules(dump, [frontend])
            for table in ("nat", "filter"):
                assert alone.about(frontend, table) == among.about(frontend, table)
            claimed = [pair for pair in among.contested() if pair[0][1:4] == frontend[1:4]]
            assert list(alone.contested()) == claimed


def test_a_node_port_is_claimed_twice_at_whatever_address_it_is_asked_for() -> None:
    dump = Dump(CLAIMED_TWICE.encode())
    port = next(one for one in DispatchingRules(dump).frontends() if one.kind == "node-port")
    ((taker, other),) = DispatchingRules(dump, [port._replace(address="192.0.2.5")]).contested()
    assert (taker.service.text, other.service.text) == ("a/b", "c/d")
