"""The rarer matches as `iptables -L` prints them: of headers, of the node's devices and of its processes.

A listing never shows the ttl and the log of osf.
"""

from __future__ import annotations

from iptviz.listing.words import (
    HEX,
    NUMBER,
    QUOTED,
    WORD,
    ListedMatch,
    Words,
    ahead,
    listed_match,
    same,
    transport,
)
from iptviz.xtables.values.headers import DCCP_TYPES

# Printed without a word before them: no other match's word may be taken for one.
_DCCP_TYPE = rf"(?:\d+|{'|'.join(sorted(DCCP_TYPES, reverse=True))})"
_IPVS = "vproto vaddr vport vdir vmethod vportctl"


def _compared(head: str, name: str) -> tuple[ListedMatch, ...]:
    """Make the matches of TTL or hop limit, which are compared by a sign."""
    signs = {"==": "--{}-eq", "!=": "! --{}-eq", "<": "--{}-lt", ">": "--{}-gt"}
    return tuple(
        listed_match(rf"{head} {sign} (?P<a>\d+)", f"-m {name} {option.format(name)} {{a}}")
        for sign, option in signs.items()
    )


def _inverted(word: str, option: str, value: str = r"\d[\d:]*") -> Words:
    """Make an option printed as `word:!5`."""
    return rf"{word}:(?P<n>!)?(?P<a>{value})", f"{{n:!}}--{option} {{a}}"


def _ipv6_options(name: str) -> ListedMatch:
    opts = (r"opts (?P<a>[\d:,]+)", f"--{name}-opts {{a}}")
    return listed_match(name, f"-m {name}", _inverted("length", f"{name}-len"), opts)


_HEADERS = (
    listed_match(r"length (?P<n>!)?(?P<a>\d[\d:]*)", "-m length {n:!}--length {a}"),
    *_compared("TTL match TTL", "ttl"),
    *_compared("HL match HL", "hl"),
    listed_match(r"DSCP match (?P<n>!)?(?P<a>\S+)", "-m dscp {n:!}--dscp {a}"),
    listed_match(r"(?:tos|TOS) match\s*+(?P<n>!)?(?P<a>[\w-]+(?:/\w+)?)", "-m tos {n:!}--tos {a}"),
    listed_match(
        "ECN match",
        "-m ecn",
        ("(?P<n>!)?ECE", "{n:!}--ecn-tcp-ece"),
        ("(?P<n>!)?CWR", "{n:!}--ecn-tcp-cwr"),
        (r"(?P<n>!)?ECT=(?P<a>\d)", "{n:!}--ecn-ip-ect {a}"),
    ),
    listed_match(r"tcpmss match (?P<n>!)?(?P<a>\d[\d:]*)", "-m tcpmss {n:!}--mss {a}"),
    listed_match(r"OS fingerprint match (?P<n>!)?(?P<a>\S+)", "-m osf {n:!}--genre {a}"),
    transport("sctp", (r"(?P<n>!)?(?P<w>all|any|only) (?P<a>\S+)", "{n:!}--chunk-types {w} {a:chunks}")),
    transport(
        "dccp",
        (rf"(?P<n>!)?(?P<a>{_DCCP_TYPE}(?:,{_DCCP_TYPE}){{0,15}})", "{n:!}--dccp-types {a:dccp}"),
        (r"option=(?P<n>!)?(?P<a>\d+)", "{n:!}--dccp-option {a}"),
    ),
    listed_match("esp", "-m esp", _inverted("spis?", "espspi")),
    listed_match("comp", "-m ipcomp", _inverted("spis?", "ipcompspi")),
    listed_match(
        "ah", "-m ah", _inverted("spis?", "ahspi"), _inverted("length", "ahlen"), ("reserved", "--ahres")
    ),
    listed_match(
        "STRING match",
        "-m string",
        (r'(?P<n>!)?(?P<a>"\|(?:[0-9a-f]{2}){1,128}\|")', "{n:!}--hex-string {a:raw}"),
        (rf"(?P<n>!)?(?P<a>{QUOTED})", "{n:!}--string {a:raw}"),
        ("ALGO name (?P<a>bm|kmp)", "--algo {a}"),
        (r"FROM (?P<a>\d+)", "--from {a}"),
        (r"TO (?P<a>\d+)", "--to {a}"),
        ("ICASE", "--icase"),
    ),
    listed_match(rf"u32 (?P<n>!)?(?P<a>{QUOTED})", "-m u32 {n:!}--u32 {a:raw}"),
    # A program's print ends in a byte 0.
    listed_match(r"match bpf (?P<a>\d[\d\s,\0]*)", "-m bpf --bytecode {a:program}"),
    listed_match(r"match bpf pinned (?P<a>\S+)", "-m bpf --object-pinned {a}"),
)

