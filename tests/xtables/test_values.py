"""Every kind of value: what is read of a word, how it is shown, and that printing is both after one another."""

from __future__ import annotations

from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iptviz.xtables.address import Network, full_mask
from iptviz.xtables.matches import BASIC, match_names, match_options
from iptviz.xtables.option import Saving
from iptviz.xtables.targets import target_names, target_spec
from iptviz.xtables.values.addresses import AddressRange, NatRange
from iptviz.xtables.values.headers import ANY_LENGTH
from iptviz.xtables.values.icmp import ANY_TYPE, IcmpType
from iptviz.xtables.values.kinds import VALUE_KINDS, print_value
from iptviz.xtables.values.numbers import ALL_BITS, Masked, Range, bit_change, read_mark, read_probability
from iptviz.xtables.values.protocols import NatPorts, protocol_number
from iptviz.xtables.words import quote_word

V4, V6 = Saving("ipv4", "legacy"), Saving("ipv6", "legacy")
NFT = Saving("ipv4", "nf_tables")
HOST = Network(4, 0x0A000001, full_mask(4))
HOST_V6 = Network(6, 0xFD00 << 112 | 1, full_mask(6))


class Example(NamedTuple):
    """A word of a kind, the value that it is read as, and what iptables-save prints for it."""

    kind: str
    text: str
    value: object
    shown: str
    saving: Saving = V4


