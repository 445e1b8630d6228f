"""One row of the table is enough: the option, the keyword argument, the document and the text follow from it."""

from __future__ import annotations

import inspect
import json
from importlib import reload
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from typer.testing import CliRunner

import iptviz
import iptviz.cli.packet
from iptviz.cli.app import app
from iptviz.engine.packet import Packet
from iptviz.questions.packet_fields import FIELDS, Field
from iptviz.questions.packet_values import read_any_text
from iptviz.redact.named import Named

if TYPE_CHECKING:
    from collections.abc import Iterator

DUMP = "*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n-A INPUT -j DROP\nCOMMIT\n"


def test_every_row_has_an_attribute_of_the_engine() -> None:
    lacking = {name for name, field in FIELDS.items() if field.attribute not in {*Packet._fields, "hook"}}
    assert not lacking, f"engine/packet.py: Packet has no attribute for {lacking}, so no rule can ask for it"


class Example(NamedTuple):
    """What is said in one field, what JSON and a text make of it, and what has to be said with it."""

    said: str | int
    shown: object
    told: str
    beside: tuple[tuple[str, str], ...] = ()


TCP = (("protocol", "tcp"),)
EXAMPLES = {
    "src": Example("[10.0.0.9]", "10.0.0.9", "packet from 10.0.0.9 to"),
    "dst": Example("10.0.0.0/8", "10.0.0.0/8", "to 10.0.0.0/8"),
    "protocol": Example("6", "tcp", "tcp packet from"),
    "sport": Example(4711, 4711, "from an unknown source, port 4711", TCP),
    "dport": Example(79, 79, "to an unknown destination, port 79", TCP),
    "hook": Example("output", "output", "locally generated (hook output)"),
    "in_iface": Example("eth7", "eth7", "arrives at this node on eth7"),
    "out_iface": Example("eth8", "eth8", "leaves by eth8"),
    "ctstate": Example("related", "RELATED", "connection state RELATED"),
    "mark": Example("16384", "0x4000", "mark 0x4000"),
    "tcp_flags": Example("syn,ACK", ["ACK", "SYN"], "TCP flags ACK,SYN"),
    "icmp_type": Example("echo-request", "8", "ICMP type 8"),
    "length": Example(60, 60, "length 60"),
    "ttl": Example(0, 0, "TTL 0"),
    "tos": Example(16, 16, "TOS 16"),
    "mac": Example("02:00:00:00:00:01", "02:00:00:00:00:01", "MAC 02:00:00:00:00:01"),
    "uid": Example(0, 0, "uid 0", (("hook", "output"),)),
    "gid": Example(7, 7, "gid 7", (("hook", "output"),)),
}


def run(said: dict[str, Any], *more: str) -> tuple[int, str, str]:
    """Return status and both outputs of the command, asked with a field's option for each keyword argument."""
    options = [word for name, value in said.items() for word in (FIELDS[name].flag, str(value))]
    done = CliRunner().invoke(app, ["packet", *options, *more], input=DUMP)
    return done.exit_code, done.stdout, done.stderr


def test_every_row_has_an_example() -> None:
    assert list(EXAMPLES) == list(FIELDS)


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_field_is_an_option_a_keyword_argument_and_part_of_document_and_text(name: str) -> None:
    example = EXAMPLES[name]
    said: dict[str, Any] = {name: example.said, **dict(example.beside)}
    status, text, message = run(said, "--json")
    assert (status, message) == (0, "")
    shown = json.loads(text)["packet"]
    assert shown[FIELDS[name].key] == example.shown
    assert iptviz.packet(iptviz.load(DUMP.encode()), **said).to_dict()["packet"] == shown
    assert example.told in run(said)[1].splitlines()[0]


@pytest.mark.parametrize("name", EXAMPLES)
def test_what_is_not_said_is_unknown_or_usual_and_not_told(name: str) -> None:
    shown = json.loads(run({}, "--json")[1])["packet"]
    assert shown[FIELDS[name].key] == FIELDS[name].default != EXAMPLES[name].shown
    assert EXAMPLES[name].told not in run({})[1]


def test_what_may_be_known_usually_may_be_unknown_too_but_for_the_hook() -> None:
    dump = iptviz.load(DUMP.encode())
    assert iptviz.packet(dump, ctstate=None).to_dict()["packet"]["ctstate"] is None
    with pytest.raises(iptviz.PacketError, match='unknown hook "None'):
        iptviz.packet(dump, hook=None)  # type: ignore[arg-type]


def test_no_field_is_shown_under_the_name_of_another() -> None:
    assert len({field.key for field in FIELDS.values()}) == len(FIELDS)
    assert len({field.flag for field in FIELDS.values()}) == len(FIELDS)


def test_every_field_is_an_attribute_of_a_packet_or_the_hook() -> None:
    assert {field.attribute for field in FIELDS.values()} <= {*Packet._fields, "hook"}


def test_a_field_that_there_is_not_is_an_error() -> None:
    with pytest.raises(TypeError, match="unexpected keyword argument 'color'"):
        iptviz.packet(iptviz.load(DUMP.encode()), color="red")  # type: ignore[call-arg]


# --- another row ---------------------------------------------------------------------------------------------------

