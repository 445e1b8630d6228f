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

_KINDS = "table chain rule element set map meter flowtable counter quota limit secmark synproxy ct helper timeout expectation"
_VERBS = "add create insert delete destroy flush replace update nft"
_VERDICTS = "accept drop continue return jump goto queue"
_FAMILIES = "ip ip6 inet arp bridge netdev"
_CHAINS = """
    type filter nat route hook prerouting input forward output postrouting ingress egress priority raw mangle
    dstnat security srcnat out policy device devices dormant owner persist flags offload
"""
_SETS = """
    typeof interval constant dynamic timeout auto-merge size gc-interval elements expires performance memory policy
    verdict
"""
_STATEMENTS = """
    counter packets bytes kbytes mbytes gbytes used limit rate over until burst quota name set log prefix level
    group snaplen queue-threshold flags emerg alert crit err warn warning notice info debug audit all tcp ip
    sequence options skuid ether reject with reset icmpx type dnat snat masquerade redirect tproxy to random
    fully-random persistent netmap notrack queue num bypass fanout dup fwd synproxy mss wscale timestamp
    sack-perm add update delete flow offload xt match target watcher last never count vmap map comment meter
    second minute hour day week hooked prefix port addr
"""
_EXPRESSIONS = """
    meta ct fib numgen inc random mod offset symhash jhash seed socket transparent wildcard cgroupv2 level osf
    ttl loose skip version name rt ipsec reqid spi spnum in classid nexthop mtu tcpmss secpath original reply
    missing exists option exthdr chunk kind length left right tsval tsecr ptr addr value tsn stream ssid ppid
    init-tag a-rwnd num-outbound-streams num-inbound-streams initial-tsn cum-tsn-ack num-gap-ack-blocks
    num-dup-tsns lowest-tsn seqno new-cum-tsn and or xor not eq ne lt gt le ge lshift rshift mark iif oif iifname
    oifname check type size l3proto l4proto protocol helper timeout expectation true false
"""
_OPTIONS = """
    eol nop noop maxseg mss window sack-perm sack-permitted sack sack0 sack1 sack2 sack3 timestamp echo fastopen
    mptcp md5sig lsrr rr ssrr ra data init init-ack heartbeat heartbeat-ack abort shutdown shutdown-ack error
    cookie-echo cookie-ack ecne cwr shutdown-complete asconf-ack forward-tsn asconf subtype
"""
_STATES = """
    established syn_sent syn_recv fin_wait close_wait last_ack time_wait close listen retrans unack unreplied
    replied cookie_wait cookie_echoed shutdown_sent shutdown_recd shutdown_ack_sent closed request respond
    partopen open closereq closing timewait
"""

SYMBOL_WORDS = frozenset(
    {name for names in SYMBOLS.values() for name in names} | {*PROTOCOLS.values(), *PROTOCOL_MATCH, "hopopt"}
)
"""Names of numbers: what stands behind them may be compared with, too."""

VOCABULARY = frozenset({
    *" ".join((
        _KINDS, _VERBS, _VERDICTS, _FAMILIES, _CHAINS, _SETS, _STATEMENTS, _EXPRESSIONS, _OPTIONS, _STATES,
    )).split(),
    *PAYLOADS, *(word for fields in PAYLOADS.values() for field in fields for word in field.split()),
    *EXTENSIONS, *(field for fields in EXTENSIONS.values() for field in fields),
    *META, *UNQUALIFIED, *CT, *DATA_TYPES, *SYMBOL_WORDS,
})  # fmt: skip
"""All words that stay as they are."""

LASTING = frozenset("map vmap set to eq ne lt gt le ge and or xor lshift rshift not type interval".split())
"""Words behind which that is still compared with which stood before them."""

PAIRS = {
    **{(protocol, field): kind for protocol, fields in PAYLOADS.items() for field, kind in fields.items()},
    **{("meta", key): kind for key, kind in META.items()},
    **{("ct", key): kind for key, kind in CT.items()},
    **{(way, key): kind for way in ("original", "reply", "ip", "ip6") for key, kind in CT.items()
       if kind in {"address", "inet_service"}},
    **{("arp", "saddr"): "", ("saddr", "ether"): "ether_addr", ("daddr", "ether"): "ether_addr"},
    **{("saddr", "ip"): "ipv4_addr", ("daddr", "ip"): "ipv4_addr"},
    ("socket", "cgroupv2"): "cgroupsv2", ("osf", "name"): "genre", ("loose", "name"): "genre",
    ("skip", "name"): "genre", ("mark", "oifname"): "ifname",
}  # fmt: skip
"""By two words that ask about something, its data type."""

ALONE = {**{key: META[key] for key in UNQUALIFIED}, "oifname": "ifname"}
"""By a word that asks about something on its own, its data type."""

JSON_NAMES = frozenset("""
    nftables metainfo json_schema_version release_name version family table chain rule set map element handle name
    expr elem val op left right payload protocol field key base len concat prefix range data target result
    prio hook policy dev type flags type_flags inv per rate_unit burst_unit val_unit used_unit queue-threshold
    snaplen stmt dir num sctp tcp gc-interval auto-merge fib numgen mod mode offset jhash symhash seed expr socket
    mangle value ct meter flowtable size index & | ^ << >>
""".split())
"""What values of JSON are called."""
