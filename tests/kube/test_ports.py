"""Ports of the node as TARGETs: at one address, host ports, published ports, health checks."""

from __future__ import annotations

from typing import Any

import pytest

import iptviz
from iptviz.checks.wording import sentences
from tests.conftest import FIXTURES

EXCEPT = {"not": ["127.0.0.0/8"]}
LIMITED = (FIXTURES / "ways" / "37-no-localhost-nodeports.rules").read_text()


def answers(text: str, target: str) -> tuple[list[dict[str, Any]], str]:
    """Return the frontends that a target names, each with its endpoints, and all notes."""
    result = iptviz.trace(iptviz.load(text.encode()), target)
    return result.to_dict()["services"], "\n".join(sentences(result.notes))


def case(name: str) -> str:
    return (FIXTURES / "ways" / f"{name}.rules").read_text()


def told(answer: dict[str, Any]) -> tuple[str, str | None, int, list[str]]:
    frontend = answer["frontend"]
    ends = [f"{end['address']}:{end['port']}" for end in answer["endpoints"]]
    return frontend["kind"], frontend["address"], frontend["line"], ends


# Case, TARGET, the frontends with their endpoints, and what is said.
TOLD: list[tuple[str, str, list[tuple[str, str | None, int, list[str]]], list[str]]] = [
    ("08-hostport-stale", ":443",
     [("host-port", None, 44, ["10.244.1.31:443"]), ("host-port", None, 50, [])],
     ["line 50: never evaluated: line 44 takes the connections to :443/tcp"]),
    ("08-hostport-stale", "10.244.1.31",
     [("host-port", None, 41, ["10.244.1.31:80"]), ("host-port", None, 44, ["10.244.1.31:443"])], []),
    ("08-hostport-stale", "10.244.1.44:443", [("host-port", None, 50, [])], ["never evaluated: line 44"]),
    ("08-hostport-stale", "192.0.2.10:80",
     [("host-port", "192.0.2.10", 41, ["10.244.1.31:80"]), ("host-port", "192.0.2.10", 47, [])],
     ["192.0.2.10 is an address of this node"]),
    ("08-hostport-stale", "CNI-DN-98502136a6caa3b998bdb", [("host-port", None, 47, []), ("host-port", None, 50, [])], []),
    ("duplicate-hostport", ":7070",
     [("host-port", None, 17, ["10.244.0.12:8080"]), ("host-port", None, 16, [])], ["line 16: never evaluated: line 17"]),
    ("duplicate-hostport", ":30080",
     [("node-port", None, 21, ["10.244.0.7:8080"]), ("host-port", None, 18, [])], ["line 18: never evaluated: line 21"]),
    ("condition-on-hostport", ":8081", [("host-port", None, 10, ["10.244.0.7:8080"])], []),
    ("netavark", ":8088", [("published", None, 99, ["10.88.0.2:80"])], []),
    ("02b-healthcheck-1.29", ":32000", [("health-check", None, 41, [])],
     ["line 41: accepts connections to :32000/tcp: kube-proxy itself answers", "health checks of load balancers for shop/web"]),
    ("02b-healthcheck-1.29", ":32000/udp", [], ["no service matches"]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "target", "expected", "said"), TOLD)
def test_a_port_of_the_node_names_who_answers_there(
    name: str, target: str, expected: list[tuple[str, str | None, int, list[str]]], said: list[str]
) -> None:
    found, notes = answers(case(name), target)
    assert list(map(told, found)) == expected
    assert [part for part in said if part not in notes] == []
    assert "nothing in this dump leads to it" not in notes
    assert not any(
        finding.id == "no-endpoints"
        for finding in iptviz.trace(iptviz.load(case(name).encode()), target).findings
    )


def test_a_condition_on_the_jump_is_kept() -> None:
    found, _ = answers(case("condition-on-hostport"), ":8081")
    assert [each["when"][0]["text"] for each in found[0]["cases"]] == [
        "source not in 192.0.2.77/32", "source in 192.0.2.77/32",
    ]  # fmt: skip


# What stands in place of the jump's `! -d 127.0.0.0/8`: the addresses of the node port, and where it answers.
LIMITS: list[tuple[str, Any, list[str], list[str]]] = [
    ("! -d 127.0.0.0/8 ", EXCEPT, ["192.0.2.10"], ["127.0.0.1", "127.1.2.3"]),
    ("-d 192.0.2.10/32 ", {"only": ["192.0.2.10"]}, ["192.0.2.10"], ["127.0.0.1", "192.0.2.11"]),
    ("-d 192.0.2.0/24 ", {"only": ["192.0.2.0/24"]}, ["192.0.2.10"], ["198.51.100.1"]),
    ("", None, ["192.0.2.10", "127.0.0.1"], []),
]


@pytest.mark.parametrize(("limit", "addresses", "within", "without"), LIMITS)
def test_node_ports_answer_at_their_addresses(
    limit: str, addresses: Any, within: list[str], without: list[str]
) -> None:
    text = LIMITED.replace(
        '! -d 127.0.0.0/8 -m comment --comment "kubernetes service nodeports',
        f'{limit}-m comment --comment "kubernetes service nodeports',
    )
    (answer,), _ = answers(text, ":30080")
    assert answer["frontend"]["addresses"] == addresses
    for address in within:
        (answer,), notes = answers(text, f"{address}:30080")
        assert (answer["frontend"]["address"], len(answer["endpoints"])) == (address, 2)
        assert "do not answer" not in notes
    for address in without:
        (answer,), notes = answers(text, f"{address}:30080")
        assert answer["endpoints"] == []
        assert f"node ports do not answer at {address}: they answer " in notes


