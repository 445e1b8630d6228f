"""Matches and their options, from `iptables-extensions(8)` and `ip6tables -m NAME --help`, 1.8.11."""

from __future__ import annotations

from functools import cache

from iptviz.xtables.option import OptionTable, table_of

BASIC = table_of(
    (
        "!-s|--source|--src 1",
        "!-d|--destination|--dst 1",
        "!-p|--protocol|--proto 1",
        "!-i|--in-interface 1",
        "!-o|--out-interface 1",
        "!-f|--fragment 0",
        "-4|--ipv4 0",
        "-6|--ipv6 0",
    )
)

_PORTS = ("!--sport|--source-port 1", "!--dport|--destination-port 1")
_SRH_LENGTHS = ("hdr-len", "segs-left", "last-entry")
_TRANSPORT = {
    "tcp": (*_PORTS, "!--tcp-flags 2", "!--syn 0", "!--tcp-option 1"),
    "udp": _PORTS,
    "udplite": _PORTS,
    "sctp": (*_PORTS, "!--chunk-types 2"),
    "dccp": (*_PORTS, "!--dccp-types 1", "!--dccp-option 1"),
    "icmp": ("!--icmp-type 1",),
    "icmp6": ("!--icmpv6-type|--icmp6-type 1",),
    "ah": ("!--ahspi 1", "!--ahlen 1", "--ahres 0"),
    "esp": ("!--espspi 1",),
}

