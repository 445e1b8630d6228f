"""How a node's services are kept, with the line that shows it; all who ask are told the same."""

from __future__ import annotations

import pytest

import iptviz
from iptviz.checks.era import era_remark
from iptviz.checks.wording import sentence, sentences
from iptviz.kube.era import era_of
from iptviz.kube.mode import Mode, mode_of, mode_of_ruleset
from iptviz.kube.nftables.own import has_services, own_table
from tests.conftest import FIXTURES
from tests.nft.told import listing, ruleset_of

USERSPACE = """*nat
:PREROUTING ACCEPT [0:0]
:KUBE-PORTALS-CONTAINER - [0:0]
:KUBE-PORTALS-HOST - [0:0]
-A PREROUTING -m comment --comment "handle ClusterIPs; NOTE: this must be before the NodePort rules" -j KUBE-PORTALS-CONTAINER
-A KUBE-PORTALS-CONTAINER -d 10.0.0.1/32 -p tcp -m comment --comment "default/kubernetes:https" -m tcp --dport 443 -j REDIRECT --to-ports 33245
COMMIT
"""
CANARY = "*mangle\n:KUBE-KUBELET-CANARY - [0:0]\nCOMMIT\n"
EMPTY_NAT = "*nat\n:PREROUTING ACCEPT [0:0]\nCOMMIT\n"
CASES = [
    ("*nat\n:KUBE-SERVICES - [0:0]\nCOMMIT\n", Mode("iptables", 2)),
    ("*nat\n:KUBE-SERVICES - [0:0]\n:KUBE-NODE-PORT - [0:0]\nCOMMIT\n", Mode("ipvs", 3)),
    ("*nat\n:KUBE-SERVICES - [0:0]\n-A KUBE-SERVICES -m set --match-set KUBE-CLUSTER-IP dst,dst -j ACCEPT\nCOMMIT\n",
     Mode("ipvs", 3)),
    (USERSPACE, Mode("userspace", 3)),
    (f"{CANARY}{USERSPACE}", Mode("userspace", 6)),
    (USERSPACE.replace(":KUBE-PORTALS-HOST", ":KUBE-SERVICES"), Mode("iptables", 4)),
    (CANARY, Mode("no-nat")),
    (f"*nat\n:PREROUTING ACCEPT [0:0]\nCOMMIT\n{CANARY}", Mode("elsewhere", 5)),
    ("*filter\n:INPUT ACCEPT [0:0]\nCOMMIT\n", Mode("no-nat")),
    ("*filter\n:KUBE-SERVICES - [0:0]\nCOMMIT\n", Mode("iptables", 2, lacking="no-nat")),
    ("-A KUBE-SVC-AAAAAAAAAAAAAAAA -j KUBE-SEP-BBBBBBBBBBBBBBBB\n", Mode("iptables", 1, lacking="cut")),
    ("*filter\n:KUBE-NODE-PORT - [0:0]\nCOMMIT\n", Mode("ipvs", 2)),
    (EMPTY_NAT, Mode("none")),
    ("*nat\n:KUBE-MARK-MASQ - [0:0]\nCOMMIT\n", Mode("none")),  # kubelet made it, too
    ("*nat\n:PREROUTING ACCEPT [0:0]\n:KUBE-MARK-MASQ - [0:0]\n", Mode("cut")),
    (f"{EMPTY_NAT}*mangle\n:KUBE-PROXY-CANARY - [0:0]\n:KUBE-KUBELET-CANARY - [0:0]\nCOMMIT\n",
     Mode("flushed", 5, "mangle", "KUBE-PROXY-CANARY")),
    (f"{EMPTY_NAT}*filter\n:KUBE-FORWARD - [0:0]\nCOMMIT\n", Mode("flushed", 5, "filter", "KUBE-FORWARD")),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), CASES)
def test_the_mode_has_its_evidence(text: str, expected: Mode) -> None:
    dump = iptviz.load(text.encode())
    assert mode_of(dump) == expected
    assert era_of(dump).mode == expected.name


@pytest.mark.parametrize(("text", "expected"), CASES)
def test_who_finds_nothing_is_told_of_the_mode(text: str, expected: Mode) -> None:
    said = "\n".join(sentences(iptviz.trace(iptviz.load(text.encode()), "10.97.13.198").notes))
    words = {
        "ipvs": "IPVS mode",
        "userspace": "userspace mode",
        "elsewhere": "kubelet runs",
        "none": "does not run in iptables mode, or its rules were flushed",
        "no-nat": "no nat table",
        "cut": "is unknown",
        "flushed": f"{expected.chain} ({expected.table}, line {expected.line}) shows that kube-proxy ran on this node",
    }
    assert words.get(expected.name, "") in said or "no nat table" in said
    assert ("does not run" in said) == (expected.name in {"elsewhere", "none"})
    assert "never" not in said


