"""The fields of a packet: option, keyword argument, document and text of each follow from its row."""

# Without the future import: the annotations are the table.
from collections.abc import Callable, Mapping
from operator import attrgetter, itemgetter
from typing import Annotated, Any, NamedTuple, TypedDict, cast, get_type_hints

from iptviz.engine.packet import Packet
from iptviz.errors import PacketError
from iptviz.questions.packet_values import (
    BYTE,
    WORD,
    Typed,
    address_text,
    flags_label,
    icmp_text,
    read_address,
    read_any_text,
    read_flags,
    read_hook,
    read_icmp,
    read_incoming,
    read_known_mark,
    read_owner,
    read_port,
    read_protocol,
    read_state,
    up_to,
)
from iptviz.redact.named import Named
from iptviz.xtables.address import parse_network, split_endpoint


def _itself(value: Any) -> Any:
    return value


class Field(NamedTuple):
    """One field of a packet.

    `named` is what it names of a dump. `read` makes of the option's name, what is typed and all that is
    typed the value of the packet's `attribute`; `hook`, where the packet starts, is kept beside it. `shape`
    makes of that value what JSON shows. `label` stands before it in a text, with `text` to write it where
    that is not how JSON does; without a label, the text names it elsewhere.
    """

    flag: str
    metavar: str
    help: str
    named: Named
    attribute: str
    read: Callable[[str, Any, Typed], object]
    shape: Callable[[Any], Any] = _itself
    label: str = ""
    text: Callable[[Any], str | None] | None = None
    default: str | None = None
    typed: type = str
    """What an option takes: a text, or a whole number."""

    @property
    def key(self) -> str:
        """Its name in the document `iptviz.packet.v1`."""
        return self.flag.removeprefix("--").replace("-", "_")

    def shown(self, values: Mapping[str, Any]) -> Any:
        """Return what JSON shows of the attributes of a packet; None is unknown."""
        value = values[self.attribute]
        return None if value is None else self.shape(value)

    def in_words(self, values: Mapping[str, Any]) -> str | None:
        """Return its part of a sentence, such as `TTL 64`; None where it is unknown, or named elsewhere."""
        value = values[self.attribute]
        text = None if value is None else (self.text or self.shape)(value)
        return f"{self.label} {text}" if self.label and text is not None else None


# fmt: off
class PacketFields(TypedDict, total=False):
    """What can be said of a packet; what is not said, or is None, is unknown.

    The order is that of the options and of the document.
    """

    src: Annotated[str | None, Field(
        "--src", "A", "Source: an address, with or without a port, or a network.", Named.ADDRESS,
        "source", read_address, address_text)]
    dst: Annotated[str | None, Field(
        "--dst", "A", "Destination before DNAT: an address, with or without a port, or a service name.",
        Named.DESTINATION,
        "destination", read_address, address_text)]
    protocol: Annotated[str | None, Field(
        "--protocol", "P", "Protocol: tcp, udp, icmp ...", Named.WORD, "protocol", read_protocol)]
    sport: Annotated[int | str | None, Field(
        "--sport", "PORT", "Source port, as a number or name.", Named.WORD, "source_port", read_port)]
    dport: Annotated[int | str | None, Field(
        "--dport", "PORT", "Destination port before DNAT: 80 or http.", Named.WORD,
        "destination_port", read_port)]
    hook: Annotated[str, Field(
        "--hook", "HOOK", "prerouting (arrives at the node) or output (locally generated).", Named.WORD,
        "hook", read_hook, default="prerouting")]
    in_iface: Annotated[str | None, Field(
        "--in", "IFACE", "Input interface.", Named.INTERFACE, "in_interface", read_incoming)]
    out_iface: Annotated[str | None, Field(
        "--out", "IFACE", "Output interface.", Named.INTERFACE,
        "out_interface", read_any_text, label="leaves by", text=lambda name: name or None)]
    ctstate: Annotated[str | None, Field(
        "--ctstate", "STATE", "Connection state: NEW, ESTABLISHED, RELATED, INVALID or UNTRACKED.", Named.WORD,
        "state", read_state, label="connection state", default="NEW")]
    mark: Annotated[str | int | None, Field(
        "--mark", "M", "Mark on arrival, such as 0x0.", Named.WORD,
        "mark", read_known_mark, attrgetter("text"), "mark", attrgetter("label"))]
    tcp_flags: Annotated[str | None, Field(
        "--tcp-flags", "LIST", "TCP flags that are set: SYN or SYN,ACK.", Named.WORD,
        "tcp_flags", read_flags, sorted, "TCP flags", flags_label)]
    icmp_type: Annotated[str | None, Field(
        "--icmp-type", "TYPE", "ICMP type: 8, 8/0 or echo-request.", Named.WORD,
        "icmp_type", read_icmp, icmp_text, "ICMP type")]
    length: Annotated[int | None, Field(
        "--length", "N", "Length in bytes, IP header included.", Named.NOTHING,
        "length", up_to(WORD), label="length")]
    ttl: Annotated[int | None, Field(
        "--ttl", "N", "Time to live, or hop limit.", Named.NOTHING, "ttl", up_to(BYTE), label="TTL")]
    tos: Annotated[int | None, Field(
        "--tos", "N", "Type of service, or traffic class.", Named.NOTHING, "tos", up_to(BYTE), label="TOS")]
    mac: Annotated[str | None, Field(
        "--mac", "M", "Source MAC address.", Named.MAC, "mac", read_any_text, label="MAC")]
    uid: Annotated[int | None, Field(
        "--uid", "N", "User id of the sender, with --hook output.", Named.NOTHING,
        "owner", read_owner, itemgetter(0), "uid")]
    gid: Annotated[int | None, Field(
        "--gid", "N", "Group id of the sender, with --hook output.", Named.NOTHING,
        "owner", read_owner, itemgetter(1), "gid")]