EXAMPLES = [
    Example("word", "two words", "two words", '"two words"'),
    Example("word15", "a" * 20, "a" * 15, "a" * 15),
    Example("word27", "a" * 30, "a" * 27, "a" * 27),
    Example("word31", "ü" * 20, "ü" * 15 + "\udcc3", "ü" * 15 + "\udcc3"),
    Example("string", "a.b", "a.b", '"a.b"'),
    Example("string29", "a" * 30, "a" * 29, "a" * 29),
    Example("string31", "a" * 40, "a" * 31, "a" * 31),
    Example("nflog-prefix", "a" * 200, "a" * 63, "a" * 63),
    Example("nflog-prefix", "a" * 200, "a" * 127, "a" * 127, NFT),
    Example("nfacct-name", "http", "http", " http"),
    Example("always-quoted", 'say "x"', 'say "x"', '"say \\"x\\""'),
    Example("as-it-is", "a b", "a b", "a b"),
    Example("lower", "ACCEPT", "accept", "accept"),
    Example("upper", "original", "ORIGINAL", "ORIGINAL"),
    Example("connection-label", "0x10", "16", '"16"'),
    Example("address-types", "local,uni", ["UNICAST", "LOCAL"], "UNICAST,LOCAL"),
    Example("ct-states", "est,NEW", ["NEW", "ESTABLISHED"], "NEW,ESTABLISHED"),
    Example("ct-statuses", "NONE,ASSURED", ["ASSURED"], "ASSURED"),
    Example("ct-statuses", "NONE", ["NONE"], "NONE"),
    Example("ct-events", "destroy,new", ["new", "destroy"], "new,destroy"),
    Example("dccp-types", "ack,request", ["REQUEST", "ACK"], "REQUEST,ACK"),
    Example("hash-mode", "dstip|srcip", ["srcip", "dstip"], "srcip,dstip"),
    Example("hash-mode", ",", [], '""'),
    Example("log-level", "warning", 4, "4"),
    Example("users", "root", Range(0, 0), "0"),
    Example("groups", "5-010", Range(5, 8), "5-8"),
    Example("uint", "0x10", 16, "16"),
    Example("uint8", "0x110", 16, "16"),
    Example("uint16", "65537", 1, "1"),
    Example("hex", "16", 16, "0x10"),
    Example("hex2", "5", 5, "0x05"),
    Example("hex4", "5", 5, "0x0005"),
    Example("hex8", "5", 5, "0x00000005"),
    Example("led-delay", "inf", -1, "-1"),
    Example("class", "1:ffff", (1, 0xFFFF), "0001:ffff"),
    Example("range16", ":5", Range(0, 5), "0:5"),
    Example("range32", "5:5", Range(5, 5), "5"),
    Example("queue-range", ":3", Range(0, 3), "0:3"),
    Example("connection-count", "5:", Range(5, (1 << 64) - 1), "5"),
    Example("connection-count", "5:9", Range(5, 9), "5:9"),
    Example("mark", "1/255", Masked(1, 0xFF), "0x1/0xff"),
    Example("mark", "010", Masked(8, ALL_BITS), "0x8"),
    Example("xmark", "1", Masked(1, ALL_BITS), "0x1/0xffffffff"),
    Example("device-group", "0", Masked(0, ALL_BITS), "default"),
    Example("probability", "0.5", 1 << 30, "0.50000000000"),
    Example("protocol", "17", "udp", "udp"),
    Example("rule-protocol", "icmpv6", "ipv6-icmp", "ipv6-icmp"),
    Example("rule-protocol", "gre", "47", "47"),
    Example("protocol-number", "UDP", 17, "17"),
    Example("tcp-flags", "ack,SYN", frozenset({"SYN", "ACK"}), "SYN,ACK"),
    Example("tcp-flags", "NONE", frozenset(), "NONE"),
    Example("ports", "010", Range(8, 8), "8"),
    Example("ports", ":http", Range(0, 80), "0:80"),
    Example("decimal-ports", "010:0090", Range(10, 90), "10:90"),
    Example("decimal-port", "70000", 4464, "4464"),
    Example("port-list", "http,0x50:90", [(80,), (80, 90)], "80,80:90"),
    Example("nat-ports", "80-90/5", NatPorts(80, 90, 5), "80-90/0"),
    Example("nat-ports", "http-alt", NatPorts(8080, 8080, None), "8080"),
    Example("network", "10.1/16", Network(4, 0x0A010000, 0xFFFF0000), "10.1.0.0/16"),
    Example("network", "any/0", Network(6, 0, 0), "::/0", V6),
    Example("networks", "10.0.0.1, node", [HOST, "node"], "10.0.0.1/32,node"),
    Example("host", "10.1", HOST, "10.0.0.1"),
    Example("host-or-any", "", Network(4, 0, full_mask(4)), "0.0.0.0"),
    Example("host-mask", "10.0.0.1/0377.0xff.0.0", Network(4, HOST.value, 0xFFFF0000), "10.0.0.1/16"),
    Example("host-length", "fd00::1", HOST_V6, "fd00::1/128", V6),
    Example("ipv6-list", "fd00:0::1,fd00::1", [HOST_V6, HOST_V6], "fd00::1,fd00::1", V6),
    Example("ip-mask", "255.0", Network(4, 0xFF000000, full_mask(4)), "255.0.0.0"),
    Example("ip-range", "10.1", AddressRange(4, 0x0A010000, 0x0A010000), "10.1.0.0-10.1.0.0"),
    Example("mask-length", "255.255.0.0", 16, "16"),
    Example(
        "nat-range",
        "10.0.0.1-10.0.0.2:80-90/5",
        NatRange(AddressRange(4, HOST.value, HOST.value + 1), NatPorts(80, 90, 5)),
        "10.0.0.1-10.0.0.2:80-90/5",
    ),
    Example("nat-range", ":80", NatRange(None, NatPorts(80, 80, None)), ":80"),
    Example(
        "source-range",
        "[fd00:0::1]:0x50",
        NatRange(AddressRange(6, HOST_V6.value, HOST_V6.value), NatPorts(80, 80, None)),
        "[fd00::1]:80",
        V6,
    ),
    Example("icmp-type", "host-unr", IcmpType(3, 1), "3/1"),
    Example("icmp-type", "255", ANY_TYPE, "any"),
    Example("icmpv6-type", "1/0:255", IcmpType(1, None), "1"),
    Example("reject-type", "port-un", "icmp-port-unreachable", "icmp-port-unreachable"),
    Example("reject-type", "no-route", "icmp6-no-route", "icmp6-no-route", V6),
    Example("mac", "A:b:0:1:2:3", bytes([10, 11, 0, 1, 2, 3]), "0a:0b:00:01:02:03"),
    Example("mac-upper", "a:b:0:1:2:3", bytes([10, 11, 0, 1, 2, 3]), "0A:0B:00:01:02:03"),
    Example("packet-type", "BCAST", "broadcast", "broadcast"),
    Example("set-tos", "Minimize-Delay", Masked(0x10, 0x3F), "0x10/0x3f"),
    Example("tcp-options", "sack,mss", [2, 5], "2,5"),
    Example("sctp-chunks", "init,data:uB", {"DATA": "uB", "INIT": ""}, "DATA:uB,INIT"),
    Example("sctp-chunks", "all", {"ALL": ""}, "ALL"),
    Example("ipv6-headers", "dst,0", ["hop-by-hop", "ipv6-opts"], "hop-by-hop,ipv6-opts"),
    Example("ipv6-options", "5:0x10,7", [(5, 16), (7, ANY_LENGTH)], "5:16,7"),
    Example("mh-types", "bu:ba", Range(5, 6), "5:6"),
    Example("bytecode", "1,6 0 0 65536", [(6, 0, 0, 65536)], '"1,6 0 0 65536"'),
    Example("u32", "6 & 0xFF = 1:1", "0x6&0xff=0x1", '"0x6&0xff=0x1"'),
    Example("clock", "9:5", (9, 5, 0), "09:05:00"),
    Example("date", "2020-02-30", "2020-03-01T00:00:00", "2020-03-01T00:00:00"),
    Example("limit-rate", "3/m", 200_000, "3/min"),
    Example("bit-rate", "2mbps", 2_000_000, "16000Kbit"),
]

