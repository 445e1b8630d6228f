"""Which data type each field and key has, as `nft describe` tells."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.nft.expressions import (
    UNKNOWN,
    Binary,
    Concatenation,
    Ct,
    Extension,
    Fib,
    Hash,
    Ipsec,
    Meta,
    Numgen,
    Osf,
    Payload,
    Rt,
    Socket,
    Value,
)  # fmt: skip

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from iptviz.nft.expressions import Expression, Type


def _fields(**by_type: str) -> dict[str, str]:
    """Return the type of each field, of texts that list the fields of a type."""
    return {field: kind for kind, fields in by_type.items() for field in fields.split()}


_PORTS = "sport dport"
PAYLOADS: dict[str, dict[str, str]] = {
    "ether": _fields(ether_addr="daddr saddr", ether_type="type"),
    "vlan": _fields(integer="id dei cfi pcp", ether_type="type"),
    "arp": {
        **_fields(integer="htype hlen plen", ether_type="ptype", arp_op="operation"),
        "saddr ether": "ether_addr",
        "daddr ether": "ether_addr",
        "saddr ip": "ipv4_addr",
        "daddr ip": "ipv4_addr",
    },
    "ip": _fields(
        integer="version hdrlength length id frag-off ttl checksum", dscp="dscp", ecn="ecn",
        inet_proto="protocol", ipv4_addr="saddr daddr",
    ),
    "ip6": _fields(
        integer="version flowlabel length hoplimit", dscp="dscp", ecn="ecn", inet_proto="nexthdr",
        ipv6_addr="saddr daddr",
    ),
    "icmp": _fields(icmp_type="type", icmp_code="code", integer="checksum id sequence mtu gateway"),
    "icmpv6": _fields(
        icmpv6_type="type", icmpv6_code="code",
        integer="checksum parameter-problem packet-too-big id sequence max-delay", ipv6_addr="taddr daddr",
    ),
    "igmp": _fields(igmp_type="type", integer="mrt checksum group"),
    "tcp": _fields(
        inet_service=_PORTS, integer="sequence ackseq doff reserved window checksum urgptr", tcp_flag="flags"
    ),
    "udp": _fields(inet_service=_PORTS, integer="length checksum"),
    "udplite": _fields(inet_service=_PORTS, integer="checksum csumcov"),
    "sctp": _fields(inet_service=_PORTS, integer="vtag checksum"),
    "dccp": _fields(inet_service=_PORTS, dccp_pkttype="type"),
    "th": _fields(inet_service=_PORTS),
    "ah": _fields(inet_proto="nexthdr", integer="hdrlength reserved spi sequence"),
    "esp": _fields(integer="spi sequence"),
    "comp": _fields(inet_proto="nexthdr", integer="flags cpi"),
    "gre": _fields(integer="hdrlength flags version", ether_type="protocol"),
    "geneve": _fields(integer="vni", ether_type="type"),
    "vxlan": _fields(integer="vni flags"),
}  # fmt: skip
"""By protocol, the fields of its header and their types."""

META = _fields(
    integer="length cpu cgroup random ibrpvid nftrace secmark broute ibrhwaddr",
    ether_type="protocol ibrvproto",
    inet_proto="l4proto", nf_proto="nfproto", classid="priority", mark="mark",
    iface_index="iif oif sdif",
    ifname="iifname oifname sdifname ibrname obrname ibriport obriport iifkind oifkind",
    iface_type="iiftype oiftype", uid="skuid", gid="skgid", realm="rtclassid", pkt_type="pkttype",
    devgroup="iifgroup oifgroup", boolean="ipsec secpath", time="time", day="day", hour="hour",
)  # fmt: skip
UNQUALIFIED = frozenset(
    [
        "mark",
        "iif",
        "iifname",
        "iiftype",
        "oif",
        "oifname",
        "oiftype",
        "skuid",
        "skgid",
        "nftrace",
        "rtclassid",
        "ibriport",
        "obriport",
        "ibrname",
        "obrname",
        "pkttype",
        "cpu",
        "iifgroup",
        "oifgroup",
        "cgroup",
    ]
)
"""The keys that need no `meta` before them."""

CT = _fields(
    ct_state="state", ct_status="status", ct_dir="direction", mark="mark", time="expiration", string="helper",
    ct_label="label", integer="zone id secmark bytes packets avgpkt count", ct_event="event",
    nf_proto="l3proto", inet_proto="protocol", inet_service="proto-src proto-dst",
    address="saddr daddr src dst",
)  # fmt: skip

EXTENSIONS: dict[str, dict[str, str]] = {
    "hbh": _fields(inet_proto="nexthdr", integer="hdrlength"),
    "rt": _fields(inet_proto="nexthdr", integer="hdrlength type seg-left"),
    "rt0": _fields(ipv6_addr="addr"),
    "rt2": _fields(ipv6_addr="addr"),
    "srh": _fields(integer="last-entry flags tag", ipv6_addr="sid seg"),
    "frag": _fields(inet_proto="nexthdr", integer="reserved frag-off reserved2 more-fragments id"),
    "dst": _fields(inet_proto="nexthdr", integer="hdrlength"),
    "mh": _fields(inet_proto="nexthdr", integer="hdrlength reserved checksum", mh_type="type"),
}
"""The headers that IPv6 has behind its own."""

_FIBS = {"type": "fib_addrtype", "oif": "fib_index", "oifname": "fib_name"}
_RTS = _fields(realm="classid", integer="mtu tcpmss", boolean="ipsec", address="nexthop")
_SOCKETS = _fields(integer="transparent wildcard", mark="mark", cgroupsv2="cgroupv2")
_ADDRESSES = {"ip": "ipv4_addr", "ip6": "ipv6_addr"}


def address_type(family: str) -> Type:
    """Return the type of addresses of a family, ip or ip6; of others nothing tells."""
    return (_ADDRESSES[family],) if family in _ADDRESSES else UNKNOWN


def _named(kind: str | None, family: str = "") -> Type:
    if kind == "address":
        return address_type(family)
    return UNKNOWN if kind is None else (kind,)


def _of_extension(asked: Extension) -> Type:
    if not asked.field:
        return ("boolean",)
    fields = EXTENSIONS.get(asked.name, {}) if asked.kind == "exthdr" else {}
    return (fields.get(asked.field.partition("[")[0], "integer"),)


def _of_ipsec(asked: Ipsec) -> Type:
    return address_type(asked.family) if asked.family else ("integer",)


def _joined(parts: Iterable[Expression]) -> Type:
    """Return the types of values that are joined; where that of one is not known, it is `""`."""
    return tuple((type_of(part) or ("",))[0] for part in parts)


_INTEGER: Type = ("integer",)
_TYPES: dict[type, Callable[[Any], Type]] = {
    Payload: lambda asked: _named(PAYLOADS.get(asked.protocol, {}).get(asked.field)),
    Meta: lambda asked: _named(META.get(asked.key)),
    Ct: lambda asked: _named(CT.get(asked.key), asked.family),
    Fib: lambda asked: _named(_FIBS.get(asked.result)),
    Numgen: lambda _: _INTEGER,
    Hash: lambda _: _INTEGER,
    Socket: lambda asked: _named(_SOCKETS.get(asked.key)),
    Osf: lambda _: ("string",),
    Rt: lambda asked: _named(_RTS.get(asked.key), asked.family),
    Ipsec: _of_ipsec,
    Extension: _of_extension,
    Concatenation: lambda asked: _joined(asked.parts),
    Binary: lambda asked: type_of(asked.left),
    Value: lambda asked: _named(asked.type or None),
}


def type_of(expression: Expression) -> Type:
    """Return the data types that values of an expression have; `UNKNOWN` where nothing tells."""
    found = _TYPES.get(type(expression))
    return _INTEGER if found is None else found(expression)