ADDED = Field("--pkt-type", "TYPE", "unicast, broadcast or multicast.", Named.INTERFACE, "packet_type", read_any_text,
              label="packet type")  # fmt: skip


@pytest.fixture
def _added(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Add a row for the duration of a test; commands are made from the table when their module is loaded."""
    monkeypatch.setitem(FIELDS, "pkt_type", ADDED)
    reload(iptviz.cli.packet)
    yield
    monkeypatch.undo()
    reload(iptviz.cli.packet)


@pytest.mark.usefixtures("_added", "known_keys")
def test_another_row_is_enough() -> None:
    said = {"pkt_type": "broadcast"}
    assert iptviz.packet(iptviz.load(DUMP.encode()), **said).asked.packet_type == "broadcast"  # type: ignore[arg-type]
    assert json.loads(run(said, "--json")[1])["packet"]["pkt_type"] == "broadcast"
    assert ", packet type broadcast" in run(said)[1]
    assert "--pkt-type TYPE" in CliRunner().invoke(app, ["packet", "--help"]).stdout
    status, text, _ = run(said, "--redact")
    assert (status, "packet type i" in text, "broadcast" in text) == (0, True, False)


def test_that_row_is_gone_with_its_test() -> None:
    assert run({}, "--pkt-type", "broadcast")[0] == 2


def test_help_lists_every_field() -> None:
    parameters = inspect.signature(iptviz.packet).parameters
    assert [name for name in parameters if name in FIELDS] == list(FIELDS)
    assert parameters["hook"].default == "prerouting"
    assert {"dump", "local_ips", "assume", "explain"} <= set(parameters)
    assert "fields" not in parameters


# --- said otherwise ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--dst", "10.0.0.1:80", "--protocol", "tcp"), {"dst": "10.0.0.1", "dport": 80}),
        (("--src", "10.0.0.1:4711", "--protocol", "udp"), {"src": "10.0.0.1", "sport": 4711}),
        (("--dst", "10.0.0.1:80", "--dport", "http", "--protocol", "tcp"), {"dst": "10.0.0.1", "dport": 80}),
        (("--dport", "http", "--sport", "DOMAIN", "--protocol", "tcp"), {"dport": 80, "sport": 53}),
        (("--icmp-type", "8"), {"protocol": "icmp", "icmp_type": "8"}),
        (("--tcp-flags", "SYN", "--dport", "79"), {"protocol": "tcp", "dport": 79}),
        (("--tcp-flags", "SYN", "--dst", "10.0.0.1:79"), {"protocol": "tcp", "dport": 79}),
    ],
)  # fmt: skip
def test_a_packet_is_said_as_people_say_it(options: tuple[str, ...], said: dict[str, Any]) -> None:
    done = CliRunner().invoke(app, ["packet", *options, "--json"], input=DUMP)
    assert (done.exit_code, done.stderr) == (0, "")
    packet = json.loads(done.stdout)["packet"]
    assert {name: packet[name] for name in said} == said


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--dport", "79"), "--dport needs --protocol tcp, udp or sctp"),
        (("--dst", "10.0.0.1:79"), "--dst with a port needs --protocol tcp, udp or sctp"),
        (("--dport", "79", "--sport", "80"), "--sport and --dport need --protocol tcp, udp or sctp"),
        (("--dst", "10.0.0.1:79", "--dport", "80", "--protocol", "tcp"), "10.0.0.1:79 and --dport 80 give two ports"),
        (("--src", "10.0.0.1:79", "--sport", "http", "--protocol", "tcp"), "--sport http give two ports"),
        (("--dport", "nosuch-port", "--protocol", "tcp"), '--dport: invalid port "nosuch-port"'),
        (("--dport", "65536", "--protocol", "tcp"), "out of range"),
        (("--dport", "79", "--icmp-type", "8"), "icmp has no ports"),
        (("--tcp-flags", "SYN", "--icmp-type", "8"), "tcp has no ICMP type"),
    ],
)  # fmt: skip
def test_what_does_not_fit_together_is_refused(options: tuple[str, ...], said: str) -> None:
    done = CliRunner().invoke(app, ["packet", *options], input=DUMP)
    assert (done.exit_code, done.stdout) == (2, "")
    assert said in done.stderr


def test_extension_headers_are_no_protocol_of_ipv6() -> None:
    six = iptviz.load(f"# Generated by ip6tables-save v1.8.9\n{DUMP}".encode())
    with pytest.raises(iptviz.PacketError, match="ipv6-opts is an extension header of IPv6"):
        iptviz.packet(six, protocol="60")
    assert iptviz.packet(iptviz.load(DUMP.encode()), protocol="60").asked.protocol == "ipv6-opts"


def test_icmp_of_an_address_of_ipv6_is_that_of_ipv6() -> None:
    done = iptviz.packet(
        iptviz.load(f"# Generated by ip6tables-save v1.8.9\n{DUMP}".encode()), icmp_type="128"
    )
    assert done.asked.protocol == "ipv6-icmp"


def test_in_python_a_port_may_be_any_protocols() -> None:
    assert iptviz.packet(iptviz.load(DUMP.encode()), dport=79).asked.destination_port == 79
