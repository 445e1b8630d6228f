"""What is said of kube-proxy's rules as a whole: no more than a dump shows, and alike by all who are asked."""

from __future__ import annotations

import pytest

import iptviz
from iptviz.checks.registry import diagnosis_of
from iptviz.checks.wording import sentence, sentences
from iptviz.node.snapshot import Snapshot
from tests.conftest import FIXTURES

CHECKS = FIXTURES / "checks"
NFT, LEGACY = (FIXTURES / name / "dump.rules" for name in ("httpd-nft", "httpd-today"))
LISTING = (
    b"Chain FORWARD (policy ACCEPT)\ntarget     prot opt source               destination\n"
    b"DROP       udp  --  0.0.0.0/0            0.0.0.0/0\n"
)


def found(name: str, what: str) -> list[str]:
    """Every sentence of a kind of finding about a fixture."""
    result = iptviz.check(iptviz.load_node(str(CHECKS / f"{name}.rules")))
    return [f"{one.severity}: {sentence(one)}" for one in result.findings if one.id == what]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nat-flushed/fault", "critical: The nat table has no KUBE-SERVICES chain, but KUBE-PROXY-CANARY (mangle"),
        ("nat-flushed/fault-rules-alone", "critical: KUBE-SERVICES (nat, line 35) has no rule, and chains of"),
        ("nat-flushed/fault-cleaned", "info: The nat table has no KUBE-SERVICES chain, but KUBE-PROXY-CANARY (m"),
        ("proxy-leftover/fault", "high: line 29: KUBE-PORTALS-CONTAINER and 1 more: kube-proxy's userspace mode"),
        ("proxy-leftover/fault-idle", "low: line 29: KUBE-HOSTPORTS and 1 more: host ports of dockershim, which"),
        ("dual-backend/fault", "critical: dump 2 has 19 rules of backend legacy, which apply besides those of nf_tables"),
        ("dual-backend/fault-other-rules", "high: dump 2 has 1 rule of backend legacy, which apply besides those of nf_tabl"),
        ("dual-backend/fault-old-skeleton", "medium: dump 2 has 9 rules of backend legacy, which apply besides those of n"),
    ],
)  # fmt: skip
def test_a_state_has_its_severity(name: str, said: str) -> None:
    (one,) = found(name, name.partition("/")[0])
    assert one.startswith(said)


def test_which_backend_is_asked_first_is_said_to_be_unknown() -> None:
    assert (
        "both have service rules, and no dump shows which are evaluated first"
        in found("dual-backend/fault", "dual-backend")[0]
    )
    assert "no dump shows" in diagnosis_of("dual-backend").matters


def test_a_listing_that_tells_no_backend_is_not_of_the_other_one() -> None:
    node = Snapshot([iptviz.load(NFT), iptviz.load(LISTING)])
    assert [one.id for one in iptviz.check(node).findings if one.id == "dual-backend"] == []
    both = Snapshot([iptviz.load(NFT), iptviz.load(LEGACY)])
    assert [one.id for one in iptviz.check(both).findings if one.id == "dual-backend"] == ["dual-backend"]


def test_an_excerpt_without_built_in_chains_tells_nobody_what_leads_to_services() -> None:
    dump = iptviz.load(CHECKS / "hook-without-services/near-excerpt.rules")
    for result in (iptviz.trace(dump, "10.97.20.77"), iptviz.services(dump), iptviz.check(dump)):
        assert "hook-without-services" not in {one.id for one in result.findings}


@pytest.mark.parametrize("name", ["fault", "fault-rules-alone", "fault-services-alone"])
def test_who_finds_no_service_is_told_of_the_flush(name: str) -> None:
    dump = iptviz.load(CHECKS / f"nat-flushed/{name}.rules")
    for result in (iptviz.services(dump), iptviz.trace(dump, "10.97.20.77")):
        assert "nat was flushed" in "\n".join(sentences(result.notes))


def test_a_dump_cut_in_its_declarations_was_not_flushed() -> None:
    text = (CHECKS / "nat-flushed/fault-rules-alone.rules").read_text()
    cut = iptviz.load(text.removesuffix("COMMIT\n").encode())
    assert "nat-flushed" not in {one.id for one in iptviz.check(cut).findings}
