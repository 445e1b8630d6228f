"""Listings of nft in pseudonyms: nothing of the original is left, and what it says is the same."""

from __future__ import annotations

import json
import re
import time
from base64 import b32encode
from hashlib import sha256
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import iptviz
from iptviz.engine.path import steps_of
from iptviz.node.load import load_node
from iptviz.redact.names import Names
from iptviz.redact.native.lines import LineWriter
from iptviz.redact.native.text import TextWriter
from iptviz.redact.native.words import NativeWords
from iptviz.redact.pseudonyms import Pseudonyms
from iptviz.redact.secrets import Secrets
from iptviz.redact.snapshot import hidden, listings_of
from tests.nft.test_listings import without_what_json_lacks
from tests.nft.told import LISTINGS, listing, ruleset_of, told

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iptviz.node.snapshot import Snapshot

KEY = bytes(range(32))
PLANTED = Path(__file__).parent / "planted"
TEXT = (PLANTED / "all.nft").read_text()
JSON = (PLANTED / "all.json").read_text()
MARKS = re.compile(r"secret|203\.0\.113\.|2001[:.]db8[:.]5ec|de:ad:be|cb0071|A{7}[A-E]-", re.IGNORECASE)
"""What stands in the place of everything that has a name or an address."""

OF_KUBE_PROXY = sorted(path.name for path in LISTINGS.iterdir() if path.name.startswith(("every", "ipv6")))


def redacted(text: str, **options: Any) -> str:
    return Pseudonyms(None, Secrets(KEY), listings=[text], **options).listing(text)


def left(text: str) -> list[str]:
    return [found[0] for found in MARKS.finditer(text)]


# --- nothing is left -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", [TEXT, JSON], ids=["text", "json"])
@pytest.mark.parametrize("ports", [False, True])
def test_nothing_of_the_original_is_left(text: str, *, ports: bool) -> None:
    assert len(left(text)) > 100
    assert left(redacted(text, ports=ports)) == []


def test_text_that_is_none_of_nfts_is_not_there() -> None:
    around = f"secret prompt $ cat secret\n{TEXT}\nsecret: not found\nflush ruleset; ip secret\n"
    text = redacted(around)
    assert left(text) == []
    assert text.count("\n") == around.count("\n")
    text = redacted(f"secret prompt\n{JSON}\n203.0.113.5\n")
    assert left(text) == []
    assert len(ruleset_of(text).tables) == 2


def test_commands_tell_nothing() -> None:
    commands = """#!/usr/sbin/nft -f
# a secret comment
add table ip secret-table
add chain ip secret-table secret-chain { type filter hook input priority 0; comment "secret"; }
add set ip secret-table secret-set { type ipv4_addr . inet_service; flags interval; }
add element ip secret-table secret-set { 203.0.113.4 . 80 comment "secret", 203.0.113.5 . 90 }
add rule ip secret-table secret-chain ip saddr . tcp dport @secret-set iifname secret0 log prefix "secret" drop
insert rule ip secret-table secret-chain position 3 ip saddr secret.example.com accept
define secret = { 203.0.113.1 }
add counter ip secret-table secret-counter
add rule ip secret-table secret-chain ip saddr 0xcb007105 ip daddr != 0xCB007109 accept
delete chain ip secret-table secret-old
nft add map ip secret-table secret-map { typeof ip saddr : ip daddr \\; }
add rule ip secret-table secret-chain meta skuid secret ct label secret meta priority secret:secret accept
"""
    text = redacted(commands)
    assert left(text) == []
    assert text.count("\n") == commands.count("\n")
    assert [*told(ruleset_of(text))]


PLACES = [found.start() for found in re.finditer(r"[\s{},;\".:=-]", TEXT)]


@given(st.data())
def test_nothing_is_left_of_what_was_cut_and_put_together(data: st.DataObject) -> None:
    pieces = []
    for _ in range(data.draw(st.integers(1, 4))):
        start, end = sorted((data.draw(st.sampled_from(PLACES)), data.draw(st.sampled_from(PLACES))))
        pieces.append(TEXT[start : min(end, start + 3000)])
    text = data.draw(
        st.sampled_from(["", "\n", " ", '"', "{", "}", ";", "#", "\\\n", "table ip x {\n"])
    ).join(pieces)
    assert left(redacted(text)) == []