_IPV6 = (
    _ipv6_options("dst"),
    _ipv6_options("hbh"),
    listed_match("eui64", "-m eui64"),
    listed_match(
        "frag",
        "-m frag",
        _inverted("ids?", "fragid"),
        _inverted("length", "fraglen"),
        *((printed, f"--frag{word}") for printed, word in (("reserved", "res"), ("first", "first"))),
        *((word, f"--frag{word}") for word in ("more", "last")),
    ),
    listed_match(
        r"ipv6header flags:(?P<n>!)?(?P<a>\S+)",
        "-m ipv6header {n:!}--header {a:headers}",
        ("soft", "--soft"),
    ),
    listed_match(
        "rt",
        "-m rt",
        _inverted("type", "rt-type"),
        _inverted("segslefts?", "rt-segsleft"),
        _inverted("length", "rt-len"),
        ("reserved", "--rt-0-res"),
        (r"0-addrs (?P<a>[\w:.,]+)", "--rt-0-addrs {a}"),
        ("0-not-strict", "--rt-0-not-strict"),
    ),
    listed_match(r"mh (?P<n>!)?(?P<a>[\w:-]+)", "-m mh {n:!}--mh-type {a}"),
    listed_match(
        "srh",
        "-m srh",
        _inverted("next-hdr", "srh-next-hdr"),
        *(
            _inverted(f"{word}-{test}", f"srh-{word}-{test}")
            for word in ("hdr-len", "segs-left", "last-entry")
            for test in ("eq", "gt", "lt")
        ),
        _inverted("tag", "srh-tag"),
        *(
            (rf"{word} (?P<n>!)?(?P<a>\S+)", f"{{n:!}}--srh-{word} {{a}}")
            for word in ("psid", "nsid", "lsid")
        ),
    ),
)

_POLICY: tuple[Words, ...] = (
    *same("reqid", NUMBER),
    *same("spi", HEX),
    (r"(?P<n>!)?proto (?P<a>\S+)", "{n:!}--proto {a:ipsec}"),
    *same("mode tunnel-dst tunnel-src", WORD),
)

