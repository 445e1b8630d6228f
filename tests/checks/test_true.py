"""Findings say what is so for certain, and only that: what a condition or a missing line decides is none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import iptviz
from iptviz.checks.wording import sentences
from iptviz.errors import DumpError

if TYPE_CHECKING:
    from pathlib import Path

WEB = """*nat
:PREROUTING ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:KUBE-NODEPORTS - [0:0]
:KUBE-SERVICES - [0:0]
:KUBE-SEP-AAAAAAAAAAAAAAAA - [0:0]
:KUBE-SEP-BBBBBBBBBBBBBBBB - [0:0]
:KUBE-SVC-CDGGSHYLG3RE2FKL - [0:0]
-A PREROUTING -j KUBE-SERVICES
-A OUTPUT -j KUBE-SERVICES
-A KUBE-SERVICES -d 10.96.0.9/32 -p tcp -m comment --comment "default/web:http cluster IP" -m tcp --dport 80 -j KUBE-SVC-CDGGSHYLG3RE2FKL
-A KUBE-SVC-CDGGSHYLG3RE2FKL -m statistic --mode random --probability 0.50000000000 -j KUBE-SEP-AAAAAAAAAAAAAAAA
-A KUBE-SVC-CDGGSHYLG3RE2FKL -j KUBE-SEP-BBBBBBBBBBBBBBBB
-A KUBE-SEP-AAAAAAAAAAAAAAAA -p tcp -m tcp -j DNAT --to-destination 10.244.0.2:8080
-A KUBE-SEP-BBBBBBBBBBBBBBBB -p tcp -m tcp -j DNAT --to-destination 10.244.0.3:8080
COMMIT
*filter
:KUBE-SERVICES - [0:0]
COMMIT
"""
DISPATCH = '-A KUBE-SERVICES -d 10.96.0.9/32 -p tcp -m comment --comment "default/web:http cluster IP" -m tcp --dport 80 -j KUBE-SVC-CDGGSHYLG3RE2FKL\n'
CHOICE = "-A KUBE-SVC-CDGGSHYLG3RE2FKL -m statistic --mode random --probability 0.50000000000 -j KUBE-SEP-AAAAAAAAAAAAAAAA\n"
LAST = "-A KUBE-SVC-CDGGSHYLG3RE2FKL -j KUBE-SEP-BBBBBBBBBBBBBBBB\n"


def changed(*changes: tuple[str, str]) -> iptviz.Dump:
    """Return the dump of one service with two endpoints, changed."""
    text = WEB
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return iptviz.load(text.encode())


def found(dump: iptviz.Dump, target: str = "10.96.0.9:80") -> list[tuple[str, str]]:
    """Return id and certainty of all that trace and services find."""
    findings = (*iptviz.trace(dump, target).findings, *iptviz.services(dump).findings)
    return sorted({(finding.id, finding.certainty) for finding in findings})


def test_of_a_service_that_is_well_nothing_is_found() -> None:
    assert found(changed()) == []


@pytest.mark.parametrize(
    ("condition", "others"),
    [
        ("-i eth0", [("service-not-reached", "certain")]),
        ("-s 10.1.0.0/16", [("service-not-reached", "certain")]),
        ("-m time --timestart 08:00:00 --timestop 17:00:00", []),
    ],
)
def test_a_condition_on_the_way_to_a_service_is_no_lack_of_endpoints(
    condition: str, others: list[tuple[str, str]]
) -> None:
    dump = changed(("-A KUBE-SERVICES -d", f"-A KUBE-SERVICES {condition} -d"))
    assert len(iptviz.trace(dump, "10.96.0.9:80").services[0].outcomes) == 2
    assert found(dump) == others


@pytest.mark.parametrize("target", ["ACCEPT", "RETURN"])
def test_what_takes_some_clients_shadows_no_endpoint(target: str) -> None:
    dump = changed((CHOICE, f"-A KUBE-SVC-CDGGSHYLG3RE2FKL -s 10.1.0.0/16 -j {target}\n{CHOICE}"))
    result = iptviz.trace(dump, "10.96.0.9:80")
    assert found(dump) == []
    assert ("ends the nat table" in "".join(sentences(result.notes))) == (target == "ACCEPT")
    assert "no connections" not in "".join(sentences(result.notes))


def test_what_takes_every_client_does() -> None:
    dump = changed((CHOICE, CHOICE.replace(" -m statistic --mode random --probability 0.50000000000", "")))
    assert ("endpoint-shadowed", "certain") in found(dump)
    accepted = changed((CHOICE, f"-A KUBE-SVC-CDGGSHYLG3RE2FKL -j ACCEPT\n{CHOICE}"))
    assert ("ends-without-endpoint", "certain") in found(accepted)


def test_of_two_endpoints_in_one_chain_the_second_is_shadowed() -> None:
    """The jump to the chain is reached: what is not is the rule behind the first DNAT, and that is all there is."""
    first = "-A KUBE-SEP-BBBBBBBBBBBBBBBB -p tcp -m tcp -j DNAT --to-destination 10.244.0.3:8080\n"
    second = first.replace("0.3:", "0.4:")
    dump = changed((first, first + second))
    (shadowed,) = iptviz.trace(dump, "10.96.0.9:80").findings
    assert shadowed.id == "endpoint-shadowed"
    assert [piece.text for piece in shadowed.evidence] == [first.rstrip(), second.rstrip()]
    assert shadowed.line == shadowed.evidence[1].line


def test_a_target_that_nobody_knows_proves_nothing() -> None:
    dump = changed(
        (CHOICE, f"-A KUBE-SVC-CDGGSHYLG3RE2FKL -j KUBE-MARK-MASQ# Warning: tables present\n{CHOICE}")
    )
    assert found(dump) == []
    assert len(iptviz.trace(dump, "10.96.0.9:80").services[0].outcomes) == 2


def test_a_hook_that_leads_to_services_by_another_chain_leads_there() -> None:
    middle = (
        (":KUBE-NODEPORTS", ":MINE - [0:0]\n:KUBE-NODEPORTS"),
        ("-A PREROUTING -j KUBE-SERVICES\n", "-A PREROUTING -j MINE\n-A MINE -j KUBE-SERVICES\n"),
    )
    assert found(changed(*middle)) == []
    gone = changed(("-A PREROUTING -j KUBE-SERVICES\n", ""))
    assert found(gone) == [("hook-without-services", "certain")]


def test_of_a_port_that_the_dump_does_not_print_nothing_is_said() -> None:
    ports = (
        (DISPATCH, f"{DISPATCH}-A KUBE-SERVICES -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS\n"),
        (
            CHOICE,
            f'-A KUBE-NODEPORTS -p tcp -m comment --comment "default/web:http" -j KUBE-SVC-CDGGSHYLG3RE2FKL\n{CHOICE}',
        ),
    )
    assert [finding.id for finding in iptviz.services(changed(*ports)).findings] == []


def test_a_hash_is_that_of_the_chain_to_which_the_rule_leads() -> None:
    other = DISPATCH.replace("web:http", "else:http")
    assert ("hash-mismatch", "certain") in found(changed((DISPATCH, other)))


@pytest.mark.parametrize(
    ("condition", "collides"), [("", True), (" -s 10.244.0.9/32", False), (" -i eth0", False)]
)
def test_two_services_collide_where_the_first_takes_every_client(condition: str, collides: bool) -> None:
    first = (
        f'-A KUBE-SERVICES{condition} -d 10.96.0.9/32 -p tcp -m comment --comment "default/other cluster IP" '
        "-m tcp --dport 80 -j KUBE-SVC-CCCCCCCCCCCCCCCC\n"
    )
    chain = (":KUBE-SVC-CDGG", ":KUBE-SVC-CCCCCCCCCCCCCCCC - [0:0]\n:KUBE-SVC-CDGG")
    dump = changed((DISPATCH, first + DISPATCH), chain)
    assert ("vip-collision" in {finding.id for finding in iptviz.services(dump).findings}) == collides


@pytest.mark.parametrize(("condition", "certain"), [("", True), (" -m addrtype --dst-type LOCAL", False)])
def test_a_rule_before_kube_proxy_is_a_fault_where_it_takes_the_service(
    condition: str, certain: bool
) -> None:
    rule = f"-A PREROUTING -p tcp -m tcp --dport 80{condition} -j DNAT --to-destination 10.1.1.1:80\n"
    dump = changed(("-A PREROUTING -j", f"{rule}-A PREROUTING -j"))
    assert (("foreign-dnat-first", "certain") in found(dump)) == certain
    assert "in nat PREROUTING runs before KUBE-SERVICES and takes the connection" in "".join(
        sentences(iptviz.trace(dump, "10.96.0.9:80").notes)
    )


def test_what_a_missing_line_may_bring_about_is_so_if_the_dump_is_complete() -> None:
    thirds = (
        (CHOICE, CHOICE.replace("0.5", "0.3333333333").replace("3300000", "3300000")),
        ("COMMIT\n*filter", "*filter"),
    )
    assert ("uneven-shares", "if-complete") in found(changed(*thirds))
    lost = changed((LAST, ""), ("COMMIT\n*filter", "*filter"))
    assert all(certainty == "if-complete" for what, certainty in found(lost) if what not in SEEN)


def test_where_a_chain_is_missing_nothing_behind_it_is_certain() -> None:
    dump = changed((CHOICE, f"-A KUBE-SVC-CDGGSHYLG3RE2FKL -j LOST\n{CHOICE}"))
    assert found(dump) == [("dangling-jump", "certain")]


SEEN = {"partial-dump", "service-unseen"}
"""What is so just because lines are missing."""


def test_services_and_trace_agree_on_an_endpoint_that_gets_nothing() -> None:
    dump = changed((CHOICE, CHOICE.replace("0.50000000000", "0.00000000000")))
    (service,) = iptviz.services(dump).services
    (traced,) = iptviz.trace(dump, "10.96.0.9:80").services
    assert [end.share for end in service.endpoints] == [end.share for end in traced.usual.endpoints]


def test_base_chains_that_are_not_shown_are_no_table_that_is_not_shown() -> None:
    line = "# Table `nat' contains incompatible base-chains, use 'nft' tool to list them.\n"
    dump = iptviz.load((line + WEB).encode())
    (finding,) = iptviz.trace(dump, "10.96.0.9:80").findings
    assert (finding.id, finding.line) == ("partial-dump", 1)
    assert "table nat has native nft base chains that the dump does not show" in sentences([finding])[0]


def test_one_cause_is_one_finding_with_all_its_evidence() -> None:
    jumps = "-A PREROUTING -j LOST\n-A OUTPUT -j LOST\n"
    dump = changed(("-A PREROUTING -j KUBE", f"{jumps}-A PREROUTING -j KUBE"))
    (finding,) = iptviz.graph(dump).findings
    assert (finding.id, finding.times, len(finding.evidence)) == ("dangling-jump", 2, 2)


# --- against the API -------------------------------------------------------------------------------------------

API = """{"kind": "List", "items": [
  {"apiVersion": "v1", "kind": "Service", "metadata": {"namespace": "default", "name": "gone"},
   "spec": {"clusterIP": "10.96.0.77", "ports": [{"name": "", "port": 80, "protocol": "TCP"}]}}]}"""


def compared(tmp_path: Path, text: str) -> list[Any]:
    (tmp_path / "api.json").write_text(API)
    found = iptviz.verify(iptviz.load(text.encode()), [str(tmp_path / "api.json")]).to_dict()["findings"]
    assert isinstance(found, list)
    return found


@pytest.mark.parametrize(
    ("text", "certainty"), [(WEB, "certain"), (WEB.replace("COMMIT\n*", "*"), "if-complete")]
)
def test_a_service_is_missing_for_certain_in_a_whole_dump_alone(
    tmp_path: Path, text: str, certainty: str
) -> None:
    (gone,) = (finding for finding in compared(tmp_path, text) if finding["id"] == "service-missing")
    assert gone["certainty"] == certainty
    (extra,) = (finding for finding in compared(tmp_path, text) if finding["id"] == "service-extra")
    assert extra["evidence"] == [{"line": 11, "text": DISPATCH.rstrip()}]


@pytest.mark.parametrize(
    "text",
    [
        WEB.replace(
            DISPATCH, "-A KUBE-SERVICES -m set --match-set KUBE-CLUSTER-IP dst,dst -j ACCEPT\n" + DISPATCH
        ),
        "*nat\n:PREROUTING ACCEPT [0:0]\n:KUBE-PORTALS-HOST - [0:0]\nCOMMIT\n",
        "*mangle\n:KUBE-KUBELET-CANARY - [0:0]\nCOMMIT\n*nat\n:PREROUTING ACCEPT [0:0]\nCOMMIT\n",
    ],
    ids=["ipvs", "userspace", "elsewhere"],
)
def test_a_node_that_keeps_its_services_elsewhere_cannot_be_compared(tmp_path: Path, text: str) -> None:
    with pytest.raises(DumpError, match="services cannot be compared: "):
        compared(tmp_path, text)