@given(st.data())
def test_nothing_is_left_of_json_that_nests_otherwise(data: st.DataObject) -> None:
    items = json.loads(JSON)["nftables"]
    values = list(_values(items))
    one, other = data.draw(st.sampled_from(values)), data.draw(st.sampled_from(values))
    names = data.draw(st.lists(st.sampled_from(sorted({name for name, _ in values})), max_size=3))
    made: Any = {one[0]: other[1], other[0]: [one[1], other[1]]}
    for name in names:
        made = {name: made}
    text = json.dumps({"nftables": [{"table": {"family": "ip", "name": "secret"}}, made]})
    cut = data.draw(st.sampled_from([len(text), len(text) - 3, len(text) // 2]))
    assert left(redacted(text[:cut])) == []


def _values(item: Any) -> Iterator[tuple[str, Any]]:
    for name, value in item.items() if isinstance(item, dict) else ():
        yield name, value
        yield from _values(value)
    for value in item if isinstance(item, list) else ():
        yield from _values(value)


def test_json_that_nests_too_deep_is_not_there() -> None:
    deep = (
        '{"nftables": [{"table": {"family": "ip", "name": "t"}}, '
        + '{"set":' * 400
        + '"secret"'
        + "}" * 400
        + "]}"
    )
    assert left(redacted(deep)) == []


@pytest.mark.parametrize(
    "piece",
    [
        "a:",
        "1.1.1.",
        "{",
        '"',
        "203.0.113.1-",
        "ip saddr . ",
        "chain x {\n",
        "@",
        "-",
        "#",
        "a-b/",
        "service-AAAAAAAA-a/",
    ],
)
def test_time_grows_with_the_length(piece: str) -> None:
    def taken(count: int) -> float:
        text = f"table ip x {{\n\tchain c {{\n\t\t{piece * count}\n\t}}\n}}\n"
        begun = time.process_time()
        redacted(text)
        return time.process_time() - begun

    assert taken(8_000) < max(1.0, 40 * taken(1_000))


# --- the same is said ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["every-1.36", "ipv6-1.34", "zoo"])
def test_text_and_json_have_the_same_pseudonyms(name: str) -> None:
    of_text = ruleset_of(redacted(listing(f"{name}.listing").decode()))
    of_json = ruleset_of(redacted(listing(f"{name}.json").decode()))
    assert without_what_json_lacks(told(of_text)) == without_what_json_lacks(told(of_json))


@pytest.mark.parametrize("name", OF_KUBE_PROXY)
def test_hashes_are_those_of_the_pseudonyms(name: str) -> None:
    chains = {
        name for table in ruleset_of(redacted(listing(name).decode())).tables.values()
        for name in [*table.chains, *table.sets] if "/" in name
    }  # fmt: skip
    assert len(chains) >= 3
    for chain in chains:
        kind, digest, rest = chain.split("-", 2)
        assert kind in {"service", "local", "external", "firewall", "endpoint", "affinity"}
        assert digest == b32encode(sha256(rest.encode()).digest()).decode()[:8]
        assert re.fullmatch(
            r"(?:ns-\w{8}|kube-system)/(?:svc-\w{8}|kube-dns)/(?:tcp|udp|sctp)/(?:p-\w{8})?(?:__[\da-f.]+/\d+)?",
            rest,
        )


def test_names_that_were_too_long_are_cut_still() -> None:
    chains = [name for name in ruleset_of(redacted(TEXT)).table("inet", _table()).chains if "..." in name]  # type: ignore[union-attr]
    endpoint, firewall = chains
    assert re.fullmatch(r"endpoint-[A-Z2-7]{8}-ns-\w{8}/svc-\w{8}/tcp/p-\w{8}__\.\.\.", endpoint)
    assert re.fullmatch(r"firewall-[A-Z2-7]{8}-ns-\w{8}/text-\w{8}\.\.\.", firewall)


def _table() -> str:
    return next(name for family, name in ruleset_of(redacted(TEXT)).tables if family == "inet")


def test_networks_keep_their_addresses() -> None:
    secrets = Secrets(KEY)
    text = Pseudonyms(None, secrets, listings=[TEXT]).listing(TEXT)
    known = secrets.addresses.known
    network = ip_network(known["203.0.113.16/28"])
    assert str(network) in text
    assert ip_address(secrets.addresses.of("203.0.113.17")) in network
    first, last = re.search(r"saddr != ([\d.]+)-([\d.]+) drop", text).groups()  # type: ignore[union-attr]
    assert int(ip_address(last)) - int(ip_address(first)) == 4
    masked = re.search(r"ip saddr & 255.255.255.0 == ([\d.]+) accept", text)
    assert masked
    assert masked[1] == re.sub(r"\d+$", "0", secrets.addresses.of("203.0.113.9"))
    header = re.search(r"@nh,96,32 0x(\w{8}) accept", text)
    assert header
    assert ip_address(int(header[1], 16)) == ip_address(secrets.addresses.of("203.0.113.5"))


def test_ports_get_pseudonyms_where_asked() -> None:
    text = """table ip nat {
	set s {
		type ipv4_addr . inet_service
		elements = { 10.0.0.1 . 6543 }
	}
	chain service-AAAAAAAA-a/b/tcp/c {
		tcp dport { 6543, 6543-6544 } meta mark 6545 jump endpoint-AAAAAAAA-a/b/tcp/c__10.0.0.1/6543
		tcp dport 6543 dnat to 10.0.0.1:6543
		tcp dport 6543 redirect to :6543
		meta l4proto tcp dnat ip to numgen random mod 6545 map { 6545 : 10.0.0.1 . 6543 }
		ip daddr . tcp dport { 10.0.0.1 . 6543 } limit rate 6545/second counter packets 6545 bytes 6545
	}
}
"""
    assert re.sub(r"\s", "", redacted(text)).count("6543") == text.count("6543")
    changed = redacted(text, ports=True)
    assert "6543" not in changed
    assert changed.count("6545") == text.count("6545")
    assert "dport 80 " in redacted("table ip t {\n chain c {\n tcp dport 80 accept\n }\n}\n")


@pytest.mark.parametrize("name", [*OF_KUBE_PROXY, "zoo.listing", "mixed-node.listing"])
def test_lines_alike_are_written_as_each_would_be_alone(name: str) -> None:
    text = listing(name).decode()
    words = NativeWords(Names(None, Secrets(KEY), ports=True), Secrets(KEY))
    writer, lines, at = TextWriter(text, words), [], 0
    for line in text.splitlines(keepends=True):
        lines.append(writer.line(at, at + len(line)))
        at += len(line)
    assert "".join(LineWriter(text, words).written(0, len(text))) == "".join(lines)


def test_what_nft_said_of_other_tables_is_said_still() -> None:
    warning = "# Warning: table ip nat is managed by iptables-nft, do not touch!\n"
    text = redacted(warning + listing("mixed-node.listing").decode())
    table = ruleset_of(text).table("ip", "nat")
    assert table
    assert table.managed


def test_a_listing_that_is_cut_is_cut_still() -> None:
    for name in ("every-1.36.listing", "every-1.36.json"):
        text = listing(name).decode()
        remarks = [
            [one.id for one in ruleset_of(each).remarks] for each in (text[:9000], redacted(text[:9000]))
        ]
        assert remarks[0] == remarks[1] != []


# --- answers -------------------------------------------------------------------------------------------------------

PACKETS = [
    ("10.244.0.9", "10.96.20.1", 80), ("198.51.100.7", "10.96.20.1", 80), ("198.51.100.7", "192.168.1.10", 30080),
    ("10.244.0.9", "10.96.0.10", 53), ("10.244.0.9", "10.96.20.8", 80), ("10.244.0.9", "10.96.20.1", 81),
    ("10.244.0.9", "10.96.77.77", 80), ("203.0.113.77", "203.0.113.10", 80), ("10.244.0.5", "10.96.20.1", 80),
]  # fmt: skip


@pytest.mark.parametrize("name", [name for name in OF_KUBE_PROXY if "ipv6" not in name])
def test_packets_fare_the_same(name: str) -> None:
    node = load_node(LISTINGS / name)
    pseudonyms = Pseudonyms(None, Secrets(KEY), listings=listings_of(node))
    other = hidden(node, pseudonyms)
    for source, destination, port in PACKETS:
        for protocol in ("tcp", "udp"):
            packet = (pseudonyms.addresses(source), pseudonyms.addresses(destination), port, protocol)
            hide = pseudonyms.addresses
            assert fates(node, source, destination, port, protocol, hide) == fates(other, *packet, str)


def fates(
    node: Snapshot, source: str, destination: str, port: int, protocol: str, change: Any
) -> list[tuple[object, ...]]:
    found = iptviz.packet(node, src=source, dst=destination, dport=port, protocol=protocol)
    return sorted(
        (str(one.share), str(one.verdict), change(str(one.packet.dnat)), len(steps_of(one.path)[0]))
        for one in found.outcomes
    )