_MATCHES: dict[str, tuple[str, ...]] = {
    **_TRANSPORT,
    "addrtype": ("!--src-type 1", "!--dst-type 1", "--limit-iface-in 0", "--limit-iface-out 0"),
    "bpf": ("--bytecode 1", "--object-pinned 1"),
    "cgroup": ("!--path 1", "!--cgroup 1"),
    "cluster": (
        "--cluster-total-nodes 1",
        "!--cluster-local-node 1",
        "!--cluster-local-nodemask 1",
        "--cluster-hash-seed 1",
    ),
    "comment": ("--comment 1",),
    "connbytes": ("!--connbytes 1", "--connbytes-dir 1", "--connbytes-mode 1"),
    "connlabel": ("!--label 1", "--set 0"),
    "connlimit": (
        "--connlimit-upto 1",
        "!--connlimit-above 1",
        "--connlimit-mask 1",
        "--connlimit-saddr 0",
        "--connlimit-daddr 0",
    ),
    "connmark": ("!--mark 1",),
    "conntrack": (
        "!--ctstate 1",
        "!--ctproto 1",
        "!--ctorigsrc 1",
        "!--ctorigdst 1",
        "!--ctreplsrc 1",
        "!--ctrepldst 1",
        "!--ctorigsrcport 1",
        "!--ctorigdstport 1",
        "!--ctreplsrcport 1",
        "!--ctrepldstport 1",
        "!--ctstatus 1",
        "!--ctexpire 1",
        "--ctdir 1",
    ),
    "cpu": ("!--cpu 1",),
    "devgroup": ("!--src-group 1", "!--dst-group 1"),
    "dscp": ("!--dscp 1", "!--dscp-class 1"),
    "dst": ("!--dst-len 1", "--dst-opts 1"),
    "ecn": ("!--ecn-tcp-cwr 0", "!--ecn-tcp-ece 0", "!--ecn-ip-ect 1"),
    "eui64": (),
    "frag": (
        "!--fragid 1",
        "!--fraglen 1",
        "--fragres 0",
        "--fragfirst 0",
        "--fragmore 0",
        "--fraglast 0",
    ),
    "hashlimit": (
        "--hashlimit-upto|--hashlimit 1",
        "--hashlimit-above 1",
        "--hashlimit-burst 1",
        "--hashlimit-mode 1",
        "--hashlimit-srcmask 1",
        "--hashlimit-dstmask 1",
        "--hashlimit-name 1",
        "--hashlimit-htable-size 1",
        "--hashlimit-htable-max 1",
        "--hashlimit-htable-expire 1",
        "--hashlimit-htable-gcinterval 1",
        "--hashlimit-rate-match 0",
        "--hashlimit-rate-interval 1",
    ),
    "hbh": ("!--hbh-len 1", "--hbh-opts 1"),
    "helper": ("!--helper 1",),
    "hl": ("!--hl-eq 1", "--hl-lt 1", "--hl-gt 1"),
    "ipcomp": ("!--ipcompspi 1", "--compres 0"),
    "iprange": ("!--src-range 1", "!--dst-range 1"),
    "ipv6header": ("--soft 0", "!--header 1"),
    "ipvs": (
        "!--ipvs 0",
        "!--vproto 1",
        "!--vaddr 1",
        "!--vport 1",
        "--vdir 1",
        "!--vmethod 1",
        "!--vportctl 1",
    ),
    "length": ("!--length 1",),
    "limit": ("--limit 1", "--limit-burst 1"),
    "mac": ("!--mac-source 1",),
    "mark": ("!--mark 1",),
    "mh": ("!--mh-type 1",),
    "multiport": (
        "!--sports|--source-ports 1",
        "!--dports|--destination-ports 1",
        "!--ports 1",
    ),
    "nfacct": ("--nfacct-name 1",),
    "osf": ("!--genre 1", "--ttl 1", "--log 1"),
    "owner": ("!--uid-owner 1", "!--gid-owner 1", "!--socket-exists 0", "--suppl-groups 0"),
    "physdev": (
        "!--physdev-in 1",
        "!--physdev-out 1",
        "!--physdev-is-in 0",
        "!--physdev-is-out 0",
        "!--physdev-is-bridged 0",
    ),
    "pkttype": ("!--pkt-type 1",),
    "policy": (
        "--dir 1",
        "--pol 1",
        "--strict 0",
        "!--reqid 1",
        "!--spi 1",
        "!--proto 1",
        "!--mode 1",
        "!--tunnel-src 1",
        "!--tunnel-dst 1",
        "--next 0",
    ),
    "quota": ("!--quota 1",),
    "rateest": (
        "--rateest-delta 0",
        "!--rateest-lt 0",
        "!--rateest-gt 0",
        "!--rateest-eq 0",
        "--rateest 1",
        "--rateest1 1",
        "--rateest2 1",
        "--rateest-bps ?",
        "--rateest-pps ?",
        "--rateest-bps1 1",
        "--rateest-pps1 1",
        "--rateest-bps2 1",
        "--rateest-pps2 1",
    ),
    "realm": ("!--realm 1",),
    "recent": (
        "!--set 0",
        "!--rcheck 0",
        "!--update 0",
        "!--remove 0",
        "--seconds 1",
        "--reap 0",
        "--hitcount 1",
        "--rttl 0",
        "--name 1",
        "--mask 1",
        "--rsource 0",
        "--rdest 0",
    ),
    "rpfilter": ("--loose 0", "--validmark 0", "--accept-local 0", "--invert 0"),
    "rt": (
        "!--rt-type 1",
        "!--rt-segsleft 1",
        "!--rt-len 1",
        "--rt-0-res 0",
        "--rt-0-addrs 1",
        "--rt-0-not-strict 0",
    ),
    "set": (
        "!--match-set|--set 2",
        "--return-nomatch 0",
        "!--update-counters 0",
        "!--update-subcounters 0",
        "!--packets-eq 1",
        "--packets-lt 1",
        "--packets-gt 1",
        "!--bytes-eq 1",
        "--bytes-lt 1",
        "--bytes-gt 1",
    ),
    "socket": ("--transparent 0", "--nowildcard 0", "--restore-skmark 0"),
    "srh": (
        "!--srh-next-hdr 1",
        *(f"!--srh-{field}-{test} 1" for field in _SRH_LENGTHS for test in ("eq", "gt", "lt")),
        "!--srh-tag 1",
        "!--srh-psid 1",
        "!--srh-nsid 1",
        "!--srh-lsid 1",
    ),
    "state": ("!--state 1",),
    "statistic": ("--mode 1", "!--probability 1", "!--every 1", "--packet 1"),
    "string": (
        "--from 1",
        "--to 1",
        "--algo 1",
        "--icase 0",
        "!--string 1",
        "!--hex-string 1",
    ),
    "tcpmss": ("!--mss 1",),
    "time": (
        "--timestart 1",
        "--timestop 1",
        "!--monthdays 1",
        "!--weekdays 1",
        "--datestart 1",
        "--datestop 1",
        "--kerneltz 0",
        "--contiguous 0",
        "--utc 0",
        "--localtz 0",
    ),
    "tos": ("!--tos 1",),
    "ttl": ("!--ttl-eq|--ttl 1", "--ttl-lt 1", "--ttl-gt 1"),
    "u32": ("!--u32 1",),
}

# `-p NAME` loads the match of the protocol without `-m`; these are spelled otherwise than their match.
PROTOCOL_MATCH = {
    "icmpv6": "icmp6",
    "ipv6-icmp": "icmp6",
    "ipv6-mh": "mh",
    "mobility-header": "mh",
    "6": "tcp",
    "17": "udp",
    "132": "sctp",
    "1": "icmp",
    "58": "icmp6",
}


@cache
def match_options(name: str) -> OptionTable | None:
    """Return the options of match `name`, or None for a match this table does not know."""
    rows = _MATCHES.get(name)
    return None if rows is None else table_of(rows)


def match_names() -> tuple[str, ...]:
    """Return the names of all known matches."""
    return tuple(_MATCHES)
