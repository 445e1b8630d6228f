"""Rules on a service's way that kube-proxy does not write: what trace answers, and what it says of them."""

from __future__ import annotations

import re
from typing import Any

import pytest

import iptviz
from iptviz.checks.wording import sentences
from tests.conftest import FIXTURES

HTTPD, WEB, LB = "10.97.13.198", "10.96.0.50", "203.0.113.20"
SEP = "KUBE-SEP-2ZFMABIBAPGHKA6E"
OTHERS = {"10.244.1.18:80", "10.244.2.20:80", "10.244.2.21:80"}
ALL = {"10.244.1.17:80", *OTHERS}


def traced(case: str, target: str) -> iptviz.TraceResult:
    return iptviz.trace(iptviz.load(FIXTURES / "ways" / f"{case}.rules"), target)


def notes(case: str, target: str) -> str:
    return "\n".join(sentences(traced(case, target).notes))


def findings(case: str, target: str) -> list[str]:
    return [found.id for found in traced(case, target).findings if found.severity != "info"]


def ends(answer: dict[str, Any]) -> set[str]:
    return {f"{end['address']}:{end['port']}" for end in answer["endpoints"]}


# Case and TARGET; the endpoints of the first answer; what is said; the findings.
SAID: list[tuple[str, str, set[str], list[str], list[str]]] = [
    ("w-return-on-top-of-kube-services", HTTPD, set(),
     ["line 58: RETURN in KUBE-SERVICES comes before the rule of 10.97.13.198:79/tcp"],
     ["asked-before-service"]),
    ("w-return-on-top-of-kube-services", ":32123", set(), ["line 58: RETURN"], ["asked-before-service"]),
    ("w-foreign-net-dnat-in-kube-services", HTTPD, {"1.1.1.1:79"}, ["line 58: DNAT in KUBE-SERVICES"],
     ["asked-before-service"]),
    ("w-foreign-net-dnat-in-kube-services", "10.96.0.1", {"192.168.1.10:6443"}, [], []),
    ("w-cond-jump-iface", HTTPD, ALL, ["line 28: KUBE-SERVICES runs only when input interface is eth0"], ["services-asked-if"]),
    ("w-indirect-jump", HTTPD, ALL, [], []),
    ("w-prob-0", HTTPD, OTHERS, ["line 76: 10.244.1.17:80 of default/httpd-service gets no connections: the rule has probability 0"],
     ["endpoint-shadowed"]),
    ("w-sep-no-dnat", HTTPD, OTHERS,
     [f"10.244.1.17 of default/httpd-service gets no connections: {SEP} has no DNAT; 25 % of connections come to it and go on"],
     ["endpoint-without-dnat"]),
    ("w-sep-udp-dnat", HTTPD, OTHERS, [f"the DNAT of {SEP} is for another protocol; 25 % of"],
     ["endpoint-without-dnat"]),
    ("undeclared-empty-chain", HTTPD, ALL, ["line 90: jumps to KUBE-SERVICES, but table filter has no such chain"],
     ["dangling-jump"]),
    ("03-source-ranges-pods-1.26", ":30443", {"10.244.1.5:8080", "10.244.2.6:8080"},
     [":30443/tcp: open to every source, loadBalancerSourceRanges do not apply"], ["node-port-beyond-source-ranges"]),
    ("11-udp-dns", "kube-system/kube-dns:dns", {"10.244.0.2:53", "10.244.0.3:53"},
     ["UDP: existing flows keep their endpoint until their conntrack entry expires"], []),
    ("dnat-unsupported-in-sep", WEB, {"10.244.0.7:8080"}, ["line 13: the address of 1 DNAT rule is not readable"],
     ["dnat-unreadable", "partial-dump", "hook-without-services"]),
]  # fmt: skip


@pytest.mark.parametrize(("case", "target", "endpoints", "said", "found"), SAID)
def test_what_is_odd_is_told(
    case: str, target: str, endpoints: set[str], said: list[str], found: list[str]
) -> None:
    result = traced(case, target)
    (answer,) = result.to_dict()["services"]
    assert ends(answer) == endpoints
    text = notes(case, target)
    assert [part for part in said if part not in text] == []
    assert list(dict.fromkeys(findings(case, target))) == found
    if not said:
        assert text == ""


