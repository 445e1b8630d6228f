"""Every question takes a whole node: dumps of both families and backends are answered together, and told apart."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

import iptviz
from iptviz.cli.app import app
from iptviz.node.load import load_node
from iptviz.node.snapshot import Snapshot
from tests.conftest import FIXTURES

if TYPE_CHECKING:
    from pathlib import Path

FOUR, SIX = (str(FIXTURES / "httpd-dual-stack" / name) for name in ("dump.rules", "dump6.rules"))
LEGACY, NFT = (str(FIXTURES / name / "dump.rules") for name in ("httpd-today", "httpd-nft"))
NAME = "default/httpd-service"


def run(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, list(arguments))
    return done.exit_code, done.stdout


def document(*arguments: str) -> dict[str, Any]:
    status, text = run(*arguments, "--json")
    assert status == 0
    found: dict[str, Any] = json.loads(text)
    return found


# --- both families -------------------------------------------------------------------------------------------


def test_a_service_of_two_families_is_answered_for_both() -> None:
    result = iptviz.trace(load_node(FOUR, SIX), NAME)
    assert [answer.dump.family for answer in result.answers] == ["ipv4", "ipv6"]
    for answer in result.answers:
        assert [traced.frontend.kind for traced in answer.services] == ["cluster-ip", "node-port"]
        for traced in answer.services:
            assert [round(float(end.share), 6) for end in traced.usual.endpoints] == [0.25] * 4


@pytest.mark.parametrize(("target", "family"), [("10.97.13.198", "ipv4"), ("fd00:10:96::79", "ipv6")])
def test_an_address_is_looked_for_in_the_dumps_of_its_family(target: str, family: str) -> None:
    result = iptviz.trace(load_node(FOUR, SIX), target)
    assert [(answer.dump.family, bool(answer.services)) for answer in result.answers] == [(family, True)]


def test_documents_number_the_dumps_and_say_of_which_each_part_is() -> None:
    for command in (("trace", NAME), ("services",)):
        found = document(*command, FOUR, SIX)
        assert [(dump["number"], dump["family"]) for dump in found["dumps"]] == [(1, "ipv4"), (2, "ipv6")]
        assert found["dump"]["source"] == FOUR
        assert {service["dump"] for service in found["services"]} == {1, 2}
    lines = {
        service["dump"]: service["frontend"]["line"]
        for service in document("trace", NAME, FOUR, SIX)["services"]
    }
    assert lines == {1: 35, 2: 35}  # the last of each: the node port stands at the same line in both


def test_of_one_dump_nothing_is_numbered() -> None:
    for command in (("trace", NAME), ("services",), ("graph",)):
        found = document(*command, FOUR)
        assert "dumps" not in found
        assert not any("dump" in service for service in found.get("services", []))


def test_every_format_tells_both_apart(tmp_path: Path) -> None:
    for format_name in ("tree", "table", "markdown"):
        _, text = run("trace", NAME, FOUR, SIX, "-f", format_name)
        assert text.count(f"in dump 2, {SIX} (ip6tables-save v1.8.9)") == 2
        assert "10.244.2.21:80" in text
        assert "[fd00:10:244:2::21]:80" in text
    _, text = run("services", FOUR, SIX)
    assert [line.split()[-2:] for line in text.splitlines() if line.startswith(NAME)] == [
        ["ipv4", "legacy"],
        ["ipv6", "legacy"],
    ]
    assert "kube-proxy of dump 2" in text
    page = tmp_path / "report.html"
    assert run("report", FOUR, NAME, "-o", str(page))[0] == 0


def test_a_packet_meets_the_rules_of_its_family() -> None:
    node = load_node(FOUR, SIX)
    for source, destination, family in (
        ("10.244.0.9", "10.97.13.198", "ipv4"),
        ("fd00:10:244::9", "fd00:10:96::79", "ipv6"),
    ):
        result = iptviz.packet(
            node, src=source, dst=destination, protocol="tcp", dport=79, mark=0, local_ips=()
        )
        assert [dump.family for dump in result.dumps] == [family]
        assert {round(float(outcome.share), 6) for outcome in result.outcomes} == {0.25}


def test_a_node_is_compared_with_the_api_in_both_families(tmp_path: Path) -> None:
    listed = tmp_path / "api.json"
    listed.write_text(json.dumps({"kind": "List", "items": [{
        "kind": "Service", "metadata": {"namespace": "default", "name": "gone"},
        "spec": {"clusterIP": "10.96.7.7", "clusterIPs": ["10.96.7.7", "fd00:10:96::7"], "ipFamilies": ["IPv4", "IPv6"],
                 "ports": [{"port": 80, "protocol": "TCP"}]},
    }]}))  # fmt: skip
    found = json.loads(run("verify", FOUR, str(listed), "--json")[1])
    both = iptviz.verify(load_node(FOUR, SIX), [str(listed)])
    assert "dump" not in found["differences"][0]
    missing = [
        (answer.dump.family, difference.expected)
        for answer in both.answers
        for difference in answer.differences
        if difference.kind == "missing-service"
    ]
    assert missing == [("ipv4", "10.96.7.7:80"), ("ipv6", "[fd00:10:96::7]:80")]
    assert both.differs


def test_a_graph_says_which_dump_it_does_not_draw() -> None:
    found = document("graph", FOUR, SIX)
    assert found["dump"]["source"] == FOUR
    assert [note for note in found["notes"] if "not drawn" in note] == [
        f"dump 2 of the same node not drawn: {SIX} (ip6tables-save v1.8.9); draw it with --dump 2"
    ]


# --- both backends -------------------------------------------------------------------------------------------


def test_kube_proxys_chains_in_both_backends_are_a_finding() -> None:
    node = load_node(NFT, LEGACY)
    assert {(dump.family, dump.backend) for dump in node.dumps} == {("ipv4", "nf_tables"), ("ipv4", "legacy")}
    for findings in (iptviz.trace(node, NAME).findings, iptviz.services(node).findings,
                     iptviz.packet(node, dst="10.97.13.198", protocol="tcp", dport=79).findings):  # fmt: skip
        (found,) = [finding for finding in findings if finding.id == "dual-backend"]
        assert found.severity == "critical"


def test_other_rules_in_the_other_backend_are_a_lesser_one_and_none_is_no_finding() -> None:
    nft = iptviz.load(NFT)
    drops, counts, empty = (
        iptviz.load(
            f"# Generated by iptables-save v1.8.9\n*filter\n:FORWARD ACCEPT [0:0]\n{rule}COMMIT\n".encode()
        )
        for rule in ("-A FORWARD -p udp -j DROP\n", "-A FORWARD -p udp\n", "")
    )
    severities = [
        finding.severity
        for other in (drops, counts)
        for finding in iptviz.services(Snapshot([nft, other])).findings
        if finding.id == "dual-backend"
    ]
    assert severities == ["high", "medium"]
    assert not [
        finding
        for finding in iptviz.services(Snapshot([nft, empty])).findings
        if finding.id == "dual-backend"
    ]


def test_a_step_says_of_which_backend_it_is() -> None:
    _, text = run(
        "packet",
        NFT,
        LEGACY,
        "--src",
        "10.244.0.9",
        "--dst",
        "10.97.13.198",
        "--protocol",
        "udp",
        "--dport",
        "9",
    )
    assert re.search(r"├── (nf_tables|legacy) nat +PREROUTING", text)
    found = document("packet", NFT, LEGACY, "--dst", "10.97.13.198", "--protocol", "udp", "--dport", "9")
    assert {step["dump"] for outcome in found["outcomes"] for step in outcome["path"]} == {1, 2}


# --- in pseudonyms -------------------------------------------------------------------------------------------

SECRET = re.compile(r"httpd|10\.97\.13\.198|10\.244\.[12]\.|fd00:10:|default/|uplink7")
ADDRESSES = (
    "1: lo: <LOOPBACK,UP> mtu 65536\n    inet 127.0.0.1/8 scope host lo\n"
    "2: uplink7: <UP> mtu 1500\n    inet 192.168.1.10/24 scope global uplink7\n"
)
ROUTES = "default via 192.168.1.1 dev uplink7\n10.244.1.0/24 via 192.168.1.11 dev uplink7\n"


@pytest.mark.usefixtures("known_keys")
def test_a_whole_node_is_answered_in_pseudonyms(tmp_path: Path) -> None:
    (tmp_path / "addresses").write_text(ADDRESSES)
    (tmp_path / "routes").write_text(ROUTES)
    given = (FOUR, SIX, str(tmp_path / "addresses"), str(tmp_path / "routes"))
    packet = (
        "packet",
        "--src",
        "10.244.0.9",
        "--dst",
        "10.97.13.198",
        "--protocol",
        "tcp",
        "--dport",
        "79",
        "--mark",
        "0x0",
    )
    for command in (("trace", NAME), ("services",), ("graph",), packet):
        plain, hidden = (document(*command, *given, *more) for more in ((), ("--redact",)))
        assert not SECRET.search(json.dumps(hidden))
        assert [dump["family"] for dump in hidden["dumps"]] == [dump["family"] for dump in plain["dumps"]]
    plain, hidden = (document(*packet, *given, *more) for more in ((), ("--redact",)))
    told = [
        [(one["verdict"], round(one["probability"], 6), one["when"]) for one in found["outcomes"]]
        for found in (plain, hidden)
    ]
    assert told[0] == told[1] == [("ACCEPT", 0.25, [])] * 4


LISTING = (
    "Chain INPUT (policy ACCEPT)\ntarget     prot opt source               destination\n"
    "DROP       tcp  --  0.0.0.0/0            0.0.0.0/0            tcp dpt:22\n"
)


@pytest.mark.usefixtures("known_keys")
def test_what_a_form_cannot_show_is_said_in_pseudonyms_too(tmp_path: Path) -> None:
    path = tmp_path / "listing"
    path.write_text(LISTING)
    asked = (
        "packet",
        str(path),
        "--dst",
        "10.0.0.1",
        "--protocol",
        "tcp",
        "--dport",
        "22",
        "--local-ip",
        "10.0.0.1",
    )
    for more in ((), ("--redact",)):
        (outcome,) = document(*asked, *more)["outcomes"]
        assert [need["kind"] for need in outcome["when"]][:1] == ["unseen-tables"]


def test_tables_that_a_listing_of_either_backend_lacks_are_a_condition() -> None:
    listed = Snapshot([iptviz.load(NFT), iptviz.load(b"root@n:~# iptables-legacy -L\n" + LISTING.encode())])
    (need, *_) = iptviz.packet(listed, dst="10.0.0.1", protocol="tcp", dport=22).outcomes[0].when
    assert (need.condition.kind, need.condition.value) == ("unseen-tables", "nat, mangle, raw, security")


def test_a_chain_that_a_listing_shows_empty_is_empty() -> None:
    text = (
        LISTING
        + "\nChain KUBE-FIREWALL (1 references)\ntarget     prot opt source               destination\n"
    )
    text = text.replace("DROP       tcp", "KUBE-FIREWALL  tcp")
    result = iptviz.packet(
        iptviz.load(text.encode()), dst="10.0.0.1", protocol="tcp", dport=22, local_ips=("10.0.0.1",)
    )
    assert not any(note.id == "chain-unseen" for note in result.notes)
    assert not result.complete
