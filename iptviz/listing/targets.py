"""What `iptables -L` prints of each target after the matches; a target that is not named here prints nothing.

Words like `or` and `xor` become the one option that iptables-save writes for all of them.
"""

from __future__ import annotations

from iptviz.listing.words import HEX, NUMBER, QUOTED, WORD, Row, Words, rows, same

_RANDOM = same("random random-fully persistent")
_LOG_WORDS = "(?: (?:tcp-sequence|tcp-options|ip-options|uid|macdecode)){0,5}"
# Old releases open it with a backtick; it is printed as it is, whatever quotes it holds.
_SAID = r"""(?:"(?P<p>.*)"|`(?P<q>.*)')"""
_SHIFTS = same("left-shift-mark right-shift-mark", NUMBER)


def _bits(name: str) -> tuple[Words, ...]:
    return (
        (rf"{name} set (?P<a>{HEX})", "--set-xmark {a}/0xffffffff"),
        (rf"{name} xset (?P<a>{HEX}/{HEX})", "--set-xmark {a}"),
        (rf"{name} or (?P<a>{HEX})", "--set-xmark {a}/{a}"),
        (rf"{name} and (?P<a>{HEX})", "--set-xmark 0x0/{a:not32}"),
        (rf"{name} xor (?P<a>{HEX})", "--set-xmark {a}/0x0"),
    )


def _copy(word: str, first: str, second: str) -> tuple[Words, ...]:
    """CONNMARK copies all of a mark, or what one mask or two leave of it."""
    start = f"CONNMARK {word}"
    both = f"--{word}-mark --nfmask {{a}} --ctmask "
    return (
        (rf"{start} mask (?P<a>{HEX})", both + "{a}"),
        (
            rf"{start} {first} (?P<{first[0]}>{HEX}) {second} ~(?P<{second[0]}>{HEX})",
            f"--{word}-mark --nfmask {{n}} --ctmask {{c}}",
        ),
        (start, f"--{word}-mark --nfmask 0xffffffff --ctmask 0xffffffff"),
    )


def _changed(head: str, name: str) -> tuple[Words, ...]:
    words = {"set to": "set", "decrement by": "dec", "increment by": "inc"}
    return tuple((rf"{head} {word} (?P<a>\d+)", f"--{name}-{option} {{a}}") for word, option in words.items())


def _prefixes(name: str) -> tuple[Words, ...]:
    return ((rf"{name} src-pfx (?P<a>\S+) dst-pfx (?P<b>\S+)", "--src-pfx {a} --dst-pfx {b}"),)


def _in_set(word: str) -> Words:
    return rf"{word} (?P<a>\S+) (?P<b>(?:src|dst)(?:,(?:src|dst)){{0,5}})", f"--{word} {{a}} {{b}}"


