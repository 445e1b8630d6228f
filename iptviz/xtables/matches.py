"""Matches and their options, from `iptables-extensions(8)` and `ip6tables -m NAME --help`, 1.8.11."""

from __future__ import annotations

from functools import cache

from iptviz.xtables.option import OptionTable, table_of

BASIC = table_of(
    (
        "!-s|--source|--src networks",
        "!-d|--destination|--dst networks",
        "!-p|--protocol|--proto rule-protocol",
        "!-i|--in-interface word",
        "!-o|--out-interface word",
        "!-f|--fragments|--fragment",
        "-4|--ipv4",
        "-6|--ipv6",
    )
)

_PORTS = ("!--sport|--source-port ports", "!--dport|--destination-port ports")
_SRH_LENGTHS = ("hdr-len", "segs-left", "last-entry")
_TRANSPORT = {
    "tcp": (*_PORTS, "!--tcp-option uint", "!--tcp-flags tcp-flags tcp-flags", "!--syn"),
    "udp": _PORTS,
    "udplite": _PORTS,
    "sctp": (*_PORTS, "!--chunk-types lower sctp-chunks"),
    "dccp": (
        *(f"{row.removesuffix('ports')}decimal-ports" for row in _PORTS),
        "!--dccp-types dccp-types",
        "!--dccp-option uint",
    ),
    "icmp": ("!--icmp-type icmp-type",),
    "icmp6": ("!--icmpv6-type|--icmp6-type icmpv6-type",),
    "ah": ("!--ahspi range32", "!--ahlen uint =0", "--ahres"),
    "esp": ("!--espspi range32",),
}

