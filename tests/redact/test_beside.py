"""What is supplied beside a dump goes into the same pseudonyms: the answers stay, and tell nothing."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

import iptviz
from iptviz.cli.app import app
from tests import kubeproxy
from tests.kubectl import HERE, THERE, objects
from tests.kubeproxy.cluster import Cluster

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("known_keys")

RULES = """\
*filter
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
-A FORWARD -m set --match-set clients src,src -j DROP
-A FORWARD -m set --match-set bigger dst,dst -j DROP
-A FORWARD -m set --match-set all src -j DROP
-A FORWARD -m set --match-set makers src,src -j DROP
-A FORWARD -m recent --rcheck --name seen --mask 255.255.255.255 --rsource -j DROP
-A FORWARD -m recent --rcheck --name DEFAULT --mask 255.255.255.255 --rsource -j DROP
-A FORWARD -i uplink7 -o tunnel8 -j ACCEPT
-A FORWARD -s 198.18.5.0/24 -m iprange --dst-range 198.19.0.10-198.19.0.40 -j DROP
-A FORWARD -j REJECT
COMMIT
"""
SETS = """\
create clients hash:net,iface family inet hashsize 1024 maxelem 65536 comment
add clients 198.18.1.0/24,uplink7 comment "paying ones"
create bigger hash:ip,port family inet hashsize 1024 maxelem 65536
add bigger 198.19.9.9,tcp:443
create members hash:net family inet hashsize 1024 maxelem 65536
add members 198.18.2.0/24
create makers hash:ip,mac hashsize 1024 maxelem 65536
add makers 198.18.3.3,00:1B:21:AA:BB:CC
create all list:set size 8
add all members
"""
LISTED = """\
Name: bigger
Type: hash:ip,port
Header: family inet hashsize 1024 maxelem 65536
Members:
198.19.9.9,tcp:443

