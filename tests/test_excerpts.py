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
from tests.conftest import FIXTURES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iptviz.kube.frontend_answer import FrontendAnswer
    from iptviz.questions.services import ServicesResult

WHOLE = {
    name: (FIXTURES / name / "dump.rules").read_text()
    for name in ("httpd-service", "httpd-today", "policies-today")
}
OF_READING = {"partial-dump", "table-guessed", "nat-unreadable"}
CLIENT = {
    "src": "203.0.113.77",
    "protocol": "tcp",
    "mark": 0,
    "local_ips": ("203.0.113.1",),
    "in_iface": "wan0",
}


def chain_of(line: str) -> str:
    return line.split()[1] if line.startswith("-A ") else ""


@cache
def rules_alone(name: str) -> tuple[str, ...]:
    """The lines of a dump without its declarations."""
    return tuple(line for line in WHOLE[name].splitlines() if not line.startswith((":", "#")))


@cache
def chains(name: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(filter(None, map(chain_of, rules_alone(name)))))


@cache
def answers(name: str) -> ServicesResult:
    return iptviz.services(iptviz.load(WHOLE[name].encode()))


@cache
def found(name: str) -> frozenset[str]:
    return frozenset(one.id for one in iptviz.check(iptviz.load(WHOLE[name].encode())).findings)


def excerpts(name: str) -> Iterator[tuple[str, str]]:
    """Texts that people paste, each with what was left out."""
    lines = WHOLE[name].splitlines()
    yield "grep KUBE-", "\n".join(line for line in lines if "KUBE-" in line)
    yield "grep ^-A", "\n".join(line for line in lines if line.startswith("-A "))
    for table in ("nat", "filter"):
        section = re.search(rf"\*{table}\n.*?COMMIT\n", WHOLE[name], re.DOTALL)
        assert section is not None
        yield f"{table} alone", section[0]
        yield (
            f"rules of {table}",
            "\n".join(line for line in section[0].splitlines() if line.startswith("-A ")),
        )
    for chain in chains(name)[::3]:
        yield f"without {chain}", "\n".join(line for line in rules_alone(name) if chain_of(line) != chain)
    for end in range(5, len(lines), 21):
        yield f"first {end} lines", "\n".join(lines[:end])
    for line in lines:
        if chain_of(line).startswith("KUBE-SVC") and "statistic" in line:
            hashed = chain_of(line)
            yield f"grep {hashed}", "\n".join(other for other in lines if hashed in other)


def shares(answer: FrontendAnswer) -> dict[tuple[str, int | None], object]:
    return {(end.address, end.port): end.share for end in answer.endpoints}


def agree(text: str, name: str) -> None:
    """Ask an excerpt, and compare each answer with that of the whole."""
    try:
        dump = iptviz.load(text.encode())
    except iptviz.DumpError:
        return  # nothing in it is a dump
    if dump.complete:
        return  # nothing tells that it is an excerpt
    told = iptviz.services(dump)
    own = {one.frontend.text: one for port in answers(name).services for one in port.answers}
    reached = {one.frontend.text: one for port in answers(name).reached for one in port}
    by_chain = {one.chain: one for port in answers(name).services for one in port.answers}
    for port, fares in zip(told.services, told.reached, strict=True):
        for answer, fare in zip(port.answers, fares, strict=True):
            key, alone = answer.frontend.text, answer.frontend.kind == "chain"
            whole = by_chain.get(key) if alone else own[key]
            if whole is None:  # a chain that no frontend's usual client comes to
                continue
            assert shares(answer).items() <= shares(whole).items(), answer
            if answer.verdict:
                assert whole.verdict, answer
                assert answer.verdict.kind == whole.verdict.kind
            elif not answer.unseen:
                assert shares(answer) == shares(whole), answer
                assert alone or answer.masquerade == whole.masquerade
            for one in fare.fares:
                same = [other for other in reached[key].fares if set(one.clients) & set(other.clients)]
                assert not one.fails or any(other.fails for other in same), (key, one)
    for finding in check_listed(told).findings:
        assert finding.severity == "info" or finding.certainty != IF_COMPLETE, finding
        assert finding.severity == "info" or finding.id in found(name) | OF_READING, finding


def followed(text: str, name: str) -> None:
    """Trace and follow a packet to each cluster IP of an excerpt."""
    dump, whole = iptviz.load(text.encode()), iptviz.load(WHOLE[name].encode())
    for port in iptviz.services(dump).services:
        frontend = port.usual.frontend
        if dump.complete or frontend.kind != "cluster-ip" or frontend.protocol != "tcp":
            continue
        asked = f"{frontend.address}:{frontend.port}"
        (traced,), (truth,) = iptviz.trace(dump, asked).services, iptviz.trace(whole, asked).services
        gets, really = ({end.text: end.share for end in one.usual.endpoints} for one in (traced, truth))
        assert gets.items() <= really.items()
        sent = {"dst": frontend.address, "dport": frontend.port, **CLIENT}
        fates, truths = (
            {
                (one.packet.dnat, one.verdict)
                for one in iptviz.packet(each, **sent).outcomes  # type: ignore[arg-type]
            }
            for each in (dump, whole)
        )
        assert {fate for fate in fates if fate[1] != "UNKNOWN" and "tracking" not in str(fate)} <= truths, (
            fates,
            truths,
        )


@pytest.mark.parametrize("name", WHOLE)
def test_no_excerpt_contradicts_the_whole(name: str) -> None:
    wrong = []
    for what, text in excerpts(name):
        try:
            agree(text, name)
        except AssertionError as error:
            wrong.append(f"{what}: {str(error)[:600]}")
    assert not wrong, "\n".join(wrong)


@settings(max_examples=20)
@given(st.data())
def test_no_choice_of_chains_contradicts_the_whole(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(WHOLE)))
    left_out = data.draw(st.sets(st.sampled_from(chains(name))))
    agree("\n".join(line for line in rules_alone(name) if chain_of(line) not in left_out), name)