_MATCHES: dict[str, tuple[str, ...]] = {
    **_TRANSPORT,
    "addrtype": (
        "!--src-type address-types",
        "!--dst-type address-types",
        "--limit-iface-in",
        "--limit-iface-out",
    ),
    "bpf": ("--bytecode bytecode", "--object-pinned word"),
    "cgroup": ("!--path string", "!--cgroup uint"),
    "cluster": (
        "!--cluster-local-nodemask hex8",
        "!--cluster-local-node uint",
        "--cluster-total-nodes uint",
        "--cluster-hash-seed hex8",
    ),
    "comment": ("--comment string",),
    "connbytes": ("!--connbytes connection-count", "--connbytes-mode word", "--connbytes-dir word"),
    "connlabel": ("!--label connection-label", "--set"),
    "connlimit": (
        "!--connlimit-upto uint",
        "!--connlimit-above uint",
        "--connlimit-mask mask-length",
        "--connlimit-saddr",
        "--connlimit-daddr",
    ),
    "connmark": ("!--mark mark",),
    "conntrack": (
        "!--ctstate ct-states",
        "!--ctproto protocol-number",
        *(f"!--ct{side} host-mask" for side in ("origsrc", "origdst", "replsrc", "repldst")),
        *(f"!--ct{side}port decimal-ports" for side in ("origsrc", "origdst", "replsrc", "repldst")),
        "!--ctstatus ct-statuses",
        "!--ctexpire range32",
        "--ctdir upper",
    ),
    "cpu": ("!--cpu uint",),
    "devgroup": ("!--src-group device-group", "!--dst-group device-group"),
    "dscp": ("!--dscp hex2", "!--dscp-class word"),
    "dst": ("!--dst-len uint", "--dst-opts ipv6-options"),
    "ecn": ("!--ecn-tcp-ece", "!--ecn-tcp-cwr", "!--ecn-ip-ect uint"),
    "eui64": (),
    "frag": (
        "!--fragid range32",
        "!--fraglen uint",
        "--fragres",
        "--fragfirst",
        "--fragmore",
        "--fraglast",
    ),
    "hashlimit": (
        "!--hashlimit-upto|--hashlimit word",
        "!--hashlimit-above word",
        "--hashlimit-burst word",
        "--hashlimit-mode hash-mode",
        "--hashlimit-name word",
        "--hashlimit-htable-size uint =0",
        "--hashlimit-htable-max uint =0",
        "--hashlimit-htable-gcinterval uint =1000",
        "--hashlimit-htable-expire uint",
        "--hashlimit-srcmask mask-length",
        "--hashlimit-dstmask mask-length",
        "--hashlimit-rate-match",
        "--hashlimit-rate-interval uint",
    ),
    "hbh": ("!--hbh-len uint", "--hbh-opts ipv6-options"),
    "helper": ("!--helper string",),
    "hl": ("!--hl-eq|--hl uint", "--hl-lt uint", "--hl-gt uint"),
    "ipcomp": ("!--ipcompspi range32", "--compres"),
    "iprange": ("!--src-range ip-range", "!--dst-range ip-range"),
    "ipv6header": ("!--header ipv6-headers", "--soft"),
    "ipvs": (
        "!--ipvs",
        "!--vproto protocol-number",
        "!--vaddr host-mask",
        "!--vport ports",
        "--vdir upper",
        "!--vmethod upper",
        "!--vportctl ports",
    ),
    "length": ("!--length range16",),
    "limit": ("--limit limit-rate +3/hour", "--limit-burst uint =5"),
    "mac": ("!--mac-source mac",),
    "mark": ("!--mark mark",),
    "mh": ("!--mh-type mh-types",),
    "multiport": (
        "!--sports|--source-ports port-list",
        "!--dports|--destination-ports port-list",
        "!--ports port-list",
    ),
    "nfacct": ("--nfacct-name nfacct-name",),
    "osf": ("!--genre word", "--ttl uint", "--log uint"),
    "owner": ("!--uid-owner users", "!--gid-owner groups", "!--socket-exists", "--suppl-groups"),
    "physdev": (
        "!--physdev-is-in",
        "!--physdev-in word",
        "!--physdev-is-out",
        "!--physdev-out word",
        "!--physdev-is-bridged",
    ),
    "pkttype": ("!--pkt-type packet-type",),
    "policy": (
        "--dir word",
        "--pol word",
        "--strict",
        "!--reqid uint",
        "!--spi hex",
        "!--proto protocol",
        "!--mode word",
        "!--tunnel-dst host-mask",
        "!--tunnel-src host-mask",
        "--next as-it-is?",
    ),
    "quota": ("!--quota uint",),
    "rateest": (
        "--rateest-delta",
        "!--rateest-lt",
        "!--rateest-gt",
        "!--rateest-eq",
        "--rateest as-it-is",
        "--rateest1 as-it-is",
        "--rateest2 word",
        "--rateest-bps bit-rate?",
        "--rateest-pps uint?",
        "--rateest-bps1 bit-rate?",
        "--rateest-pps1 uint?",
        "--rateest-bps2 bit-rate?",
        "--rateest-pps2 uint?",
    ),
    "realm": ("!--realm mark",),
    "recent": (
        "!--set",
        "!--rcheck",
        "!--update",
        "!--remove",
        "--seconds uint",
        "--reap",
        "--hitcount uint =0",
        "--rttl",
        "--name word +DEFAULT",
        "--mask ip-mask",
        "--rsource",
        "--rdest",
    ),
    "rpfilter": ("--loose", "--validmark", "--accept-local", "--invert"),
    "rt": (
        "!--rt-type uint",
        "!--rt-segsleft range32",
        "!--rt-len uint",
        "--rt-0-res",
        "--rt-0-addrs ipv6-list",
        "--rt-0-not-strict",
    ),
    "set": (
        "!--match-set|--set word word",
        "--return-nomatch",
        "!--update-counters",
        "!--update-subcounters",
        "!--packets-eq uint",
        "--packets-lt uint",
        "--packets-gt uint",
        "!--bytes-eq uint",
        "--bytes-lt uint",
        "--bytes-gt uint",
    ),
    "socket": ("--transparent", "--nowildcard", "--restore-skmark"),
    "srh": (
        "!--srh-next-hdr uint",
        *(f"!--srh-{field}-{test} uint" for field in _SRH_LENGTHS for test in ("eq", "gt", "lt")),
        "!--srh-tag uint",
        "!--srh-psid host-length",
        "!--srh-nsid host-length",
        "!--srh-lsid host-length",
    ),
    "state": ("!--state ct-states",),
    "statistic": ("--mode word", "!--probability probability", "!--every uint", "--packet uint"),
    "string": (
        "!--string always-quoted",
        "!--hex-string always-quoted",
        "--algo word",
        "--from uint =0",
        "--to uint =65535",
        "--icase",
    ),
    "tcpmss": ("!--mss range16",),
    "time": (
        "--timestart clock",
        "--timestop clock",
        "!--monthdays word",
        "!--weekdays word",
        "--datestart date",
        "--datestop date +2038-01-19T03:14:07",
        "--kerneltz",
        "--contiguous",
        "--utc",
        "--localtz",
    ),
    "tos": ("!--tos set-tos",),
    "ttl": ("!--ttl-eq|--ttl uint", "--ttl-lt uint", "--ttl-gt uint"),
    "u32": ("!--u32 u32",),
}

# `-p NAME` loads the match of the protocol without `-m`; these are spelled otherwise than their match.
PROTOCOL_MATCH = {
    "icmpv6": "icmp6",
    "ipv6-icmp": "icmp6",
    "ipv6-mh": "mh",
    "mobility-header": "mh",
    "6": "tcp",
    "17": "udp",
    "108": "ipcomp",
    "132": "sctp",
    "1": "icmp",
    "33": "dccp",
    "50": "esp",
    "51": "ah",
    "58": "icmp6",
    "135": "mh",
    "136": "udplite",
}


@cache
def match_options(name: str) -> OptionTable | None:
    """Return the options of match `name`, or None for a match this table does not know."""
    rows = _MATCHES.get(name)
    return None if rows is None else table_of(rows)


def match_names() -> tuple[str, ...]:
    """Return the names of all known matches."""
    return tuple(_MATCHES)
