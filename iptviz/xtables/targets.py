"""Targets, their options, and whether a packet goes on to the next rule after them.

`continues` is what decides control flow: LOG and MARK let the rule after them be asked, DNAT ends the
table (`XT_CONTINUE` against a verdict in the kernel's `net/netfilter/xt_*.c`).
"""

from __future__ import annotations

from functools import cache

from iptviz.records import NamedTuple
from iptviz.xtables.option import OptionTable, table_of


class _TargetRow(NamedTuple):
    continues: bool
    rows: tuple[str, ...] = ()


class TargetSpec(NamedTuple):
    """A target's options, and whether the next rule is asked after it."""

    continues: bool
    options: OptionTable


_SHIFTS = ("--left-shift-mark uint =0", "--right-shift-mark uint =0")
_BITS = ("--set-mark word", "--and-mark word", "--or-mark word", "--xor-mark word")
_PREFIXES = ("--src-pfx network", "--dst-pfx network")

_TARGETS: dict[str, _TargetRow] = {
    "ACCEPT": _TargetRow(continues=False),
    "DROP": _TargetRow(continues=False),
    "RETURN": _TargetRow(continues=False),
    "QUEUE": _TargetRow(continues=False),
    "REJECT": _TargetRow(continues=False, rows=("--reject-with reject-type +port-unreach",)),
    "DNAT": _TargetRow(continues=False, rows=("--to-destination nat-range", "--random", "--persistent")),
    "SNAT": _TargetRow(
        continues=False, rows=("--to-source source-range", "--random", "--random-fully", "--persistent")
    ),
    "MASQUERADE": _TargetRow(continues=False, rows=("--to-ports nat-ports", "--random", "--random-fully")),
    "REDIRECT": _TargetRow(continues=False, rows=("--to-ports nat-ports", "--random")),
    "NETMAP": _TargetRow(continues=False, rows=("--to network",)),
    "NFQUEUE": _TargetRow(
        continues=False,
        rows=("--queue-num uint", "--queue-balance queue-range", "--queue-bypass", "--queue-cpu-fanout"),
    ),
    "TPROXY": _TargetRow(
        continues=False,
        rows=("--on-port decimal-port", "--on-ip host-or-any +", "--tproxy-mark xmark +0x0/0x0"),
    ),
    # It answers SYN and ACK itself; what else it gets, such as RST, goes on to the next rule.
    "SYNPROXY": _TargetRow(
        continues=False,
        rows=("--sack-perm", "--timestamp", "--wscale uint8", "--mss uint16", "--ecn"),
    ),
    # What another node of the cluster is responsible for is dropped.
    "CLUSTERIP": _TargetRow(
        continues=True,
        rows=(
            "--new",
            "--hashmode word",
            "--clustermac mac-upper",
            "--total-nodes uint",
            "--local-node uint",
            "--hash-init uint",
        ),
    ),
    "AUDIT": _TargetRow(continues=True, rows=("--type lower",)),
    "CHECKSUM": _TargetRow(continues=True, rows=("--checksum-fill",)),
    "CLASSIFY": _TargetRow(continues=True, rows=("--set-class class",)),
    "CONNMARK": _TargetRow(
        continues=True,
        rows=(
            "--set-xmark xmark",
            "--save-mark",
            "--restore-mark",
            *_BITS,
            "--nfmask hex",
            "--ctmask hex",
            "--mask hex",
            *_SHIFTS,
        ),
    ),
    "CONNSECMARK": _TargetRow(continues=True, rows=("--save", "--restore")),
    "CT": _TargetRow(
        continues=True,
        rows=(
            "--notrack",
            '--helper word15 =""',
            '--timeout word31 =""',
            "--ctevents ct-events",
            "--expevents ct-events",
            "--zone uint =0",
            "--zone-orig uint =0",
            "--zone-reply uint =0",
        ),
    ),
    "DNPT": _TargetRow(continues=True, rows=_PREFIXES),
    "DSCP": _TargetRow(continues=True, rows=("--set-dscp hex2", "--set-dscp-class word")),
    "ECN": _TargetRow(
        continues=True,
        rows=("--ecn-tcp-remove", "--ecn-tcp-ece uint", "--ecn-tcp-cwr uint", "--ecn-ip-ect uint"),
    ),
    "HL": _TargetRow(continues=True, rows=("--hl-set uint", "--hl-dec uint", "--hl-inc uint")),
    "HMARK": _TargetRow(
        continues=True,
        rows=(
            "--hmark-src-prefix mask-length",
            "--hmark-dst-prefix mask-length",
            "--hmark-sport-mask hex4",
            "--hmark-dport-mask hex4",
            "--hmark-spi-mask hex8",
            "--hmark-sport hex4",
            "--hmark-dport hex4",
            "--hmark-spi hex8",
            "--hmark-proto-mask hex2",
            "--hmark-rnd hex8",
            "--hmark-mod uint",
            "--hmark-offset uint",
            "--hmark-tuple word",
        ),
    ),
    "IDLETIMER": _TargetRow(continues=True, rows=("--timeout uint", "--label word27", "--alarm")),
    "LED": _TargetRow(
        continues=True,
        rows=("--led-trigger-id always-quoted", "--led-delay led-delay =0", "--led-always-blink"),
    ),
    "LOG": _TargetRow(
        continues=True,
        rows=(
            "--log-prefix string29",
            "--log-level log-level =4",
            "--log-tcp-sequence",
            "--log-tcp-options",
            "--log-ip-options",
            "--log-uid",
            "--log-macdecode",
        ),
    ),
    "MARK": _TargetRow(continues=True, rows=("--set-xmark xmark", *_BITS)),
    "NFLOG": _TargetRow(
        continues=True,
        rows=(
            "--nflog-prefix nflog-prefix",
            "--nflog-group uint =0",
            "--nflog-size uint",
            "--nflog-range uint =0",
            "--nflog-threshold uint =0",
        ),
    ),
    "NOTRACK": _TargetRow(continues=True),
    "RATEEST": _TargetRow(
        continues=True, rows=("--rateest-name word15", "--rateest-interval word", "--rateest-ewmalog word")
    ),
    "SECMARK": _TargetRow(continues=True, rows=("--selctx word",)),
    "SET": _TargetRow(
        continues=True,
        rows=(
            "--add-set word word",
            "--exist",
            "--timeout uint",
            "--del-set word word",
            "--map-set word word",
            "--map-mark",
            "--map-prio",
            "--map-queue",
        ),
    ),
    "SNPT": _TargetRow(continues=True, rows=_PREFIXES),
    "TCPMSS": _TargetRow(continues=True, rows=("--clamp-mss-to-pmtu", "--set-mss uint")),
    "TCPOPTSTRIP": _TargetRow(continues=True, rows=("--strip-options tcp-options",)),
    "TEE": _TargetRow(continues=True, rows=("--gateway host", "--oif word")),
    "TOS": _TargetRow(
        continues=True, rows=("--set-tos set-tos", "--and-tos word", "--or-tos word", "--xor-tos word")
    ),
    "TRACE": _TargetRow(continues=True),
    "TTL": _TargetRow(continues=True, rows=("--ttl-set uint", "--ttl-dec uint", "--ttl-inc uint")),
    "ULOG": _TargetRow(
        continues=True,
        rows=(
            "--ulog-prefix string31",
            "--ulog-nlgroup uint =1",
            "--ulog-cprange uint =0",
            "--ulog-qthreshold uint =1",
        ),
    ),
}


@cache
def target_spec(name: str) -> TargetSpec | None:
    """Return what is known of target `name`, or None: it is then a user chain, or unknown."""
    row = _TARGETS.get(name)
    return None if row is None else TargetSpec(row.continues, table_of(row.rows))


def target_names() -> tuple[str, ...]:
    """Return the names of all known targets."""
    return tuple(_TARGETS)