Name: clients
Type: hash:net,iface
Header: family inet hashsize 1024 maxelem 65536
Members:
198.18.1.0/24,uplink7
Name: members
Type: hash:net
Header: family inet hashsize 1024 maxelem 65536
Members:
198.18.2.0/24
Name: all
Type: list:set
Header: size 8
Members:
members
Name: makers
Type: hash:ip,mac
Header: family inet hashsize 1024 maxelem 65536
Members:
198.18.3.3,00:1B:21:AA:BB:CC
"""
ENTRY = "src={} ttl: 64 last_seen: 4295000000 oldest_pkt: 1 4295000000\n"
RECENT = (
    f"==> /proc/net/xt_recent/seen <==\n{ENTRY.format('198.18.4.4')}\n==> /proc/net/xt_recent/DEFAULT <==\n"
)
ROUTES = "default via 198.19.0.1 dev uplink7\n198.19.0.0/16 dev tunnel8 scope link\n"
ADDRESSES = "2: uplink7: <UP> mtu 1500\n    inet 198.18.0.1/24 brd 198.18.0.255 scope global uplink7\n"
SECRET = re.compile(
    r"198\.1[89]\.|uplink7|tunnel8|clients|bigger|members|makers|1B:21:AA|seen\b|paying|default/|shop|node-[12]\b"
)


def run(*arguments: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, arguments)
    return done.exit_code, done.stdout, done.stderr


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    texts = {
        "dump.rules": RULES, "sets": SETS, "listed": LISTED, "recent": RECENT, "one": ENTRY.format("198.18.6.6"),
        "routes": ROUTES, "addresses": ADDRESSES,
    }  # fmt: skip
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def files(folder: Path, ipset: str = "sets", recent: str = "recent") -> list[str]:
    named = {"--ipset": ipset, "--recent": recent, "--routes": "routes", "--addresses": "addresses"}
    return [word for option, name in named.items() for word in (option, str(folder / name))]


def fates(text: str) -> list[tuple[str, str, int | None]]:
    """Return what becomes of a packet: verdict, exact share and line of each outcome."""
    found: list[dict[str, Any]] = json.loads(text)["outcomes"]
    return [(one["verdict"], one["exact"], one["line"]) for one in found]


PACKETS = {
    "in a set of networks and interfaces": ("198.18.1.9", "198.19.1.1", ()),
    "in a set of addresses and ports": ("198.18.9.9", "198.19.9.9", ()),
    "in a set of sets": ("198.18.2.9", "198.19.1.1", ()),
    "in a set of hardware addresses": ("198.18.3.3", "198.19.1.1", ("--mac", "00:1b:21:aa:bb:cc")),
    "in a recent list": ("198.18.4.4", "198.19.1.1", ()),
    "by its route": ("198.18.5.5", "198.19.1.1", ()),
    "in a range": ("198.18.5.5", "198.19.0.20", ()),
    "to the node": ("198.18.5.5", "198.18.0.1", ()),
}


@pytest.mark.parametrize("name", PACKETS)
@pytest.mark.parametrize("ipset", ["sets", "listed"])
def test_a_packet_with_all_that_is_known_comes_to_the_same(folder: Path, name: str, ipset: str) -> None:
    source, destination, more = PACKETS[name]
    asked = [
        "packet", str(folder / "dump.rules"), "--src", source, "--dst", destination, "--protocol", "tcp", "--dport", "443",
        "--sport", "40000", "--in", "uplink7", "--mark", "0", *more, *files(folder, ipset),
    ]  # fmt: skip
    status, plain, _ = run(*asked, "--json")
    assert status == 0
    status, text, _ = run(*asked, "--json", "--redact")
    assert status == 0
    assert fates(text) == fates(plain)
    assert not SECRET.search(text), SECRET.search(text)
    status, text, _ = run(*asked, "--redact")
    assert (status, SECRET.search(text)) == (0, None)


def test_each_of_those_packets_meets_another_rule(folder: Path) -> None:
    lines = set()
    for source, destination, more in PACKETS.values():
        asked = [
            "--src",
            source,
            "--dst",
            destination,
            "--protocol",
            "tcp",
            "--dport",
            "443",
            "--in",
            "uplink7",
        ]
        _, text, _ = run("packet", str(folder / "dump.rules"), *asked, *more, *files(folder), "--json")
        lines |= {(verdict, line) for verdict, _, line in fates(text)}
    assert {line for verdict, line in lines if verdict == "DROP"} >= {5, 6, 7, 8, 9}
    assert {verdict for verdict, _ in lines} >= {"DROP", "ACCEPT"}


def test_one_list_without_a_heading_is_the_default_one(folder: Path) -> None:
    asked = [
        "packet", str(folder / "dump.rules"), "--src", "198.18.6.6", "--dst", "198.19.1.1", "--protocol", "tcp",
        "--dport", "443", "--in", "uplink7", *files(folder, recent="one"), "--assume",
        "source is not in the recent list seen (--mask 255.255.255.255 --rsource) at line 9", "--json",
    ]  # fmt: skip
    plain, text = run(*asked)[1], run(*asked, "--redact")[1]
    assert fates(plain) == fates(text)
    assert ("DROP", "1/1", 10) in fates(plain)


ASSUMPTIONS = [
    "source in 198.18.5.0/24", "input interface is uplink7", "output interface is not tunnel8",
    "packet is in ipset clients src,src", "source is in the recent list seen (--mask 255.255.255.255 --rsource)",
    "destination in 198.19.0.10-198.19.0.40",
]  # fmt: skip


@pytest.mark.parametrize("condition", ASSUMPTIONS)
def test_a_condition_that_is_assumed_is_put_into_pseudonyms(folder: Path, condition: str) -> None:
    asked = ["packet", str(folder / "dump.rules"), "--protocol", "tcp", "--assume", condition]
    _, plain, _ = run(*asked, "--json")
    status, text, _ = run(*asked, "--json", "--redact")
    assert (status, fates(text)) == (0, fates(plain))
    assert fates(plain) != fates(run(*asked[:-2], "--json")[1])
    assert not SECRET.search(text), SECRET.search(text)


@pytest.mark.parametrize(
    "condition",
    [
        "packet matches somebody's words",
        "hashlimit-above 3/sec hashlimit-name clients at line 3 is exceeded",
    ],
)
def test_a_condition_that_may_hold_a_name_without_a_pseudonym_is_refused(
    folder: Path, condition: str
) -> None:
    asked = ["packet", str(folder / "dump.rules"), "--protocol", "tcp", "--assume", condition]
    assert run(*asked, "--json")[0] == 0
    status, text, message = run(*asked, "--json", "--redact")
    assert (status, text) == (2, "")
    assert "cannot redact" in message


def test_a_file_that_is_none_is_said_and_nothing_is_answered(folder: Path) -> None:
    asked = [
        "packet",
        str(folder / "dump.rules"),
        "--dst",
        "198.19.1.1",
        "--routes",
        "missing.txt",
        "--redact",
    ]
    status, text, message = run(*asked)
    assert (status, text, "missing.txt: cannot be read" in message) == (2, "", True)


# --- the API -------------------------------------------------------------------------------------------------------


def clusters() -> tuple[Cluster, Cluster]:
    """Return a cluster, and the same with other endpoints, ports and frontends."""
    here = kubeproxy.numbered(3, 3, name="shop", affinity=600).services
    there = kubeproxy.numbered(
        1, 4, name="shop", external_ips=("198.19.7.7",), local_only=True, local=1
    ).services
    return Cluster((*kubeproxy.basics(), *here)), Cluster((*kubeproxy.basics(), *there))


@pytest.mark.parametrize("commented", [True, False])
@pytest.mark.parametrize("format_name", ["table", "json", "csv", "markdown", "html"])
def test_what_differs_from_the_api_stays_the_same(
    tmp_path: Path, format_name: str, *, commented: bool
) -> None:
    old, new = clusters()
    text = kubeproxy.saved(old)
    if not commented:
        text = re.sub(r'-m comment --comment "[^"]*" ', "", text)
    (tmp_path / "dump.rules").write_text(text)
    (tmp_path / "api.json").write_text(json.dumps({"kind": "List", "items": objects(new)}))
    asked = ["verify", str(tmp_path / "dump.rules"), str(tmp_path / "api.json"), "--node", HERE, "-f"]
    plain = iptviz.verify(iptviz.load(str(tmp_path / "dump.rules")), [str(tmp_path / "api.json")], node=HERE)
    assert len(plain.differences) >= 5
    status, answer, message = run(*asked, format_name, "--redact")
    assert (status, message) == (1, "")
    assert not SECRET.search(answer), SECRET.search(answer)
    found = json.loads(run(*asked, "json", "--redact")[1])["differences"]
    assert sorted((one["kind"], one["line"] or 0) for one in found) == sorted(
        (one.kind, one.line or 0) for one in plain.differences
    )


def test_where_dump_and_api_agree_they_agree_in_pseudonyms(tmp_path: Path) -> None:
    (tmp_path / "dump.rules").write_text(kubeproxy.saved(clusters()[1]))
    (tmp_path / "api.json").write_text(json.dumps({"kind": "List", "items": objects(clusters()[1])}))
    for node in (HERE, THERE):
        asked = ["verify", str(tmp_path / "dump.rules"), str(tmp_path / "api.json"), "--node", node]
        plain, redacted = run(*asked), run(*asked, "--redact")
        assert plain[0] == redacted[0] == (0 if node == HERE else 1)


# --- lists of services, older dumps ------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", [("trace", "default/shop-0"), ("services",)])
def test_names_from_a_list_become_pseudonyms(tmp_path: Path, command: tuple[str, ...]) -> None:
    cluster = Cluster(kubeproxy.numbered(2, 2, name="shop", port_name="http", namespace="default").services)
    (tmp_path / "dump.rules").write_text(
        re.sub(r'-m comment --comment "[^"]*" ', "", kubeproxy.saved(cluster))
    )
    (tmp_path / "names").write_text("".join(f"default/{one.name}:http\n" for one in cluster.services))
    target = (f"default/{cluster.services[0].name}",) if command[0] == "trace" else ()
    asked = [command[0], *target, str(tmp_path / "dump.rules"), "--services", str(tmp_path / "names")]
    status, plain, _ = run(*asked)
    assert (status, "default/" in plain) == (0, True)
    status, text, _ = run(*asked, "--redact")
    assert (status, len(text.splitlines())) == (0, len(plain.splitlines()))
    assert re.search(r"ns-\w+/svc-\w+:p-\w+", text)
    assert not re.search(r"default/|shop|10\.97\.", text)


def test_an_older_dump_is_put_into_the_same_pseudonyms(tmp_path: Path) -> None:
    with open("fixtures/httpd-nft/dump.rules", encoding="utf-8") as file:  # noqa: PTH123
        old = file.read()
    new = re.sub(
        r"\[(\d+):(\d+)\] -A KUBE-S", lambda found: f"[{int(found[1]) + 250}:{found[2]}] -A KUBE-S", old
    )
    for name, text in (("old", old), ("new", new)):
        (tmp_path / name).write_text(text)
    mapping = tmp_path / "secret.json"
    asked = ["trace", "10.97.13.198", str(tmp_path / "new"), "--since", str(tmp_path / "old")]
    plain = run(*asked)[1]
    assert "1,000 connections: consistent with the expected shares" in plain
    status, text, _ = run(*asked, "--redact", "--map", str(mapping))
    assert status == 0
    assert re.search(r"Observed .*", text)[0] == re.search(r"Observed .*", plain)[0]  # type: ignore[index]
    assert not re.search(r"10\.97|10\.244|httpd", text)
    assert json.loads(mapping.read_text())["addresses"]["10.97.13.198"]


OWN = """\
1: lo: <LOOPBACK,UP> mtu 65536
    link/loopback 00:00:00:00:00:00 brd 00:00:00:00:00:00
    inet 127.0.0.1/8 scope host lo
