"""What answers say of excerpts: what is not shown is not known, and nothing of it is told as absent."""

from __future__ import annotations

from typing import Any

import pytest

import iptviz
from iptviz.questions.report import report
from iptviz.terminal import Style

SVC = "KUBE-SVC-AAAAAAAAAAAAAAAA"
WAY = f'-A KUBE-SERVICES -d 10.96.0.50/32 -p tcp -m comment --comment "default/web:http cluster IP" -m tcp --dport 80 -j {SVC}\n'
CHAIN = f"""-A {SVC} -m comment --comment "default/web:http -> 10.244.1.5:8080" -m statistic --mode random --probability 0.50000000000 -j KUBE-SEP-BBBBBBBBBBBBBBBB
-A {SVC} -m comment --comment "default/web:http -> 10.244.2.6:8080" -j KUBE-SEP-CCCCCCCCCCCCCCCC
"""
FIRST = '-A KUBE-SEP-BBBBBBBBBBBBBBBB -p tcp -m comment --comment "default/web:http" -m tcp -j DNAT --to-destination 10.244.1.5:8080\n'
SECOND = '-A KUBE-SEP-CCCCCCCCCCCCCCCC -p tcp -m comment --comment "default/web:http" -m tcp -j DNAT --to-destination 10.244.2.6:8080\n'
REFUSED = """*filter
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:KUBE-SERVICES - [0:0]
:KUBE-PROXY-CANARY - [0:0]
-A FORWARD -m conntrack --ctstate NEW -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A OUTPUT -m conntrack --ctstate NEW -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A KUBE-SERVICES -d 10.96.0.50/32 -p tcp -m comment --comment "default/web:http has no endpoints" -m tcp --dport 80 -j REJECT --reject-with icmp-port-unreachable
COMMIT
"""


def load(*texts: str) -> iptviz.Dump:
    return iptviz.load("".join(texts).encode())


def traced(target: str, *texts: str) -> dict[str, Any]:
    (service,) = iptviz.trace(load(*texts), target).to_dict()["services"]
    return dict(service)


def listed(*texts: str) -> dict[str, Any]:
    (service,) = iptviz.services(load(*texts)).to_dict()["services"]
    return dict(service)


def shown(target: str, *texts: str) -> str:
    from iptviz.render.tree import tree_text
    from iptviz.view.trace import trace_view

    return tree_text(trace_view(iptviz.trace(load(*texts), target)), Style())


def shares(service: dict[str, Any]) -> dict[str, str]:
    return {end["address"]: end["exact"] for end in service["endpoints"]}


# --- a chain that is not shown ---------------------------------------------------------------------------------


def test_a_chain_that_is_not_shown_is_not_known() -> None:
    service = traced("default/web", WAY)
    assert service["endpoints"] == []
    assert [(one["chain"], one["exact"]) for one in service["lacking"]] == [(SVC, "1/1")]
    (entry,) = [each for each in service["paths"] if each["when"] == [] or each["when"][0]["holds"]]
    assert [row["outcome"] for row in entry["leftover"]] == ["UNKNOWN"]
    assert (entry["reaching"]["at_least"]["exact"], entry["reaching"]["at_most"]["exact"]) == ("0/1", "1/1")


def test_of_an_endpoint_that_is_not_shown_the_share_is_known_and_what_its_comment_says() -> None:
    service = traced("default/web", WAY, CHAIN, SECOND)
    assert shares(service) == {"10.244.2.6": "1/2"}
    (lacking,) = service["lacking"]
    assert (lacking["chain"], lacking["exact"], lacking["comment_names"]) == (
        "KUBE-SEP-BBBBBBBBBBBBBBBB", "1/2", "10.244.1.5:8080",
    )  # fmt: skip


def test_a_packet_to_a_chain_that_is_not_shown_has_an_unknown_fate() -> None:
    told = iptviz.packet(
        load(WAY), src="192.0.2.7", dst="10.96.0.50", protocol="tcp", dport=80, local_ips=("192.0.2.1",)
    )
    tracked = [
        one
        for one in told.outcomes
        if not any(need.condition.kind == "tracking" and not need.holds for need in one.first)
    ]
    assert {one.verdict for one in tracked} == {"UNKNOWN"}


def test_a_chain_of_filter_that_is_not_shown_is_not_known_either() -> None:
    filtered = (
        "*filter\n:FORWARD ACCEPT [0:0]\n-A FORWARD -j DOCKER-USER\n-A KUBE-FORWARD -j RETURN\nCOMMIT\n*nat\n"
    )
    service = traced("default/web", filtered, WAY, CHAIN, FIRST, SECOND)
    outcomes = {row["outcome"] for entry in service["paths"] for row in entry["endpoints"]}
    assert outcomes == {"ACCEPT", "UNKNOWN"}


# --- chains alone ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "target", [SVC, "default/web", "default/web:http", "10.244.1.5", "KUBE-SEP-BBBBBBBBBBBBBBBB"]
)
def test_a_services_chain_answers_alone(target: str) -> None:
    service = traced(target, CHAIN, FIRST, SECOND)
    assert shares(service) == {"10.244.1.5": "1/2", "10.244.2.6": "1/2"}
    assert (service["frontend"]["kind"], service["frontend"]["address"], service["frontend"]["port"]) == (
        "chain",
        None,
        None,
    )
    assert service["service"]["name"] == "web"