# fmt: on


def _rows() -> dict[str, Field]:
    """Return the row of each field; an option takes a whole number where no text will do."""
    found = get_type_hints(PacketFields, include_extras=True)
    return {
        name: hint.__metadata__[0]._replace(typed=int if hint.__origin__ == int | None else str)
        for name, hint in found.items()
    }


FIELDS = _rows()
"""The table: rows by the names of keyword arguments."""


_PORT_BESIDE = {"src": "sport", "dst": "dport"}
_PROTOCOL_OF = {
    "tcp_flags": {"ipv4": "tcp", "ipv6": "tcp"},
    "icmp_type": {"ipv4": "icmp", "ipv6": "ipv6-icmp"},
}
"""The protocol of which alone something can be said, by the family of the packet."""


def apart(said: PacketFields) -> PacketFields:
    """Return what is said of a packet with the ports apart that stand behind addresses: `10.0.0.1:80`.

    Raises:
        PacketError: two ports are named for one address.
    """
    found: dict[str, Any] = {**said}
    for name, beside in _PORT_BESIDE.items():
        address, port = split_endpoint(str(found.get(name) or ""))
        if port is None or parse_network(address) is None:
            continue
        given = found.get(beside)
        if given is not None and read_port(FIELDS[beside].flag, given) != port:
            raise PacketError(
                f"{FIELDS[name].flag} {found[name]} and {FIELDS[beside].flag} {given} give two ports",
                hint="drop one of them",
            )
        found |= {name: address, beside: port}
    return cast("PacketFields", found)


def _inferred(family: str, said: PacketFields) -> Mapping[str, Any]:
    """Return what is said of a packet, and the protocol where something is said of packets of one alone."""
    if said.get("protocol") is not None:
        return said
    told = (of[family] for name, of in _PROTOCOL_OF.items() if said.get(name) is not None)
    return {**said, "protocol": next(told, None)}


def read_packet(family: str, said: PacketFields) -> tuple[Packet, str]:
    """Return the packet that is described, and the hook where it starts.

    Raises:
        TypeError: there is no such field.
        PacketError: there can be no such packet.
    """
    for name in said:
        if name not in FIELDS:
            raise TypeError(f"packet() got an unexpected keyword argument {name!r}")
    typed = Typed(
        family, {name: field.default for name, field in FIELDS.items()} | {**_inferred(family, said)}
    )
    values: dict[str, Any] = {
        field.attribute: field.read(field.flag, typed.fields[name], typed)
        for name, field in FIELDS.items()
        if typed.fields[name] is not None or field.default is not None
    }
    hook: str = values.pop("hook")
    if hook == "output":
        values["in_interface"] = ""  # what the node sends came in by none
    return Packet(state=None)._replace(**values), hook


def attributes(packet: Packet, hook: str) -> Mapping[str, Any]:
    """Return what is known of a packet by the rows' attributes."""
    return {**packet._asdict(), "hook": hook}
