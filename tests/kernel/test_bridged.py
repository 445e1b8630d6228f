"""The kernel judges what stays on a bridge: DNAT to a neighbour is bridged, and takes nothing off the time to live."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import time
import uuid
from typing import TYPE_CHECKING, Any

import pytest

import iptviz
from tests.kernel.frames import CLIENT_MAC, ROUTER_MAC, SERVER_MAC, Sent, frame
from tests.kernel.lab import BACKENDS, Node
from tests.kernel.namespaces import inside
from tests.kernel.test_packets import matched, predicted

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.kernel.test_packets import Rules

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("kernel")]

RULES = """*nat
-A PREROUTING -d 10.96.0.10/32 -p udp -j DNAT --to-destination 10.245.0.3:8080
COMMIT
*mangle
-A FORWARD -i br0 -o br0 -p udp -m ttl --ttl-eq 64
-A FORWARD -i br0 -o br0 -p udp -m ttl --ttl-eq 63 -j DROP
-A FORWARD -p udp
-A INPUT -p udp
-A POSTROUTING -p udp -m ttl --ttl-lt 2
-A POSTROUTING -p udp
COMMIT
*raw
-A OUTPUT -j DROP
COMMIT
"""
HOST = "10.245.0.1"
COMMANDS = """link set lo up
link add br0 type bridge
link set br0 address {router}
link add cli type veth peer name c0 address {client} netns {ends}
link add srv type veth peer name s0 address {server} netns {ends}
link set cli master br0
link set srv master br0
link set cli up
link set srv up
link set br0 up
addr add 10.245.0.1/24 dev br0
neigh add 10.245.0.2 lladdr {client} dev br0
neigh add 10.245.0.3 lladdr {server} dev br0
-n {ends} link set c0 up
-n {ends} link set s0 up"""
QUIET = ("net.ipv6.conf.all.disable_ipv6=1", "net.ipv6.conf.default.disable_ipv6=1")
FORWARDING = ("net.ipv4.ip_forward=1", "net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.br0.rp_filter=0")


def _mac(mac: bytes) -> str:
    return ":".join(f"{byte:02x}" for byte in mac)


@contextlib.contextmanager
def bridge(backend: str) -> Iterator[tuple[Node, socket.socket]]:
    """Make a node with a bridge of two ports, and a socket behind one of them."""
    name, ends = (f"iptviz-{uuid.uuid4().hex[:8]}" for _ in range(2))
    for one in (name, ends):
        subprocess.run(["ip", "netns", "add", one], check=True)
    try:
        node = Node(name, backend, 4)
        subprocess.run(["ip", "netns", "exec", ends, "sysctl", "-qw", *QUIET], check=True)
        node.run("sysctl", "-qw", *QUIET)
        macs = {"router": ROUTER_MAC, "client": CLIENT_MAC, "server": SERVER_MAC}
        for command in COMMANDS.format(
            ends=ends, **{who: _mac(mac) for who, mac in macs.items()}
        ).splitlines():
            node.run("ip", *command.split())
        node.run("sysctl", "-qw", *FORWARDING)
        with inside(ends):
            client = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
            client.bind(("c0", 0))
        with client:
            yield node, client
    finally:
        for one in (name, ends):
            subprocess.run(["ip", "netns", "del", one], check=False)


def counted(node: Node, client: socket.socket, sent: Sent, before: iptviz.Dump) -> tuple[Rules, iptviz.Dump]:
    """Send a packet to the router; the rules that count it, for which it may take a moment."""
    client.send(frame(sent, (CLIENT_MAC, ROUTER_MAC)))
    found, after = matched(before, before), before
    for _ in range(5):
        time.sleep(0.02)
        after = iptviz.load(node.save("-c").encode())
        found = matched(before, after)
        if any(chain == "POSTROUTING" for _, chain, _ in found):
            break
    return found, after


@pytest.mark.parametrize("backend", BACKENDS)
def test_what_dnat_sends_to_a_neighbour_may_be_bridged(backend: str, tmp_path: Path) -> None:
    truths: dict[tuple[int, str], Rules] = {}
    with bridge(backend) as (node, client):
        node.load(RULES)
        for name, command in {"addresses": "addr", "routes": "route"}.items():
            (tmp_path / name).write_text(node.run("ip", command))
        before = iptviz.load(node.save("-c").encode())
        for called, ttl in ((1, 64), (1, 1), (0, 64), (0, 1)):
            node.run("sysctl", "-qw", f"net.bridge.bridge-nf-call-iptables={called}")
            sent = Sent("10.96.0.10", "udp", 4000 + 10 * called + ttl, 80, source="10.245.0.2", ttl=ttl)
            truths[ttl, str(called)], before = counted(node, client, sent, before)
    files = {name: str(tmp_path / name) for name in ("addresses", "routes")}
    (tmp_path / "off").write_text("net.bridge.bridge-nf-call-iptables = 0\n")
    question: dict[str, Any] = {
        "src": "10.245.0.2", "dst": "10.96.0.10", "protocol": "udp", "sport": 4000, "dport": 80, "in_iface": "br0",
        "mark": 0, **files,
    }  # fmt: skip
    for ttl in (64, 1):
        told = iptviz.packet(before, **question, ttl=ttl).outcomes
        said = {
            need.holds: predicted(one)
            for one in told
            for need in one.when
            if need.condition.kind == "bridged"
        }
        assert said == {True: truths[ttl, "1"], False: truths[ttl, "0"]}
        (only,) = iptviz.packet(before, **question, ttl=ttl, sysctl=str(tmp_path / "off")).outcomes
        assert predicted(only) == truths[ttl, "0"]
    assert truths[1, "1"]["mangle", "POSTROUTING", 1] == 1  # it leaves with what it came with


TO_ITSELF = """*nat
-A PREROUTING -d 10.96.0.11/32 -p udp -j DNAT --to-destination 10.245.0.2:8080
-A POSTROUTING -p udp
COMMIT
*filter
-A FORWARD -p udp
COMMIT
*raw
-A OUTPUT -j DROP
COMMIT
"""
"""What a pod sends to itself through a service."""


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_bridge_sends_back_by_the_port_from_which_it_came_in_hairpin_mode(
    backend: str, tmp_path: Path
) -> None:
    truths: dict[tuple[bool, bool], Rules] = {}
    with bridge(backend) as (node, client):
        node.load(TO_ITSELF)
        for name, command in {"addresses": "addr", "routes": "route"}.items():
            (tmp_path / name).write_text(node.run("ip", command))
        before = iptviz.load(node.save("-c").encode())
        for called, hairpin in ((True, False), (True, True), (False, False)):
            node.run("sysctl", "-qw", f"net.bridge.bridge-nf-call-iptables={int(called)}")
            node.run("ip", *f"link set cli type bridge_slave hairpin {('off', 'on')[hairpin]}".split())
            sent = Sent("10.96.0.11", "udp", 4000 + 10 * called + hairpin, 80, source="10.245.0.2")
            truths[called, hairpin], before = counted(node, client, sent, before)
    told = iptviz.packet(
        before, src="10.245.0.2", dst="10.96.0.11", protocol="udp", sport=4000, dport=80, in_iface="br0", mark=0,
        addresses=str(tmp_path / "addresses"), routes=str(tmp_path / "routes"),
    ).outcomes  # fmt: skip
    said = {}
    for one in told:
        holds = {need.condition.kind: need.holds for need in one.when}
        said[holds["bridged"], holds.get("hairpin", False)] = one.verdict, predicted(one)
    assert {case: rules for case, (_, rules) in said.items()} == truths
    assert [case for case, (verdict, _) in said.items() if verdict == "DROP"] == [(True, False)]