@pytest.mark.parametrize("begin", ["KUBE-SVL-", "KUBE-EXT-", "KUBE-FW-", "KUBE-XLB-"])
def test_other_chains_of_services_do_so_too(begin: str) -> None:
    texts = (CHAIN.replace("KUBE-SVC-", begin), FIRST, SECOND)
    assert shares(traced(SVC.replace("KUBE-SVC-", begin), *texts)) == {
        "10.244.1.5": "1/2",
        "10.244.2.6": "1/2",
    }


def test_services_lists_it_without_frontends() -> None:
    service = listed(CHAIN, FIRST, SECOND)
    assert service["frontends"] == []
    assert shares(service) == {"10.244.1.5": "1/2", "10.244.2.6": "1/2"}
    assert service["policy"] == {"internal": None, "external": None}


def test_in_a_whole_dump_such_a_chain_is_a_leftover() -> None:
    chains = (SVC, "KUBE-SEP-BBBBBBBBBBBBBBBB", "KUBE-SEP-CCCCCCCCCCCCCCCC", "KUBE-SERVICES")
    hooks = ":PREROUTING ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n"
    declared = hooks + "".join(f":{chain} - [0:0]\n" for chain in chains)
    whole = load(f"*nat\n{declared}", CHAIN, FIRST, SECOND, "COMMIT\n*filter\n:INPUT ACCEPT [0:0]\nCOMMIT\n")
    assert iptviz.trace(whole, SVC).services == ()
    assert iptviz.services(whole).services == ()


def test_the_tree_says_that_frontends_are_not_here() -> None:
    assert f"chain {SVC}: its frontends are not in this dump" in shown(SVC, CHAIN, FIRST, SECOND)


# --- what is not said of an excerpt ----------------------------------------------------------------------------

ABSENT = (
    "never",
    "no longer",
    "nothing leads",
    "no endpoint",
    "UNEVEN",
    "line 0",
    "no rule of this dump",
    "any more",
    "cannot reach itself",
)


@pytest.mark.parametrize(
    "texts",
    [
        (WAY,),
        (WAY, CHAIN),
        (WAY, CHAIN, FIRST),
        (WAY, CHAIN, FIRST, SECOND),
        (CHAIN,),
        (CHAIN, FIRST, SECOND),
        (FIRST,),
    ],
    ids=["way", "chain", "one endpoint", "all", "chain alone", "chain with endpoints", "endpoint alone"],
)
def test_no_sentence_of_absence_is_said_of_an_excerpt(texts: tuple[str, ...]) -> None:
    from iptviz.render.table import table_text
    from iptviz.view.services import services_view

    said = table_text(services_view(iptviz.services(load(*texts))), Style())
    said += shown("KUBE-SEP-BBBBBBBBBBBBBBBB" if texts == (FIRST,) else "default/web", *texts)
    assert [words for words in ABSENT if words in said] == []


def test_an_excerpt_is_said_to_be_one_once() -> None:
    (note,) = iptviz.services(load(WAY, CHAIN, FIRST, SECOND)).to_dict()["notes"]
    assert note == (
        "line 1: an excerpt of table nat (guessed from its rules), without some declarations, table filter, "
        "perhaps other lines"
    )


def test_the_mode_is_told_by_chains_of_services_and_by_refusals() -> None:
    from iptviz.kube.era import era_of
    from iptviz.kube.mode import mode_of

    assert mode_of(load(FIRST)).name == "iptables"
    assert mode_of(load(REFUSED)).name == "iptables"
    assert "KUBE-PROXY-CANARY chain" in {cue.text for cue in era_of(load(REFUSED)).evidence}


def test_an_endpoints_chain_alone_says_that_what_leads_there_is_not_shown() -> None:
    assert (
        "This dump does not show KUBE-SERVICES: what leads to its chains is not known."
        in iptviz.services(load(FIRST)).to_dict()["notes"]
    )


def test_what_source_ranges_drop_is_no_refusal_where_nat_is_not_shown() -> None:
    ranged = REFUSED.replace(
        'KUBE-SERVICES -d 10.96.0.50/32 -p tcp -m comment --comment "default/web:http has no endpoints" -m tcp --dport 80 -j REJECT --reject-with icmp-port-unreachable',
        'KUBE-PROXY-FIREWALL -d 203.0.113.20/32 -p tcp -m comment --comment "default/web:http traffic not accepted by KUBE-FW-AAAAAAAAAAAAAAAA" -m tcp --dport 80 -j DROP',
    )
    service = listed(ranged)
    assert service["verdict"] is None
    assert [one["reached"] for one in service["frontends"]] == [None]


# --- addresses that are none -----------------------------------------------------------------------------------


@pytest.mark.parametrize("address", ["x.x.x.x", "10.96..10", "10.96.x.x"])
def test_a_service_is_found_by_what_stands_for_its_address(address: str) -> None:
    way = WAY.replace("10.96.0.50/32", f"{address}/32")
    for target in (address, f"{address}:80", f"{address}:80/tcp"):
        service = traced(target, way, CHAIN, FIRST, SECOND)
        assert shares(service) == {"10.244.1.5": "1/2", "10.244.2.6": "1/2"}
        assert service["paths"] == []


@pytest.mark.parametrize("address", ["x.x.x.x", "10.96..10", "300.1.2.3", "REDACTED"])
def test_a_report_is_made_whatever_stands_for_an_address(address: str) -> None:
    made = report(load(WAY.replace("10.96.0.50/32", f"{address}/32")))
    assert len(made.services.services) == 1
