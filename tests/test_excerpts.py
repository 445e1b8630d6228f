"""Excerpts of healthy dumps: no answer contradicts that of the whole dump, whatever was left out."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import iptviz
from iptviz.checks.finding import IF_COMPLETE
from iptviz.questions.check import check_listed
from iptviz.view.blocks import Facts
from iptviz.view.trace import trace_view
from tests.conftest import FIXTURES, part_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iptviz.kube.frontend_answer import FrontendAnswer
    from iptviz.paths.fares import Reached
    from iptviz.questions.services import ServicesResult

NAMES = ("httpd-today", "policies-today")
OF_READING = {"partial-dump", "table-guessed"}
CLIENT = {
    "src": "203.0.113.77",
    "protocol": "tcp",
    "mark": 0,
    "local_ips": ("203.0.113.1",),
    "in_iface": "wan0",
}


@cache
def whole(name: str) -> iptviz.Dump:
    return iptviz.load(str(FIXTURES / name / "dump.rules"))


@cache
def lines(name: str) -> list[str]:
    return bytes(whole(name)).decode().splitlines()


@cache
def rules_alone(name: str) -> list[str]:
    """The lines of a dump without its declarations."""
    return [line for line in lines(name) if not line.startswith((":", "#"))]


def chain_of(line: str) -> str:
    return line.split()[1] if line.startswith("-A ") else ""


@cache
def chains(name: str) -> list[str]:
    return list(dict.fromkeys(filter(None, map(chain_of, rules_alone(name)))))


@cache
def answered(name: str) -> ServicesResult:
    return iptviz.services(whole(name))


@cache
def answers(name: str) -> dict[str, tuple[FrontendAnswer, Reached]]:
    """What the whole dump says of each frontend, and of each chain that shares out connections."""
    pairs = [
        pair
        for port, reached in zip(answered(name).services, answered(name).reached, strict=True)
        for pair in zip(port.answers, reached, strict=True)
    ]
    return {pair[0].chain or "": pair for pair in pairs} | {pair[0].frontend.text: pair for pair in pairs}


@cache
def found(name: str) -> set[str]:
    return {one.id for one in check_listed(answered(name)).findings}


def table_of(name: str, table: str) -> str:
    section = re.search(rf"\*{table}\n.*?COMMIT\n", "\n".join(lines(name)), re.DOTALL)
    assert section is not None
    return section[0]


def excerpts(name: str) -> Iterator[tuple[str, str]]:
    """Texts that people paste, each with what it is."""
    yield "grep KUBE-", "\n".join(line for line in lines(name) if "KUBE-" in line)
    for table in ("nat", "filter"):
        yield f"{table} alone", table_of(name, table)
        yield f"rules of {table}", re.sub(r"^[^-].*\n", "", table_of(name, table), flags=re.MULTILINE)
    for chain in part_of(
        chains(name), 31, ("PREROUTING", "KUBE-SERVICES", "KUBE-MARK-MASQ", "KUBE-POSTROUTING")
    ):
        yield f"without {chain}", "\n".join(line for line in rules_alone(name) if chain_of(line) != chain)
    for end in part_of(range(7, len(lines(name))), 71):
        yield f"first {end} lines", "\n".join(lines(name)[:end])
    for hashed in part_of([chain for chain in chains(name) if chain.startswith("KUBE-SV")], 11):
        yield f"grep {hashed}", "\n".join(line for line in lines(name) if hashed in line)


def shares(answer: FrontendAnswer) -> dict[tuple[str, int | None], object]:
    return {(end.address, end.port): end.share for end in answer.endpoints}


def agree(text: str, name: str) -> None:
    """Ask an excerpt for its services, and compare each answer with that of the whole."""
    dump = iptviz.load(text.encode())
    if dump.complete:
        return  # nothing tells that it is an excerpt
    told = iptviz.services(dump)
    for port, reached in zip(told.services, told.reached, strict=True):
        for answer, fares in zip(port.answers, reached, strict=True):
            known = answers(name).get(answer.frontend.text)
            if known is not None or answer.frontend.kind != "chain":  # to some chains only pods come
                assert known is not None
                compare(answer, known[0])
                compare_fares(fares, known[1])
    for finding in check_listed(told).findings:
        if finding.severity != "info":
            assert finding.certainty != IF_COMPLETE, finding
            assert finding.id in found(name) | OF_READING, finding


def compare(answer: FrontendAnswer, truth: FrontendAnswer) -> None:
    assert shares(answer).items() <= shares(truth).items(), answer
    if answer.verdict:
        assert truth.verdict is not None, answer
        assert answer.verdict.kind == truth.verdict.kind
    elif not answer.unseen:
        assert shares(answer) == shares(truth), answer
        assert answer.frontend.kind == "chain" or answer.masquerade == truth.masquerade


def compare_fares(reached: Reached, truth: Reached) -> None:
    for fare in filter(lambda one: one.fails, reached.fares):
        failing = {client for one in truth.fares if one.fails for client in one.clients}
        assert failing.issuperset(fare.clients), (reached.frontend.text, fare)


@pytest.mark.parametrize("name", NAMES)
def test_no_excerpt_contradicts_the_whole(name: str) -> None:
    wrong = []
    for what, text in excerpts(name):
        try:
            agree(text, name)
        except AssertionError as error:
            wrong.append(f"{what}: {error}")
    assert not wrong, "\n".join(wrong)


@settings(max_examples=6)
@given(st.data())
def test_no_choice_of_chains_contradicts_the_whole(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(NAMES))
    kept = data.draw(st.sets(st.sampled_from(chains(name)), min_size=1))
    agree("\n".join(line for line in rules_alone(name) if chain_of(line) in kept | {""}), name)


def fates(dump: iptviz.Dump, address: str, port: int) -> set[tuple[object, ...]]:
    """What may become of an outside client's packet, but for whether this node tracks connections at all."""
    outcomes = iptviz.packet(dump, dst=address, dport=port, **CLIENT).outcomes  # type: ignore[arg-type]
    return {
        (one.packet.dnat, one.verdict, one.packet.snat)
        for one in outcomes
        if one.verdict != "UNKNOWN" and (one.packet.dnat or one.verdict != "ACCEPT")
    }


