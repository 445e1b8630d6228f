"""The normal form of service ports says what a generator of dumps knows of them, however the dump is written."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

import pytest

from tests.compare.facts import facts, forms
from tests.conftest import FIXTURES
from tests.kube.clients import CLIENTS
from tests.kubeproxy import Cluster, Service, saved
from tests.kubeproxy.eras import era
from tests.kubeproxy.features import POSSIBLE, cluster_with
from tests.kubeproxy.truth import frontends_of, keeps_local, met
from tests.kubeproxy.words import affinity

if TYPE_CHECKING:
    from collections.abc import Callable

    from iptviz.compare.ports.form import FrontendForm, PortForm

FIRST, LAST = dict(reversed(POSSIBLE)), dict(POSSIBLE)
ENDS = [*FIRST.items(), *LAST.items()]
"""Each feature in the first release that has it, and in the last one."""

UNSEEN = {21, 22, 23}
"""The releases that had internal policies Local and wrote nothing of them but fewer endpoints."""

REFUSED = {"external-ip", "load-balancer-ip"}
"""Rules that refuse do not say what kind of external address they refuse."""


# --- what is so ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("feature", "release"), ENDS)
def test_the_form_says_what_the_generator_knows(feature: str, release: str) -> None:
    cluster, one = cluster_with(feature, release)
    (port,) = (
        port
        for port in forms(saved(cluster))
        if (port.service.namespace, port.protocol) == (one.namespace, one.protocol)
    )
    assert port.name == f"{one.namespace}/{one.name}" + (f":{one.port_name}" if one.port_name else "")
    expected = frontends_of(cluster, one)
    assert len(port.frontends) == len(expected)
    for frontend in port.frontends:
        _check_frontend(frontend, cluster, one, expected[frontend.at])
    _check_settings(port, cluster, one)


def _check_frontend(frontend: FrontendForm, cluster: Cluster, one: Service, kind: str) -> None:
    outside = met(cluster, one, frontend.at, CLIENTS[cluster.family][0])
    is_refused = frontend.kind != kind
    assert not is_refused or ({frontend.kind, kind} == REFUSED and frontend.untold == {"kind"})
    assert [(end.text, end.share) for end in frontend.endpoints] == outside.shares
    assert frontend.verdict == outside.verdict
    assert (frontend.leftover == 0) == bool(outside.shares)
    nothing_tells = not (outside.shares or outside.verdict)  # up to 1.1 there was no filter table
    assert frontend.untold <= ({"endpoints", "shares"} if nothing_tells else {"kind"})
    assert frontend.masquerade or not outside.masqueraded
    _check_policy(frontend, cluster, one, kind, has_endpoints=bool(outside.shares))


def _check_policy(
    frontend: FrontendForm, cluster: Cluster, one: Service, kind: str, *, has_endpoints: bool
) -> None:
    """Up to 1.23 an internal policy Local left no trace, and some dumps may be of these releases or others."""
    is_unseen = kind == "cluster-ip" and era(cluster.era).minor in UNSEEN
    if cluster.usable(one)[0] and keeps_local(cluster, one, kind):
        assert frontend.local_only or is_unseen
    elif not has_endpoints or is_unseen:
        assert frontend.local_only is None
    else:
        assert frontend.local_only is False or (kind == "cluster-ip" and frontend.local_only is None)


def _check_settings(port: PortForm, cluster: Cluster, one: Service) -> None:
    every, _ = cluster.usable(one)
    assert port.affinity == (affinity(cluster, one) if every else None)
    dispatched = every or era(cluster.era).has("dispatched without endpoints")
    assert (port.source_ranges is not None) is bool(one.load_balancer_ips and dispatched)
    assert set(port.source_ranges or ()) == set(one.source_ranges if every else ())
    kinds = set(frontends_of(cluster, one).values()) - {"cluster-ip"}
    is_local = any(keeps_local(cluster, one, kind) for kind in kinds)
    if every:
        assert port.external_policy == ("Local" if is_local else "Cluster" if kinds else None)
    assert port.health_check == (one.health_check if era(cluster.era).has("health checks") else None)


# --- however it is written -----------------------------------------------------------------------------------


def with_counters(text: str) -> str:
    """The dump as `iptables-save -c` writes it of a node that has been busy."""
    lines = (
        f"[{place}:{place * 60}] {line}" if line.startswith("-A") else line
        for place, line in enumerate(text.splitlines())
    )
    return "\n".join(lines).replace("[0:0]", "[77:4620]") + "\n"


def tables_turned(text: str) -> str:
    """The dump with its tables in the other order, and the declarations of their chains, too."""
    tables = re.findall(r"^\*\w+\n.*?^COMMIT\n", text, re.MULTILINE | re.DOTALL)
    return "".join(map(_declarations_turned, reversed(tables)))


def _declarations_turned(table: str) -> str:
    head, *lines = table.splitlines(keepends=True)
    declared = [line for line in lines if line.startswith(":")]
    return "".join([head, *reversed(declared), *(line for line in lines if not line.startswith(":"))])


def by_the_other_backend(text: str) -> str:
    """The dump as the other backend heads it."""
    tool = "iptables-save v1.8.9" if "(nf_tables)" in text else "iptables-nft-save v1.8.9 (nf_tables)"
    rules = re.sub("^#.*\n", "", text, flags=re.MULTILINE)
    return f"# Generated by {tool} on Mon Nov 23 12:00:00 2026\n{rules}"


SPELLINGS = [with_counters, tables_turned, by_the_other_backend]


@pytest.mark.parametrize("spelled", SPELLINGS)
@pytest.mark.parametrize(("feature", "release"), [pair for pair in ENDS[::5] if pair[0] != "large cluster"])
def test_a_dump_tells_the_same_however_it_is_written(
    feature: str, release: str, spelled: Callable[[str], str]
) -> None:
    text = saved(cluster_with(feature, release)[0])
    _check_same(text, spelled(text))


@pytest.mark.parametrize("spelled", SPELLINGS)
@pytest.mark.parametrize("name", ["httpd-affinity", "policies-old", "policies-today", "httpd-no-endpoints"])
def test_so_does_one_of_a_kernel(name: str, spelled: Callable[[str], str]) -> None:
    text = (FIXTURES / name / "dump.rules").read_text()
    _check_same(text, spelled(text))


_facts = cache(facts)


def _check_same(one: str, other: str) -> None:
    assert one != other
    first, second = _facts(one), facts(other)
    assert first == second
    assert first


def test_both_backends_of_a_kernel_tell_the_same_of_one_service() -> None:
    """`httpd-today` was saved by the legacy backend, `httpd-nft` with counters by the other."""
    legacy, nft = ((FIXTURES / name / "dump.rules").read_text() for name in ("httpd-today", "httpd-nft"))
    assert ("(nf_tables)" in legacy, "(nf_tables)" in nft) == (False, True)
    _check_same(legacy, nft)


# --- what is left open ---------------------------------------------------------------------------------------

TODAY = (FIXTURES / "policies-today/dump.rules").read_text()
SHOP = "default/shop:http"


def port_of(text: str, name: str = SHOP) -> PortForm:
    """The only service port of a name."""
    (port,) = (port for port in forms(text) if port.name == name)
    return port


def test_a_whole_dump_leaves_nothing_open() -> None:
    shop = port_of(TODAY)
    assert [(one.kind, one.at, one.local_only, len(one.endpoints)) for one in shop.frontends] == [
        ("cluster-ip", "10.97.20.1:80", False, 3),
        ("external-ip", "192.0.2.80:80", True, 1),
        ("load-balancer-ip", "203.0.113.10:80", True, 1),
        ("node-port", ":30080", True, 1),
    ]
    assert {one.untold for one in shop.frontends} == {frozenset()}
    assert (shop.internal_policy, shop.external_policy, shop.properties_told) == ("Cluster", "Local", True)
    assert port_of(TODAY, "default/admin:http").source_ranges == ("198.51.100.0/24", "192.0.2.0/25")
    assert {one.reached for port in forms(TODAY) for one in port.frontends} == {None}


def test_what_an_incomplete_dump_lacks_may_be_endpoints() -> None:
    first = re.search("-A KUBE-SVC-BILYYKAKWI7RYELB .*KUBE-SEP.*\n", TODAY)
    assert first
    usual = port_of(TODAY[: first.end()]).usual
    assert usual.untold == {"endpoints", "shares", "nat"}
    assert usual.unseen == ("rules of KUBE-SVC-BILYYKAKWI7RYELB",)
    assert usual.local_only is None
    assert [end.text for end in usual.endpoints] == ["10.244.0.7:8080"]
    assert port_of(TODAY[: first.end()]).internal_policy is None


def test_where_nat_is_not_shown_it_may_lead_on_what_filter_refuses() -> None:
    filter_alone = TODAY[: TODAY.index("*nat")]
    away = port_of(filter_alone, "default/away:http")
    assert {one.kind: set(one.untold) for one in away.frontends} == {
        "external-ip": {"kind", "endpoints", "nat"},
        "node-port": {"endpoints", "nat"},
    }
    assert (away.internal_policy, away.external_policy, away.source_ranges) == (None, "Local", None)
    admin = port_of(filter_alone, "default/admin:http")
    assert (admin.usual.kind, "kind" in admin.usual.untold) == ("load-balancer-ip", False)


def test_ports_that_are_not_printed_are_not_told() -> None:
    older = re.sub(r"(?: -m (?:tcp|udp))? --dport \d+", "", TODAY).replace("v1.8.9", "v1.8.7")
    shop = port_of(older)
    assert {(one.port, one.at.endswith(":?"), "port" in one.untold) for one in shop.frontends} == {
        (None, True, True)
    }


def test_a_rule_that_asks_for_no_port_tells_that() -> None:
    odd = re.sub("(10.97.20.1/32 .*) --dport 80", r"\1", TODAY)
    usual = port_of(odd).usual
    assert (usual.port, usual.lacks_port, usual.at, "port" in usual.untold) == (
        None,
        True,
        "10.97.20.1:?",
        False,
    )


def test_chances_that_are_not_printed_are_no_shares() -> None:
    older = re.sub(r" -m statistic --mode random --probability \S+", "", TODAY).replace("v1.8.9", "v1.8.7")
    usual = port_of(older).usual
    assert [end.share for end in usual.endpoints] == [None] * 3
    assert usual.untold == {"shares", "chances"}
    assert usual.balance is None
    assert not usual.is_uneven


def test_a_rule_that_is_not_understood_leaves_shares_open() -> None:
    odd = re.sub(r"-m statistic --mode random --probability 0.3\d+", "--odd 1", TODAY)
    usual = port_of(odd).usual
    assert {end.share for end in usual.endpoints} == {None}
    assert usual.untold == {"endpoints", "shares", "rule"}


def test_an_excerpt_of_a_chain_stands_for_frontends_that_it_does_not_show() -> None:
    lines = TODAY.splitlines(keepends=True)
    chosen = "".join(line for line in lines if re.match("-A KUBE-(SVC|SEP).*(SEP-|DNAT)", line))
    admin = port_of(re.sub(' -m comment --comment "[^"]*"', "", chosen), "KUBE-SVC-4CU5DJFIWYNNV2YR")
    assert [(one.kind, one.unled, one.at) for one in admin.frontends] == [("chain", admin.name, "")]
    assert (admin.key, admin.suffix) == (("", "", "4CU5DJFIWYNNV2YR", "tcp"), "4CU5DJFIWYNNV2YR")
    assert admin.usual.masquerade is None


def test_without_endpoints_no_rule_would_show_a_setting() -> None:
    cluster, one = cluster_with("no endpoints, all frontends", "1.31")
    port = port_of(saved(cluster), f"{one.namespace}/{one.name}:{one.port_name}")
    assert (port.affinity, port.properties_told, port.source_ranges) == (None, False, None)
    assert (port.internal_policy, port.external_policy) == (None, None)
    assert {one.masquerade for one in port.frontends} == {None}


def test_uneven_shares_and_connections_left_over_are_uneven() -> None:
    uneven = re.sub(r"0.33333333349", "0.50000000000", TODAY)
    assert [port.name for port in forms(uneven) if port.usual.is_uneven] == [SHOP]
    last = re.search("-A KUBE-SVC-BILYYKAKWI7RYELB [^\n]*probability 0.50[^\n]*\n(.*\n)", TODAY)
    assert last
    usual = port_of(TODAY.replace(last[1], "")).usual
    assert usual.leftover
    assert usual.is_uneven