_NODE = (
    listed_match(
        ahead("owner OWNER"),
        "-m owner",
        (r"(?P<n>!)?(?:owner|OWNER) UID match (?P<a>\S+)", "{n:!}--uid-owner {a}"),
        (r"(?P<n>!)?(?:owner|OWNER) GID match (?P<a>\S+)", "{n:!}--gid-owner {a}"),
        ("(?P<n>!)?owner socket exists", "{n:!}--socket-exists"),
        (r"incl\. suppl\. groups", "--suppl-groups"),
    ),
    listed_match(
        "(?=(?:source|destination) IP range )",
        "-m iprange",
        (r"source IP range (?P<n>!)?(?P<a>[\w:.]+-[\w:.]+)", "{n:!}--src-range {a}"),
        (r"destination IP range (?P<n>!)?(?P<a>[\w:.]+-[\w:.]+)", "{n:!}--dst-range {a}"),
    ),
    listed_match(
        "PHYSDEV match",
        "-m physdev",
        *(
            row
            for word in ("in", "out")
            for row in (*same(f"--physdev-is-{word}"), *same(f"--physdev-{word}", WORD))
        ),
        *same("--physdev-is-bridged"),
    ),
    listed_match(
        "policy match dir (?P<a>in|out) pol (?P<b>none|ipsec)",
        "-m policy --dir {a} --pol {b}",
        *same("strict"),
        # The elements of a policy, of which the kernel takes four, are numbered where there is more than one.
        *((r"\[0\]", ""), *_POLICY),
        *(row for place in (1, 2, 3) for row in ((rf"\[{place}\]", "--next"), *_POLICY)),
    ),
    listed_match("rpfilter", "-m rpfilter", *same("loose validmark accept-local invert")),
    listed_match("socket", "-m socket", *same("--transparent --nowildcard --restore-skmark")),
    listed_match(
        r"MAC\s*+(?P<n>!)?(?P<a>(?:[0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2})", "-m mac {n:!}--mac-source {a}"
    ),
    listed_match("PKTTYPE = (?P<a>[a-z]+)", "-m pkttype --pkt-type {a}"),
    listed_match("PKTTYPE != (?P<a>[a-z]+)", "-m pkttype ! --pkt-type {a}"),
    listed_match(ahead("src-group dst-group"), "-m devgroup", *same("src-group dst-group", WORD)),
    listed_match(r"(?P<n>!)?realm (?P<a>\S+)", "-m realm {n:!}--realm {a}"),
    listed_match(r"cpu (?P<n>!)?(?P<a>\d+)", "-m cpu {n:!}--cpu {a}"),
    listed_match(r"cgroup (?P<n>!)?(?P<a>\d+)", "-m cgroup {n:!}--cgroup {a}"),
    listed_match(r"cgroup (?P<n>!)?(?P<a>\S+)", "-m cgroup {n:!}--path {a}"),
    listed_match(rf"helper match (?P<n>!)?(?P<a>{QUOTED})", "-m helper {n:!}--helper {a:raw}"),
    listed_match(r"(?P<n>!)?nfacct-name (?P<a>\S+)", "-m nfacct {n:!}--nfacct-name {a}"),
    listed_match(
        rf"cluster (?P<n>!)?node_mask=(?P<a>{HEX}) total_nodes=(?P<b>\d+) hash_seed=(?P<c>{HEX})",
        "-m cluster {n:!}--cluster-local-nodemask {a} --cluster-total-nodes {b} --cluster-hash-seed {c}",
    ),
    listed_match(
        r"connlabel (?P<n>!)?(?P<a>\S+)",
        "-m connlabel {n:!}--label {a}",
        (r"set(?! \S+ (?:src|dst)(?:[,\s]|\Z))", "--set"),  # not the old print of match set
    ),
    listed_match(ahead(f"ipvs {_IPVS}"), "-m ipvs", *same("ipvs"), *same(_IPVS, WORD)),
)

_TIME: tuple[Words, ...] = (
    (r"from (?P<a>[\d:]+)", "--timestart {a}"),
    (r"to (?P<a>[\d:]+)", "--timestop {a}"),
    (r"on (?P<a>\d\w*(?:,\w++){0,30})", "--monthdays {a:days}"),
    (r"on (?P<a>[A-Z]\w*(?:,\w++){0,6})", "--weekdays {a}"),
    (r"starting from (?P<a>[\d-]+) (?P<b>[\d:]+)", "--datestart {a}T{b}"),
    (r"until date (?P<a>[\d-]+) (?P<b>[\d:]+)", "--datestop {a}T{b}"),
    ("(?!UTC)", "--kerneltz"),
    ("UTC", ""),
    ("contiguous", "--contiguous"),
)

OTHER_MATCHES: tuple[ListedMatch, ...] = (*_HEADERS, *_IPV6, *_NODE, listed_match("TIME", "-m time", *_TIME))