@pytest.mark.parametrize(
    "chain", ["PREROUTING", "KUBE-MARK-MASQ", "KUBE-POSTROUTING", "KUBE-SVC-", "KUBE-SEP-"]
)
def test_trace_and_packet_of_an_excerpt_say_what_the_whole_says(chain: str) -> None:
    text = "\n".join(line for line in rules_alone("httpd-today") if not chain_of(line).startswith(chain))
    dump, truth = iptviz.load(text.encode()), whole("httpd-today")
    frontend = answered("httpd-today").services[0].usual.frontend
    (traced,), (really,) = (iptviz.trace(one, frontend.text).services for one in (dump, truth))
    gets, should = ({end.text: end.share for end in one.usual.endpoints} for one in (traced, really))
    assert gets.items() <= should.items()
    assert sum(gets.values()) + sum(hop.share for hop in traced.usual.lacking) == 1
    asked = frontend.address or "", frontend.port or 0
    assert fates(dump, *asked) <= fates(truth, *asked)


# --- what a part of a table decides --------------------------------------------------------------------------

PART = """\
*filter
:FORWARD DROP [0:0]
-A FORWARD -i docker0 -j ACCEPT
{end}*nat
"""


def reached_by(text: str, client: str) -> tuple[str, set[str]]:
    """How a kind of clients fares at the first service of a text, and why they may not get through."""
    (fare,) = (
        one
        for one in iptviz.services(iptviz.load(text.encode())).reached[0][0].fares
        if client in one.clients
    )
    return fare.word, {f"{failure.cause.why} {failure.cause.outcome}" for failure in fare.failures}


