"""The addresses of each interface, and the one of them that MASQUERADE makes the source."""

from __future__ import annotations

import json
from typing import Any

import pytest

import iptviz
from iptviz.engine.path import steps_of
from iptviz.supplied.addresses import read_addresses
from iptviz.supplied.files import Supplied
from iptviz.xtables.values.addresses import show_network
from tests.engine.test_journey import ask

PLAIN = """\
1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue state UNKNOWN
    link/loopback 00:00:00:00:00:00 brd 00:00:00:00:00:00
    inet 127.0.0.1/8 scope host lo
3: srv@if7: <BROADCAST,MULTICAST,UP> mtu 1500 qdisc noqueue state UP
    link/ether 02:00:00:00:00:02 brd ff:ff:ff:ff:ff:ff
    inet 10.2.0.1/24 brd 10.2.0.255 scope global srv
       valid_lft forever preferred_lft forever
    inet 10.2.0.9/24 scope global secondary srv:1
    inet 10.2.0.8 peer 10.2.0.7/32 scope link srv
    inet6 fd10:2::9/64 scope global deprecated
"""
ONE_LINE = """\
1: lo    inet 127.0.0.1/8 scope host lo\\       valid_lft forever preferred_lft forever
3: srv    inet 10.2.0.1/24 brd 10.2.0.255 scope global srv\\       valid_lft forever preferred_lft forever
3: srv    inet 10.2.0.9/24 scope global secondary srv:1\\       valid_lft forever preferred_lft forever
3: srv    inet 10.2.0.8 peer 10.2.0.7/32 scope link srv\\       valid_lft forever preferred_lft forever
3: srv    inet6 fd10:2::9/64 scope global deprecated \\       valid_lft 9sec preferred_lft 0sec
"""
INFOS = [
    {"family": "inet", "local": "10.2.0.1", "prefixlen": 24, "scope": "global", "label": "srv"},
    {"family": "inet", "local": "10.2.0.9", "prefixlen": 24, "scope": "global", "secondary": True},
    {"family": "inet", "local": "10.2.0.8", "address": "10.2.0.7", "prefixlen": 32, "scope": "link"},
    {"family": "inet6", "local": "fd10:2::9", "prefixlen": 64, "scope": "global", "deprecated": True},
    {},
]
JSON = json.dumps(
    [
        {"ifname": "lo", "addr_info": [{"local": "127.0.0.1", "prefixlen": 8, "scope": "host"}]},
        {"ifname": "srv", "addr_info": INFOS},
        {},
    ]
)


@pytest.mark.parametrize("text", [PLAIN, ONE_LINE, JSON])
def test_each_interface_has_its_addresses(text: str) -> None:
    found = {
        name: [(show_network(one.address), one.scope, one.first) for one in addresses]
        for name, addresses in read_addresses(text, "host").by_interface.items()
    }
    assert found == {
        "lo": [("127.0.0.1/32", "host", True)],
        "srv": [
            ("10.2.0.1/32", "global", True), ("10.2.0.9/32", "global", False), ("10.2.0.8/32", "link", True),
            ("fd10:2::9/128", "global", False),
        ],
    }  # fmt: skip


@pytest.mark.parametrize(
    "text", ["10.2.0.1\n", "srv  UP  10.2.0.1/24\n", "    inet 10.2.0.1/24 scope global srv\n"]
)
def test_some_lists_do_not_tell_whose_addresses_they_are(text: str) -> None:
    assert read_addresses(text, "host").by_interface == {}


MASQUERADE = "nat|-A POSTROUTING -j MASQUERADE"


def source(text: str, **about: Any) -> str | None:
    (outcome,) = ask(MASQUERADE, addresses=Supplied(text, "addresses"), local_ips=(), **about).outcomes
    return outcome.packet.snat


def test_the_source_is_the_only_wide_address_of_the_interface() -> None:
    assert source(PLAIN) == "10.2.0.1"
    assert source(PLAIN, out_iface=None, routes=Supplied("10.2.0.0/24 dev srv\n", "routes")) == "10.2.0.1"
    (outcome,) = ask(MASQUERADE, addresses=Supplied(PLAIN, "addresses"), local_ips=()).outcomes
    assert steps_of(outcome.path)[0][-1].effect == "MASQUERADE (SNAT to 10.2.0.1 of srv)"


@pytest.mark.parametrize(
    ("text", "about"),
    [
        (PLAIN, {"out_iface": None}),
        (PLAIN, {"out_iface": "lo"}),
        (PLAIN, {"out_iface": "other"}),
        (f"{PLAIN}    inet 10.3.0.1/24 scope global srv\n", {}),
        (f"{PLAIN}    inet 10.3.0.1/24\n", {}),
    ],
)
def test_where_there_is_a_doubt_it_stays_open(text: str, about: dict[str, Any]) -> None:
    assert source(text, **about) == "MASQUERADE"


def test_of_ipv6_an_old_address_leaves_a_doubt() -> None:
    rules = b"*nat\n-A POSTROUTING -s fd10:1::/64 -j MASQUERADE\nCOMMIT\n"
    about: dict[str, Any] = {"src": "fd10:1::2", "dst": "fd10:8::2", "protocol": "tcp", "out_iface": "srv"}
    found = []
    for line in ("fd10:2::1/64 scope global", "fd10:2::1/64 scope global temporary", "fe80::1/64 scope link"):
        text = f"3: srv: <UP> mtu 1500\n    inet6 {line}\n"
        given = Supplied(text, "addresses")
        outcomes = iptviz.packet(iptviz.load(rules), **about, addresses=given).outcomes
        found.append({one.packet.snat for one in outcomes})
    assert found == [{"fd10:2::1"}, {"MASQUERADE"}, {"MASQUERADE"}]


def test_a_neighbour_on_the_link_gets_another_source() -> None:
    rules = b"*nat\n-A POSTROUTING -s fd10:1::/64 -j MASQUERADE\nCOMMIT\n"
    text = Supplied("3: srv: <UP> mtu 1500\n    inet6 fd10:2::1/64 scope global\n", "addresses")
    outcomes = iptviz.packet(
        iptviz.load(rules), src="fd10:1::2", dst="fe80::2", protocol="tcp", out_iface="srv", addresses=text
    ).outcomes
    assert {one.packet.snat for one in outcomes} == {"MASQUERADE"}