def test_what_another_case_decides_is_not_told_of_this_one() -> None:
    result = traced("w-svc-return-by-source", HTTPD)
    ordinary, sent_back = result.to_dict()["services"][0]["cases"]
    assert (ends(ordinary), ends(sent_back)) == (ALL, set())
    assert sent_back["leftover"]["exact"] == "1/1"
    assert result.notes == ()


def test_two_services_at_one_address_are_two() -> None:
    other, httpd = traced("w-vip-two-services", HTTPD).to_dict()["services"]
    assert (other["service"]["name"], httpd["service"]["name"]) == ("other", "httpd-service")
    assert sorted(len(ends(case)) for case in other["cases"]) == [0, 1]
    assert sorted(len(ends(case)) for case in httpd["cases"]) == [0, 4]
    text = notes("w-vip-two-services", HTTPD)
    assert (
        "line 67: default/other has 10.97.13.198:79/tcp, too, and takes its connections when source in"
        in text
    )


def test_the_second_of_two_services_gets_nothing_where_the_first_takes_all() -> None:
    text = (FIXTURES / "ways" / "w-vip-two-services.rules").read_text().replace("-s 10.244.0.9/32 -d", "-d")
    result = iptviz.trace(iptviz.load(text.encode()), HTTPD)
    first, second = result.to_dict()["services"]
    assert (ends(first), ends(second)) == ({"192.168.1.10:6443"}, set())
    severe = [found.id for found in result.findings if found.severity != "info"]
    assert severe == ["hash-mismatch", "vip-collision"]


def test_what_comes_to_a_last_endpoint_without_dnat_gets_none() -> None:
    text = (FIXTURES / "httpd-service" / "dump.rules").read_text()
    broken = re.sub(r"-A KUBE-SEP-PIY2GUM6HM67YPSI .*-j DNAT .*\n", "", text)
    result = iptviz.trace(iptviz.load(broken.encode()), HTTPD)
    assert {found.id for found in result.findings if found.severity != "info"} == {"endpoint-without-dnat"}
    (said,) = (each for each in sentences(result.notes) if "PIY2GUM6HM67YPSI has no DNAT" in each)
    assert said.endswith("25 % of connections come to it and get no endpoint")


def test_a_range_is_told_as_one() -> None:
    (first, *others) = traced("w-sep-range", HTTPD).services[0].usual.endpoints
    assert (first.text, first.address, first.port, first.ports) == (
        "10.244.1.17-10.244.1.20:80-90", "10.244.1.17-10.244.1.20", None, "80-90",
    )  # fmt: skip
    assert {end.text for end in others} == OTHERS


def test_a_mark_to_be_dropped_is_no_drop_where_packets_are_forwarded() -> None:
    (answer,) = traced("03-source-ranges-pods-1.24", LB).to_dict()["services"]
    verdict = answer["cases"][1]["verdict"]
    assert (verdict["kind"], verdict["line"]) == ("DROP", 75)
    assert verdict["text"].startswith(
        "marked to be dropped: KUBE-FIREWALL drops in INPUT and OUTPUT only (line 33)"
    )


def test_a_dnat_that_iptables_could_not_print_goes_somewhere() -> None:
    dump = iptviz.load(FIXTURES / "ways" / "dnat-unsupported-revision.rules")
    result = iptviz.packet(
        dump, src="192.0.2.9", dst="192.0.2.1", protocol="tcp", dport=9099, in_iface="eth0"
    )
    assert {outcome.packet.dnat for outcome in result.outcomes} == {"an unknown destination"}


@pytest.mark.parametrize(
    ("target", "line"), [(":30080/tcp", 87), (":30080/udp", 85), ("127.0.0.1:30080/tcp", 86)]
)
def test_the_line_is_the_one_that_the_client_meets(target: str, line: int) -> None:
    (answer,) = traced("25-nfacct", target).to_dict()["services"]
    assert answer["frontend"]["line"] == line