@pytest.mark.parametrize(
    ("name", "clause", "note"),
    [
        (
            "firewalld",
            "its rules are gone from nat",
            "KUBE-PROXY-CANARY (mangle, line 9) shows that kube-proxy ran on this node",
        ),
        ("flushed-nat", "no sign of kube-proxy in iptables mode", "or its rules were flushed"),
        ("filter-only", "kube-proxy 1.25 or newer", "no table nat"),
        (
            "cut-in-declarations",
            "the dump is incomplete and has no KUBE-SERVICES chain",
            "whether kube-proxy runs in iptables mode is unknown",
        ),
    ],
)
def test_a_text_without_services_proves_no_more_than_it_shows(name: str, clause: str, note: str) -> None:
    dump = iptviz.load(FIXTURES / "no-services" / f"{name}.rules")
    assert clause in sentence(era_remark(era_of(dump)))
    for result in (iptviz.services(dump), iptviz.trace(dump, "10.96.0.1")):
        assert note in "\n".join(sentences(result.notes))


def test_nat_that_was_flushed_is_a_finding() -> None:
    dump = iptviz.load(FIXTURES / "no-services" / "firewalld.rules")
    (found,) = iptviz.services(dump).findings
    assert (found.id, found.severity) == ("chains-removed", "critical")


def test_refusals_in_filter_do_not_hide_that_nat_was_flushed() -> None:
    refused = (FIXTURES / "no-services" / "filter-only.rules").read_text()
    result = iptviz.services(iptviz.load(f"{EMPTY_NAT}{refused}".encode()))
    assert len(result.services) == 1
    assert "nat-flushed" in [found.id for found in result.findings]


def test_a_node_in_userspace_mode_is_not_said_to_have_no_kube_proxy() -> None:
    dump = iptviz.load(USERSPACE.encode())
    for notes in (iptviz.trace(dump, "10.0.0.1").notes, iptviz.services(dump).notes):
        text = "\n".join(sentences(notes))
        assert "kube-proxy runs or ran in userspace mode (line 3)" in text
        assert "endpoints are not in iptables" in text
        assert "does not run" not in text


def told_by(text: str | bytes, family: str = "ipv4") -> Mode | None:
    return mode_of_ruleset(ruleset_of(text), [family])


@pytest.mark.parametrize(
    "name", ["every-1.29", "every-1.30", "every-1.34", "every-1.36", "every-1.37", "mixed-node"]
)
def test_a_listing_tells_of_nftables_mode(name: str) -> None:
    text = listing(f"{name}.listing")
    found = told_by(text)
    assert found is not None
    assert (found.name, found.table) == ("nftables", "ip kube-proxy")
    assert text.splitlines()[(found.line or 0) - 1] == b"table ip kube-proxy {"
    table = own_table(ruleset_of(text), "ipv4")
    assert table is not None
    assert has_services(table)


SKELETON = """table ip6 kube-proxy {
	map service-ips {
		type ipv6_addr . inet_proto . inet_service : verdict
	}

	chain services {
		ip6 daddr . meta l4proto . th dport vmap @service-ips
	}

	chain nat-prerouting {
		type nat hook prerouting priority dstnat; policy accept;
		jump services
	}

	chain service-2QRHZV4L-default/kubernetes/tcp/https {
	}
}
"""


def test_a_table_without_services_is_of_that_mode_too() -> None:
    """Where a cluster has one family alone; the empty chain is of a service that is gone."""
    table = own_table(ruleset_of(SKELETON), "ipv6")
    assert table is not None
    assert not has_services(table)
    assert told_by(SKELETON, "ipv6") == Mode("nftables", 1, "ip6 kube-proxy")
    assert told_by(SKELETON) is None


@pytest.mark.parametrize(
    "text",
    [
        "table ip kube-proxy {\n}\n",
        "table ip kube-proxy {\n\tchain mine {\n\t\taccept\n\t}\n}\n",
        "table ip mine {\n\tchain services {\n\t\taccept\n\t}\n}\n",
        "table inet kube-proxy {\n\tchain services {\n\t\taccept\n\t}\n}\n",
    ],
)
def test_other_tables_tell_of_no_mode(text: str) -> None:
    assert told_by(text) is None


def test_json_tells_of_the_mode_without_a_line() -> None:
    assert told_by(listing("every-1.36.json")) == Mode("nftables", None, "ip kube-proxy")
