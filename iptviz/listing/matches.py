"""The matches as `iptables -L` prints them: the frequent ones, which are tried first, and those of rates.

A listing never shows hashlimit's name, nor whether quota is negated.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.listing.other_matches import OTHER_MATCHES
from iptviz.listing.words import HEX, NUMBER, WORD, ListedMatch, ahead, listed_match, same, transport

if TYPE_CHECKING:
    from iptviz.listing.words import Words

_CONNTRACK = (
    "ctstate ctproto ctorigsrc ctorigdst ctreplsrc ctrepldst "
    "ctorigsrcport ctorigdstport ctreplsrcport ctrepldstport ctstatus ctexpire ctdir"
)


def _icmp(head: str, name: str, option: str) -> tuple[ListedMatch, ...]:
    """Types are numbers with -n and names without it."""
    start = f"-m {name} {{n:!}}--{option} "
    numbered = rf"{head}\s*+(?P<n>!)?type"
    return (
        listed_match(rf"{numbered} (?P<a>\d+) code (?P<b>\d+)", start + "{a}/{b}"),
        listed_match(rf"{numbered} (?P<a>\d+)", start + "{a}"),
        listed_match(rf"{head} (?P<n>!)?(?P<a>[A-Za-z][\w-]*)", start + "{a}"),
    )


_FIRST = (
    transport(
        "tcp",
        (r"option=(?P<n>!)?(?P<a>\d+)", "{n:!}--tcp-option {a}"),
        (
            rf"flags:\s*+(?P<n>!)?(?P<a>{HEX}|[A-Z,]+)/(?P<b>{HEX}|[A-Z,]+)",
            "{n:!}--tcp-flags {a:flags} {b:flags}",
        ),
    ),
    transport("udp"),
    listed_match(r"(?:mark|MARK) match (?P<n>!)?(?P<a>\S+)", "-m mark {n:!}--mark {a}"),
    listed_match(ahead(_CONNTRACK), "-m conntrack", *same(_CONNTRACK, WORD)),
    listed_match("statistic mode random", "-m statistic --mode random", *same("probability", r"[\d.]+")),
    listed_match(
        "statistic mode nth",
        "-m statistic --mode nth",
        *same("every", NUMBER),
        (r"(?!packet\s)", "--packet 0"),  # printed where it is another
        *same("packet", NUMBER),
    ),
    listed_match(
        "ADDRTYPE match",
        "-m addrtype",
        (r"src-type (?P<n>!)?(?P<a>\S+)", "{n:!}--src-type {a}"),
        (r"dst-type (?P<n>!)?(?P<a>\S+)", "{n:!}--dst-type {a}"),
        ("limit-in", "--limit-iface-in"),
        ("limit-out", "--limit-iface-out"),
    ),
    listed_match(  # printed as plain `set` before 1.4.8
        r"(?P<n>!)?(?:match-)?set (?P<a>\S+) (?P<b>(?:src|dst)(?:,(?:src|dst)){0,5})",
        "-m set {n:!}--match-set {a} {b}",
        *same("return-nomatch update-counters update-subcounters"),
        *same("packets-eq packets-lt packets-gt bytes-eq bytes-lt bytes-gt", NUMBER),
    ),
    listed_match(r"multiport (?P<w>sports|dports|ports) (?P<n>!)?(?P<a>\S+)", "-m multiport {n:!}--{w} {a}"),
    listed_match(r"(?P<n>!)?state (?P<a>[A-Z,]+)", "-m state {n:!}--state {a}"),
    listed_match(r"(?:connmark|CONNMARK) match (?P<n>!)?(?P<a>\S+)", "-m connmark {n:!}--mark {a}"),
    listed_match(r"icmp\s*+(?P<n>!)?type 255(?: code \d+)?", "-m icmp {n:!}--icmp-type any"),
    *_icmp("icmp", "icmp", "icmp-type"),
    *_icmp("ipv6-icmp", "icmp6", "icmpv6-type"),
)

_HASHLIMIT: tuple[Words, ...] = (
    (r"mode (?P<a>[a-z-]+)", "--hashlimit-mode {a:commas}"),
    *(
        (rf"{word} (?P<a>\d+)", f"--hashlimit-{word} {{a}}")
        for word in ("htable-size", "htable-max", "htable-gcinterval", "htable-expire", "srcmask", "dstmask")
    ),
    ("rate-match", "--hashlimit-rate-match"),
    (r"rate-interval (?P<a>\d+)", "--hashlimit-rate-interval {a}"),
)


def _hashlimit(words: str, option: str) -> ListedMatch:
    form = f"-m hashlimit --hashlimit-{option} {{a}} --hashlimit-burst {{b}}"
    return listed_match(rf"limit: {words}", form, *_HASHLIMIT)


def _connections(end: str, sign: str, option: str) -> ListedMatch:
    """Releases before 1.4.10 did not print `src`: they counted nothing else."""
    words = r"(?: src)?" if end == "s" else " dst"
    form = f"-m connlimit --connlimit-{option} {{a}} --connlimit-mask {{m}} --connlimit-{end}addr"
    return listed_match(rf"#conn{words}/(?P<m>\d+) {sign} (?P<a>\d+)", form)


_RATES = (
    _hashlimit(r"up to (?P<a>\S+) burst (?P<b>\S+)", "upto"),
    _hashlimit(r"above (?P<a>\S+) burst (?P<b>\S+)", "above"),
    # Its first print differs from that of limit by the mode alone.
    _hashlimit(r"avg (?P<a>\S+) burst (?P<b>\S+)(?=\s+mode\s)", "upto"),
    listed_match(r"limit: avg (?P<a>\S+) burst 5", "-m limit --limit {a}"),
    listed_match(r"limit: avg (?P<a>\S+) burst (?P<b>\d+)", "-m limit --limit {a} --limit-burst {b}"),
    listed_match(
        r"(?P<n>!)?recent: (?P<w>SET|CHECK|UPDATE|REMOVE)",
        "-m recent {n:!}{w:recent}",
        (r"seconds: (?P<a>\d+)", "--seconds {a}"),
        ("reap", "--reap"),
        (r"hit_count: (?P<a>\d+)", "--hitcount {a}"),
        ("TTL-Match", "--rttl"),
        (r"name: (?P<a>\S+)", "--name {a}"),
        # Releases before 1.4.16 had no mask.
        (r"side: (?P<w>source|dest) mask: (?P<a>\S+)", "--mask {a} {w:side}"),
        (r"side: (?P<w>source|dest)", "{w:side}"),
    ),
    _connections("s", ">", "above"),
    _connections("s", "<=", "upto"),
    _connections("d", ">", "above"),
    _connections("d", "<=", "upto"),
    listed_match(
        r"(?P<n>!)?connbytes (?P<a>[\d:]+)",
        "-m connbytes {n:!}--connbytes {a}",
        ("connbytes mode (?P<a>[a-z]+)", "--connbytes-mode {a}"),
        ("connbytes direction (?P<a>[a-z]+)", "--connbytes-dir {a}"),
    ),
    listed_match(r"quota: (?P<a>\d+) bytes", "-m quota --quota {a}"),
)

LISTED_MATCHES: tuple[ListedMatch, ...] = (*_FIRST, *_RATES, *OTHER_MATCHES)
