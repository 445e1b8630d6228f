"""The words of nft's language: what is none of them, and no number, is somebody's own."""

from __future__ import annotations

from iptviz.nft.fields import CT, EXTENSIONS, META, PAYLOADS, UNQUALIFIED
from iptviz.nft.symbols import SYMBOLS
from iptviz.xtables.matches import PROTOCOL_MATCH
from iptviz.xtables.values.protocols import PROTOCOLS

TYPES = {
    "ifname": "device", "iface_index": "device", "ether_addr": "mac", "inet_service": "port",
    "ipv4_addr": "address", "ipv6_addr": "address", "uid": "person", "gid": "person", "string": "helper",
    "hour": "moment", "time": "moment", "day": "moment", "cgroupsv2": "text", "ct_label": "text",
    "address": "address", "fib_index": "device", "fib_name": "device", "genre": "genre",
}  # fmt: skip
"""By data type, the kind of what has it, where that is no word of nft."""

DATA_TYPES = frozenset({
    *TYPES, *SYMBOLS, "integer", "mark", "inet_proto", "verdict", "realm", "classid", "nf_proto", "ifkind",
    "ct_label", "tcp_flag", "invalid", "bitmask", "lladdr", "arp_op", "icmpx_code", "cgroupsv2", "counter",
    "quota", "limit", "secmark", "synproxy", "xinteger", "unknown", "time",
})  # fmt: skip

_WORDS = """
    table chain rule element set map meter flowtable counter quota limit secmark synproxy ct helper timeout
    expectation add create insert delete destroy flush replace update nft accept drop continue return jump
    goto queue ip ip6 inet arp bridge netdev type filter nat route hook prerouting input forward output
    postrouting ingress egress priority raw mangle dstnat security srcnat out policy device devices dormant
    owner persist flags offload typeof interval constant dynamic auto-merge size gc-interval elements
    expires performance memory verdict packets bytes kbytes mbytes gbytes used rate over until burst name
    log prefix level group snaplen queue-threshold emerg alert crit err warn warning notice info debug audit
    all tcp sequence options skuid ether reject with reset icmpx dnat snat masquerade redirect tproxy to
    random fully-random persistent netmap notrack num bypass fanout dup fwd mss wscale timestamp sack-perm
    flow xt match target watcher last never count vmap comment second minute hour day week port addr meta
    fib numgen inc mod offset symhash jhash seed socket transparent wildcard cgroupv2 osf ttl loose skip
    version rt ipsec reqid spi spnum in classid nexthop mtu tcpmss secpath original reply missing exists
    option exthdr chunk kind length left right tsval tsecr ptr value tsn stream ssid ppid init-tag a-rwnd
    num-outbound-streams num-inbound-streams initial-tsn cum-tsn-ack num-gap-ack-blocks num-dup-tsns
    lowest-tsn seqno new-cum-tsn and or xor not eq ne lt gt le ge lshift rshift ll nh th ih mark iif oif
    iifname oifname check l3proto l4proto protocol true false eol nop noop maxseg window sack-permitted sack
    sack0 sack1 sack2 sack3 echo fastopen mptcp md5sig lsrr rr ssrr ra data init init-ack heartbeat
    heartbeat-ack abort shutdown shutdown-ack error cookie-echo cookie-ack ecne cwr shutdown-complete
    asconf-ack forward-tsn asconf subtype established syn_sent syn_recv fin_wait close_wait last_ack
    time_wait close listen retrans unack unreplied replied cookie_wait cookie_echoed shutdown_sent
    shutdown_recd shutdown_ack_sent closed request respond partopen open closereq closing timewait
"""
"""Words that stand in no table of fields or of names of numbers."""

SYMBOL_WORDS = frozenset(
    {name for names in SYMBOLS.values() for name in names} | {*PROTOCOLS.values(), *PROTOCOL_MATCH, "hopopt"}
)
"""Names of numbers: what stands behind them may be compared with, too."""

VOCABULARY = frozenset({
    *_WORDS.split(), *PAYLOADS,
    *(word for fields in PAYLOADS.values() for name in fields for word in name.split()),
    *EXTENSIONS, *(name for fields in EXTENSIONS.values() for name in fields),
    *META, *UNQUALIFIED, *CT, *DATA_TYPES, *SYMBOL_WORDS,
})  # fmt: skip
"""All words that stay as they are."""

LASTING = frozenset(
    ("map", "vmap", "set", "to", "eq", "ne", "lt", "gt", "le", "ge", "and", "or", "xor", "lshift", "rshift",
     "not", "type", "interval")
)  # fmt: skip
"""Words behind which that is still compared with which stood before them."""

PAIRS = {
    **{(protocol, field): kind for protocol, fields in PAYLOADS.items() for field, kind in fields.items()},
    **{("meta", key): kind for key, kind in META.items()},
    **{("ct", key): kind for key, kind in CT.items()},
    **{(way, key): kind for way in ("original", "reply", "ip", "ip6") for key, kind in CT.items()
       if kind in {"address", "inet_service"}},
    ("arp", "saddr"): "", ("saddr", "ether"): "ether_addr", ("daddr", "ether"): "ether_addr",
    ("saddr", "ip"): "ipv4_addr", ("daddr", "ip"): "ipv4_addr",
    ("socket", "cgroupv2"): "cgroupsv2", ("osf", "name"): "genre", ("loose", "name"): "genre",
    ("skip", "name"): "genre", ("mark", "oifname"): "ifname",
}  # fmt: skip
"""By two words that ask about something, its data type."""

ALONE = {**{key: META[key] for key in UNQUALIFIED}, "oifname": "ifname"}
"""By a word that asks about something on its own, its data type."""

FIB_RESULTS = {"type": "", "check": "", "oif": "device", "oifname": "device"}
"""What `fib` may tell of addresses, and of what kind that is."""

NEXT = {
    "jump": ("chain",), "goto": ("chain",), "comment": ("comment",), "device": ("device",), "meter": ("set",),
    "xt": ("", "extension"),
}  # fmt: skip
"""By a word, the kinds of the words behind it."""

DATA = {
    **dict.fromkeys(("dnat", "snat", "tproxy"), ("address", "port")),
    **dict.fromkeys(("redirect", "masquerade"), ("port",)),
}
"""By a word, the kinds of the data of a map within its statement."""

NAMED_AS = {
    "table": "table", "chain": "chain", "rule": "chain",
    **dict.fromkeys(("set", "map", "meter", "element", "flowtable"), "set"),
}  # fmt: skip
"""By what a block or a command is about, the kind of its name; others are objects."""

_NAMES = """
    nftables metainfo family json_schema_version release_name handle expr elem val op payload field key base len
    concat range result prio dev type_flags inv per rate_unit burst_unit val_unit used_unit stmt dir mode
    index & | ^ << >>
"""
JSON_NAMES = frozenset(_NAMES.split())
"""What values of JSON are called, beside the words of the language."""