def test_a_policy_decides_nothing_where_rules_before_it_may_be_missing() -> None:
    of_nat = "".join(f"{line}\n" for line in rules_alone("httpd-today") if "-A KUBE-S" in line)
    assert reached_by(PART.format(end="COMMIT\n") + of_nat, "pod") == (
        "depends",
        {"rule DROP", "answer DROP"},
    )
    assert reached_by(PART.format(end="") + of_nat, "pod") == ("depends", {"not known UNKNOWN"})
    dump = iptviz.load((PART.format(end="") + of_nat).encode())
    outcomes = iptviz.packet(dump, dst="10.97.13.198", dport=79, **CLIENT).outcomes  # type: ignore[arg-type]
    assert {one.verdict for one in outcomes} == {"UNKNOWN"}
    assert not {one.id for one in check_listed(iptviz.services(dump)).findings} & {"forward-drop"}


def test_what_filter_alone_says_of_local_endpoints_is_not_said_of_pods() -> None:
    dump = iptviz.load(table_of("policies-today", "filter").encode())
    (traced, *_) = iptviz.trace(dump, "203.0.113.30:80").to_dict()["services"]
    said = {
        (kind, row["outcome"])
        for path in traced["paths"]
        for kind in path["clients"]
        for row in path["leftover"]
    }
    assert said == {("outside", "DROP"), ("pod", "UNKNOWN"), ("node", "UNKNOWN")}


def test_the_chain_of_an_endpoint_alone_is_found_by_the_name_of_its_service() -> None:
    text = "\n".join(
        line for line in rules_alone("httpd-today") if chain_of(line) == "KUBE-SEP-ASZSYVK6UWO2LQSQ"
    )
    dump = iptviz.load(text.encode())
    for target in ("default/httpd-service", "KUBE-SEP-ASZSYVK6UWO2LQSQ", "10.244.1.17"):
        (service,) = iptviz.trace(dump, target).to_dict()["services"]
        assert [(end["address"], end["probability"]) for end in service["endpoints"]] == [
            ("10.244.1.17", None)
        ]


def test_that_no_rule_of_an_excerpt_masquerades_is_not_told_as_if_none_did() -> None:
    lines_of = [
        line for line in rules_alone("httpd-today") if "KUBE-S" in line and "KUBE-MARK-MASQ" not in line
    ]
    facts = trace_view(iptviz.trace(iptviz.load("\n".join(lines_of).encode()), "10.97.13.198")).of(Facts)
    said = [fact.text for block in facts for fact in block.facts if fact.label == "SNAT"]
    assert said == ["outside, pod, node: unknown (excerpt)"]


LISTED = """\
$ iptables -t nat -S PREROUTING
-P PREROUTING ACCEPT
-A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
$ iptables -t nat -S KUBE-SERVICES
-N KUBE-SERVICES
-A KUBE-SERVICES -d 10.96.0.50/32 -p tcp -m comment --comment "default/web:http cluster IP" -m tcp --dport 80 -j KUBE-SVC-A
$ iptables -t nat -S KUBE-SVC-A
-N KUBE-SVC-A
-A KUBE-SVC-A -m comment --comment "default/web:http -> 10.244.1.5:8080" -j KUBE-SEP-B
$ iptables -t nat -S KUBE-SEP-B
-N KUBE-SEP-B
-A KUBE-SEP-B -p tcp -m comment --comment "default/web:http" -m tcp -j DNAT --to-destination 10.244.1.5:8080
"""


def test_of_built_in_chains_those_that_are_not_listed_are_not_empty() -> None:
    assert reached_by(LISTED, "node") == ("yes", set())
    without_jump = LISTED.replace("-j KUBE-SERVICES", "-j ACCEPT")
    assert reached_by(without_jump, "node") == ("yes", set())
    assert reached_by(without_jump, "pod")[0] == "no"