def test_several_jumps_add_up() -> None:
    line = next(
        line for line in LIMITED.splitlines() if line.endswith("-j KUBE-NODEPORTS") and "127.0.0.0/8" in line
    )
    jumps = "\n".join(line.replace("! -d 127.0.0.0/8", f"-d 192.0.2.{host}/32") for host in (10, 11))
    (answer,), _ = answers(LIMITED.replace(line, jumps), ":30080")
    assert answer["frontend"]["addresses"] == {"only": ["192.0.2.10", "192.0.2.11"]}


def test_the_published_ports_are_listed_in_the_order_in_which_they_are_asked() -> None:
    found = iptviz.services(iptviz.load(case("duplicate-hostport").encode()), published=True).to_dict()[
        "published"
    ]
    assert [(port["line"], port["taken_by"]) for port in found] == [(17, []), (18, [21]), (16, [17])]
    assert found[2]["when"][0]["text"] == "source not in 192.0.2.77/32"


DOCKERSHIM = """*nat
:PREROUTING ACCEPT [0:0]
:KUBE-HOSTPORTS - [0:0]
:KUBE-HP-ABC - [0:0]
-A PREROUTING -m comment --comment "kube hostport portals" -m addrtype --dst-type LOCAL -j KUBE-HOSTPORTS
-A KUBE-HOSTPORTS -p tcp -m comment --comment "nginx_default hostport 8080" -m tcp --dport 8080 -j KUBE-HP-ABC
-A KUBE-HP-ABC -p tcp -m comment --comment "nginx_default hostport 8080" -m tcp -j DNAT --to-destination 10.244.0.9:80
COMMIT
"""
OVN = """*nat
:PREROUTING ACCEPT [0:0]
:OVN-KUBE-NODEPORT - [0:0]
:OVN-KUBE-EXTERNALIP - [0:0]
-A PREROUTING -j OVN-KUBE-EXTERNALIP
-A PREROUTING -j OVN-KUBE-NODEPORT
-A OVN-KUBE-EXTERNALIP -d 203.0.113.9/32 -p tcp -m tcp --dport 80 -j DNAT --to-destination 172.30.1.1:80
-A OVN-KUBE-NODEPORT -p tcp -m addrtype --dst-type LOCAL -m tcp --dport 31000 -j DNAT --to-destination 172.30.1.2:80
COMMIT
"""
DOCKER = """*nat
:PREROUTING ACCEPT [0:0]
:DOCKER - [0:0]
-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
-A DOCKER -i docker0 -j RETURN
-A DOCKER ! -i docker0 -p tcp -m tcp --dport 5000 -j DNAT --to-destination 172.17.0.2:5000
COMMIT
"""
REDIRECT = """*nat
:PREROUTING ACCEPT [0:0]
-A PREROUTING -p tcp -m tcp --dport 80 -j REDIRECT --to-ports 8080
COMMIT
"""

# A dump, a TARGET, who publishes it, at which address and port, and where it goes.
PUBLISHED: list[tuple[str, str, list[tuple[str, str | None, int, list[str]]]]] = [
    (
        DOCKERSHIM,
        ":8080",
        [("dockershim host port, nginx_default hostport 8080", None, 8080, ["10.244.0.9"])],
    ),
    (
        DOCKERSHIM,
        "KUBE-HP-ABC",
        [("dockershim host port, nginx_default hostport 8080", None, 8080, ["10.244.0.9"])],
    ),
    (OVN, ":31000", [("OVN-Kubernetes", None, 31000, ["172.30.1.2"])]),
    (OVN, "203.0.113.9", [("OVN-Kubernetes", "203.0.113.9", 80, ["172.30.1.1"])]),
    (OVN, "203.0.113.9:80", [("OVN-Kubernetes", "203.0.113.9", 80, ["172.30.1.1"])]),
    (OVN, "203.0.113.9:81", []),
    (DOCKER, ":5000", [("Docker", None, 5000, ["172.17.0.2"])]),
    (DOCKER, "DOCKER", [("Docker", None, 5000, ["172.17.0.2"])]),
    (REDIRECT, ":80", [("a rule of PREROUTING", None, 80, [])]),
]


@pytest.mark.parametrize(("text", "target", "expected"), PUBLISHED)
def test_what_others_publish_is_theirs(
    text: str, target: str, expected: list[tuple[str, str | None, int, list[str]]]
) -> None:
    result = iptviz.trace(iptviz.load(text.encode()), target)
    assert [
        (one.owner, one.frontend.address, one.frontend.port, [end.address for end in one.usual.endpoints])
        for one in result.services
    ] == expected


def test_of_many_published_ports_those_are_followed_that_others_claim() -> None:
    rule = "-A DOCKER -p tcp -m tcp --dport {} -j DNAT --to-destination 172.17.0.3:{}\n"
    many = "".join(rule.format(port, port) for port in (*range(6000, 6100), 6007))
    found = iptviz.services(
        iptviz.load(DOCKER.replace("COMMIT", many + "COMMIT").encode()), published=True
    ).published
    assert [(port.ports, [rule.line for rule in port.taken_by]) for port in found if port.taken_by] == [
        ("6007", [14])
    ]


def test_what_is_redirected_stays_on_this_node() -> None:
    _, notes = answers(REDIRECT, ":80")
    assert notes.endswith("line 3: connections to :80/tcp go to a port of this node")