_WORDS: dict[str, tuple[Words, ...]] = {
    "DNAT": ((r"to:(?P<a>\S+)", "--to-destination {a}"), *_RANDOM),
    "SNAT": ((r"to:(?P<a>\S+)", "--to-source {a}"), *_RANDOM),
    "MASQUERADE": ((r"masq ports: (?P<a>\S+)", "--to-ports {a}"), *_RANDOM),
    "REDIRECT": ((r"redir ports (?P<a>\S+)", "--to-ports {a}"), *_RANDOM),
    "NETMAP": ((r"to:(?P<a>\S+)", "--to {a}"),),
    "REJECT": same("reject-with", WORD),
    "MARK": _bits("MARK"),
    "CONNMARK": (
        *_bits("CONNMARK"),
        *_copy("save", "nfmask", "ctmask"),
        *_copy("restore", "ctmask", "nfmask"),
        *_SHIFTS,
    ),
    "CT": (
        ("NOTRACK", "--notrack"),
        (r"CT(?=\s)", ""),
        *same("notrack"),
        *same("helper ctevents expevents timeout zone zone-orig zone-reply", WORD),
    ),
    "LOG": (
        (
            rf"LOG(?: flags (?P<f>\d{{1,5}}))? level (?P<l>\S+)(?P<w>{_LOG_WORDS})(?: prefix {_SAID})?",
            "{p:prefix}{q:prefix}{l:level}{f:log}{w:log}",
        ),
    ),
    "NFLOG": (
        (rf"nflog-prefix (?P<a>{QUOTED}|[^\s\"]+)", "--nflog-prefix {a:raw}"),
        *same("nflog-group nflog-range nflog-size nflog-threshold", NUMBER),
    ),
    "ULOG": (
        (r"ULOG copy_range (?P<a>\d+) nlgroup (?P<b>\d+)", "--ulog-cprange {a} --ulog-nlgroup {b}"),
        (r"""prefix ["`](?P<p>.*)["'](?=\s|\Z)""", "--ulog-prefix {p}"),
        (r"queue_threshold (?P<a>\d+)", "--ulog-qthreshold {a}"),
    ),
    "NFQUEUE": (
        (r"NFQUEUE num (?P<a>\d+)", "--queue-num {a}"),
        (r"NFQUEUE balance (?P<a>[\d:]+)", "--queue-balance {a}"),
        ("bypass", "--queue-bypass"),
        ("cpu-fanout", "--queue-cpu-fanout"),
    ),
    "TCPMSS": (("TCPMSS clamp to PMTU", "--clamp-mss-to-pmtu"), (r"TCPMSS set (?P<a>\d+)", "--set-mss {a}")),
    "TCPOPTSTRIP": ((r"TCPOPTSTRIP options (?P<a>\S+)", "--strip-options {a}"),),
    "TPROXY": (
        (
            rf"TPROXY redirect (?P<a>[\w.:]*):(?P<p>\d+) mark (?P<m>{HEX}/{HEX})",
            "--on-port {p} --on-ip {a} --tproxy-mark {m}",
        ),
    ),
    "TEE": ((r"TEE gw:(?P<a>\S+)", "--gateway {a}"), (r"oif=(?P<a>\S+)", "--oif {a}")),
    "TOS": (
        (rf"TOS set (?P<a>{HEX}/{HEX})", "--set-tos {a}"),
        (r"TOS set\s*+(?P<a>[A-Za-z][\w-]*)", "--set-tos {a}"),
        (rf"TOS and (?P<a>{HEX})", "--set-tos 0x00/{a:not8}"),
        (rf"TOS or (?P<a>{HEX})", "--set-tos {a}/{a}"),
        (rf"TOS xor (?P<a>{HEX})", "--set-tos {a}/0x00"),
    ),
    "DSCP": ((rf"DSCP set (?P<a>{HEX})", "--set-dscp {a}"),),
    "ECN": (("ECN TCP remove", "--ecn-tcp-remove"),),
    "TTL": _changed("TTL", "ttl"),
    "HL": _changed("HL", "hl"),
    "CHECKSUM": (("CHECKSUM fill", "--checksum-fill"),),
    "CLASSIFY": ((r"CLASSIFY set (?P<a>[0-9a-f]{1,4}:[0-9a-f]{1,4})", "--set-class {a:class}"),),
    "SET": (
        _in_set("add-set"),
        *same("exist"),
        *same("timeout", NUMBER),
        _in_set("del-set"),
        _in_set("map-set"),
        *same("map-mark map-prio map-queue"),
    ),
    "AUDIT": (("AUDIT (?P<a>[a-z]+)", "--type {a}"),),
    "CONNSECMARK": (("CONNSECMARK (?P<a>save|restore)", "--{a}"),),
    "SECMARK": ((r"SECMARK selctx (?P<a>\S+)", "--selctx {a}"),),
    "IDLETIMER": (
        (r"timeout:(?P<a>\d+)", "--timeout {a}"),
        (r"label:(?P<a>\S+)", "--label {a}"),
        ("alarm", "--alarm"),
    ),
    "LED": (
        (rf"led-trigger-id:(?P<a>{QUOTED})", "--led-trigger-id {a:raw}"),
        ("led-delay:inf", "--led-delay inf"),
        (r"led-delay:(?P<a>\d+)ms", "--led-delay {a}"),
        *same("led-always-blink"),
    ),
    "RATEEST": (
        (r"name (?P<a>\S+)", "--rateest-name {a}"),
        (r"interval (?P<a>[\w.]+)", "--rateest-interval {a}"),
        (r"ewmalog (?P<a>[\w.]+)", "--rateest-ewmalog {a}"),
    ),
    "SYNPROXY": (
        (r"SYNPROXY(?=\s|\Z)", ""),
        *same("sack-perm timestamp"),
        *same("wscale mss", NUMBER),
        *same("ecn"),
    ),
    "HMARK": (
        (r"HMARK mod (?P<a>\d+)", "--hmark-mod {a}"),
        (rf"\+ (?P<a>{HEX})", "--hmark-offset {a:decimal}"),
        ("ct,", "--hmark-tuple ct"),
        *(
            (rf"{word} (?P<a>\w+)", f"--hmark-{word} {{a}}")
            for word in ("src-prefix", "dst-prefix", "sport-mask", "dport-mask", "spi-mask")
        ),
        *(
            (rf"{word} (?P<a>\w+)", f"--hmark-{word} {{a}}")
            for word in ("sport", "dport", "spi", "proto-mask")
        ),
        (rf"rnd (?P<a>{HEX})", "--hmark-rnd {a}"),
    ),
    "CLUSTERIP": (
        (r"CLUSTERIP(?=\s)", "--new"),
        *(
            (rf"{word}=(?P<a>[\w:-]+)", f"--{word.replace('_', '-')} {{a}}")
            for word in ("hashmode", "clustermac", "total_nodes", "local_node")
        ),
        (r"hash_init=(?P<a>\d+)", "--hash-init {a}"),
    ),
    "SNPT": _prefixes("SNPT"),
    "DNPT": _prefixes("DNPT"),
}

LISTED_TARGETS: dict[str, tuple[Row, ...]] = {name: rows(*words) for name, words in _WORDS.items()}