# Whatever is typed, these take it.
ANY_TEXT = {
    *("word", "word15", "word27", "word31", "string", "string29", "string31", "nflog-prefix", "nfacct-name"),
    *("always-quoted", "as-it-is", "lower", "upper", "connection-label", "protocol", "rule-protocol"),
    "networks",
}


@pytest.mark.parametrize(
    "example", EXAMPLES, ids=[f"{example.kind} {example.text[:20]}" for example in EXAMPLES]
)
def test_a_word_is_read_as_a_value_which_is_shown(example: Example) -> None:
    kind = VALUE_KINDS[example.kind]
    value = kind.read(example.text, example.saving)
    assert value == example.value
    assert type(value) is type(example.value)
    assert kind.show(value) == example.shown
    assert print_value(example.kind, example.text, example.saving) == example.shown


@pytest.mark.parametrize(
    "example", EXAMPLES, ids=[f"{example.kind} {example.text[:20]}" for example in EXAMPLES]
)
def test_what_is_shown_without_quotes_is_read_again_and_shown_alike(example: Example) -> None:
    if '"' not in example.shown and example.kind not in {"nfacct-name", "device-group", "led-delay"}:
        assert print_value(example.kind, example.shown, example.saving) == example.shown


def test_every_kind_has_an_example() -> None:
    assert {example.kind for example in EXAMPLES} == VALUE_KINDS.keys()


def test_the_kinds_are_those_of_the_options() -> None:
    tables = [BASIC, *map(match_options, match_names())]
    tables += [spec.options for name in target_names() if (spec := target_spec(name))]
    used = {kind for table in tables if table for spec in table.values() for kind in spec.kinds}
    assert used == VALUE_KINDS.keys()


@pytest.mark.parametrize("kind", sorted(VALUE_KINDS.keys() - ANY_TEXT))
@pytest.mark.parametrize("text", ["no value, not even this", "(", "-5x"])
def test_what_is_no_value_stands_as_it_was_typed(kind: str, text: str) -> None:
    for saving in (V4, V6):
        assert VALUE_KINDS[kind].read(text, saving) is None
        assert print_value(kind, text, saving) == quote_word(text)


@given(
    kind=st.sampled_from(sorted(VALUE_KINDS)),
    text=st.text(max_size=30),
    saving=st.sampled_from([V4, V6, NFT]),
)
def test_printing_is_reading_and_showing(kind: str, text: str, saving: Saving) -> None:
    value = VALUE_KINDS[kind].read(text, saving)
    shown = quote_word(text) if value is None else VALUE_KINDS[kind].show(value)
    assert print_value(kind, text, saving) == shown
    assert isinstance(shown, str)


@pytest.mark.parametrize(
    ("option", "operand", "change"),
    [
        ("--set-xmark", Masked(1, 3), Masked(1, 3)),
        ("--set-mark", Masked(5, 3), Masked(5, 7)),
        ("--and-mark", Masked(0xFF, ALL_BITS), Masked(0, 0xFFFFFF00)),
        ("--or-mark", Masked(6, ALL_BITS), Masked(6, 6)),
        ("--xor-mark", Masked(6, ALL_BITS), Masked(6, 0)),
        ("--save-mark", Masked(6, ALL_BITS), None),
    ],
)
def test_an_operation_comes_to_a_value_and_a_mask(
    option: str, operand: Masked, change: Masked | None
) -> None:
    assert bit_change(option, operand, ALL_BITS) == change


def test_tos_is_changed_as_a_mark_is_in_eight_bits() -> None:
    assert bit_change("--and-tos", Masked(0x0F, 0xFF), 0xFF) == Masked(0, 0xF0)
    assert bit_change("--set-tos", Masked(0x10, 0x3F), 0xFF) == Masked(0x10, 0x3F)


@pytest.mark.parametrize("text", ["4294967296", "0x1/0x1ffffffff", "1/", "/1", "0o17", "1_0", ""])
def test_marks_that_iptables_refuses_are_none(text: str) -> None:
    """iptables 1.8.9: "bad integer value for option --mark, or out of range"."""
    assert read_mark(text) is None


@pytest.mark.parametrize(
    ("text", "number"), [("255", 255), ("256", None), ("0x6", 6), ("ipip", 94), ("no", None)]
)
def test_protocols_are_names_or_numbers_of_eight_bits(text: str, number: int | None) -> None:
    assert protocol_number(text) == number


@pytest.mark.parametrize("text", ["-0", "-0.5", "1_0", "0x", "1e", ".", "nan", "inf", "1.1", "0x1p1", " 1"])
def test_a_chance_is_a_number_from_zero_to_one(text: str) -> None:
    assert read_probability(text) is None


@pytest.mark.parametrize(
    ("text", "matching"), [("+1", 1 << 31), ("0x1p-1", 1 << 30), (".5e0", 1 << 30), ("1.", 1 << 31)]
)
def test_a_chance_is_written_as_strtod_reads_it(text: str, matching: int) -> None:
    assert read_probability(text) == matching