2: uplink7: <UP> mtu 1500
    link/ether 00:1b:21:aa:bb:01 brd ff:ff:ff:ff:ff:ff
    inet 198.18.9.1/24 scope global uplink7
    inet6 fd00::1/64 scope global
3: tunnel8@if4: <UP> mtu 1500
    link/ether 00:1b:21:aa:bb:02 brd ff:ff:ff:ff:ff:ff
    inet 198.19.9.1/24 scope global tunnel8
"""
SENT_ON = RULES + "*nat\n-A POSTROUTING -o tunnel8 -j MASQUERADE\nCOMMIT\n"
FORMS = {
    "ip addr": OWN,
    "ip -o addr": "2: uplink7    inet 198.18.9.1/24 scope global uplink7\n3: tunnel8    inet 198.19.9.1/24 scope global tunnel8\n",
    "ip -j addr": json.dumps(
        [
            {"ifname": name, "addr_info": [{"local": own, "prefixlen": 24, "scope": "global"}]}
            for name, own in (("uplink7", "198.18.9.1"), ("tunnel8", "198.19.9.1"))
        ]
    ),
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_interfaces_of_addresses_and_settings_keep_their_pseudonyms(folder: Path, form: str) -> None:
    texts = {
        "dump": SENT_ON, "addresses": FORMS[form], "routes": "default dev tunnel8\n198.18.0.0/16 dev uplink7\n",
        "sysctl": "kernel.hostname = clients\nnet.ipv4.conf.tunnel8.forwarding = 0\nnet.ipv4.conf.uplink7.forwarding = 1\n",
    }  # fmt: skip
    for name, text in texts.items():
        (folder / f"{name}.own").write_text(text)
    beside = [
        word
        for name in ("addresses", "routes", "sysctl")
        for word in (f"--{name}", str(folder / f"{name}.own"))
    ]
    about = ["--src", "198.18.6.6", "--dst", "198.19.1.1", "--protocol", "tcp", "--ctstate", "NEW"]
    for interface, verdict in (("uplink7", "ACCEPT"), ("tunnel8", "DROP")):
        asked = ["packet", str(folder / "dump.own"), *about, "--in", interface, *beside, "--json"]
        plain, hidden = (json.loads(run(*asked, *more)[1]) for more in ((), ("--redact",)))
        assert {one["verdict"] for one in plain["outcomes"]} >= {verdict}
        assert [(one["verdict"], one["exact"], one["snat"] is None) for one in plain["outcomes"]] == [
            (one["verdict"], one["exact"], one["snat"] is None) for one in hidden["outcomes"]
        ]
        sources = [{one["snat"] for one in document["outcomes"]} - {None} for document in (plain, hidden)]
        assert sources[0] == ({"198.19.9.1"} if verdict == "ACCEPT" else set())
        assert not sources[1] & {"MASQUERADE", "198.19.9.1"}
        assert not re.search(r"uplink7|tunnel8|198\.1[89]\.", json.dumps(hidden))


NAT = """*nat
:PREROUTING ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
-A PREROUTING -d 198.18.0.10/32 -p tcp -j DNAT --to-destination 198.19.7.7:8080
-A POSTROUTING -o tunnel8 -j MASQUERADE
COMMIT
*filter
:FORWARD ACCEPT [0:0]
-A FORWARD -d 198.19.7.7/32 -m connmark --mark 0x7 -j DROP
COMMIT
"""
CONNECTIONS = (
    "tcp 6 99 ESTABLISHED src=198.18.5.5 dst=198.18.0.10 sport=4000 dport=80 src=198.19.7.7 dst=198.19.0.1 sport=8080 "
    "dport=4000 [ASSURED] mark=7 secctx=paying helper=shop use=1\n"
)


@pytest.mark.parametrize("cut", [0, 30])
def test_a_list_of_connections_says_the_same_in_pseudonyms(tmp_path: Path, cut: int) -> None:
    (tmp_path / "dump.rules").write_text(NAT)
    (tmp_path / "paying").write_text(CONNECTIONS + CONNECTIONS[:cut])
    typed = (
        "packet", str(tmp_path / "dump.rules"), "--dst", "198.18.0.10", "--protocol", "tcp", "--dport", "80", "--mark", "0",
        "--conntrack", str(tmp_path / "paying"), "--json",
    )  # fmt: skip
    for source, port in (("198.18.5.5", "4000"), ("198.18.5.6", "4001")):
        words = (*typed, "--src", source, "--sport", port)
        plain, hidden = run(*words), run(*words, "--redact")
        assert plain[0] == hidden[0] == 0
        assert fates(plain[1]) == fates(hidden[1])
        assert not SECRET.search(hidden[1])


def test_conditions_about_connections_are_told_in_pseudonyms(tmp_path: Path) -> None:
    (tmp_path / "dump.rules").write_text(NAT)
    words = (
        "packet", str(tmp_path / "dump.rules"), "--src", "198.18.5.5", "--dst", "198.18.0.10", "--protocol", "tcp", "--sport",
        "4000", "--dport", "80", "--mark", "0", "--ctstate", "ESTABLISHED", "--json", "--assume",
        "the connection was DNATed to 198.19.7.7:8080",
    )  # fmt: skip
    plain, hidden = run(*words), run(*words, "--redact")
    assert plain[0] == hidden[0] == 0
    assert fates(plain[1]) == fates(hidden[1])
    assert not SECRET.search(hidden[1])


@pytest.mark.parametrize(
    ("option", "text"),
    [("--conntrack", "tcp 6 5 ESTABLISHED src=198.18.5.5 paying\n"), ("--routes", "paying via 198.18.5.5\n")],
)
def test_what_cannot_be_read_is_not_shown_with_redact(tmp_path: Path, option: str, text: str) -> None:
    (tmp_path / "dump.rules").write_text(NAT)
    (tmp_path / "beside").write_text(text)
    words = (
        "packet",
        str(tmp_path / "dump.rules"),
        "--dst",
        "198.18.0.10",
        option,
        str(tmp_path / "beside"),
        "--redact",
    )
    printed = CliRunner().invoke(app, words)
    assert printed.exit_code == 2
    assert "beside:1: " in printed.stderr
    assert "its text is not shown with --redact" in printed.stderr
    assert not SECRET.search(printed.stderr)
