"""Targets, their options, and whether a packet goes on to the next rule after them.

`continues` is what decides control flow: LOG and MARK let the rule after them be asked, DNAT ends the
table (`XT_CONTINUE` against a verdict in the kernel's `net/netfilter/xt_*.c`).
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from iptviz.xtables.option import OptionTable, table_of


class _TargetRow(NamedTuple):
    continues: bool
    rows: tuple[str, ...] = ()


class TargetSpec(NamedTuple):
    """A target's options, and whether the next rule is asked after it."""

    continues: bool
    options: OptionTable


_PERSISTENT = ("--random", "--random-fully", "--persistent")
_CTMASKS = ("--nfmask word", "--ctmask word", "--mask word")
_SHIFTS = ("--left-shift-mark word", "--right-shift-mark word")
_BITS = ("--set-mark word", "--and-mark word", "--or-mark word", "--xor-mark word")

_TARGETS: dict[str, _TargetRow] = {
    "ACCEPT": _TargetRow(continues=False),
    "DROP": _TargetRow(continues=False),
    "RETURN": _TargetRow(continues=False),
    "QUEUE": _TargetRow(continues=False),
    "REJECT": _TargetRow(continues=False, rows=("--reject-with reject-type",)),
    "DNAT": _TargetRow(continues=False, rows=("--to-destination word", *_PERSISTENT)),
    "SNAT": _TargetRow(continues=False, rows=("--to-source word", *_PERSISTENT)),
    "MASQUERADE": _TargetRow(continues=False, rows=("--to-ports word", "--random", "--random-fully")),
    "REDIRECT": _TargetRow(continues=False, rows=("--to-ports word", "--random")),
    "NETMAP": _TargetRow(continues=False, rows=("--to word",)),
    "NFQUEUE": _TargetRow(
        continues=False,
        rows=("--queue-num uint +0", "--queue-balance word", "--queue-bypass", "--queue-cpu-fanout"),
    ),
    "TPROXY": _TargetRow(continues=False, rows=("--on-port word", "--on-ip word", "--tproxy-mark word")),
    "SYNPROXY": _TargetRow(
        continues=False,
        rows=("--mss word", "--wscale word", "--sack-perm", "--timestamp", "--ecn"),
    ),
    "CLUSTERIP": _TargetRow(
        continues=True,
        rows=(
            "--new",
            "--hashmode word",
            "--clustermac word",
            "--total-nodes word",
            "--local-node word",
            "--hash-init word",
        ),
    ),
    "AUDIT": _TargetRow(continues=True, rows=("--type word",)),
    "CHECKSUM": _TargetRow(continues=True, rows=("--checksum-fill",)),
    "CLASSIFY": _TargetRow(continues=True, rows=("--set-class word",)),
    "CONNMARK": _TargetRow(
        continues=True,
        rows=("--set-xmark xmark", "--save-mark", "--restore-mark", *_BITS, *_CTMASKS, *_SHIFTS),
    ),
    "CONNSECMARK": _TargetRow(continues=True, rows=("--save", "--restore")),
    "CT": _TargetRow(
        continues=True,
        rows=(
            "--notrack",
            "--helper word",
            "--ctevents word",
            "--expevents word",
            "--zone word",
            "--zone-orig word",
            "--zone-reply word",
            "--timeout word",
        ),
    ),
    "DNPT": _TargetRow(continues=True, rows=("--src-pfx word", "--dst-pfx word")),
    "DSCP": _TargetRow(continues=True, rows=("--set-dscp word", "--set-dscp-class word")),
    "ECN": _TargetRow(continues=True, rows=("--ecn-tcp-remove",)),
    "HL": _TargetRow(continues=True, rows=("--hl-set word", "--hl-dec word", "--hl-inc word")),
    "HMARK": _TargetRow(
        continues=True,
        rows=(
            "--hmark-tuple word",
            "--hmark-mod word",
            "--hmark-offset word",
            "--hmark-rnd word",
            "--hmark-src-prefix word",
            "--hmark-dst-prefix word",
            *(
                f"--hmark-{part} word"
                for part in ("sport", "sport-mask", "dport", "dport-mask", "spi", "spi-mask")
            ),
            "--hmark-proto-mask word",
        ),
    ),
    "IDLETIMER": _TargetRow(continues=True, rows=("--timeout word", "--label word", "--alarm")),
    "LED": _TargetRow(
        continues=True, rows=("--led-trigger-id word", "--led-delay word", "--led-always-blink")
    ),
    "LOG": _TargetRow(
        continues=True,
        rows=(
            "--log-level word",
            "--log-prefix string",
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
            "--nflog-group word",
            "--nflog-prefix string",
            "--nflog-range word",
            "--nflog-size word",
            "--nflog-threshold word",
        ),
    ),
    "NOTRACK": _TargetRow(continues=True),
    "RATEEST": _TargetRow(
        continues=True, rows=("--rateest-name word", "--rateest-interval word", "--rateest-ewmalog word")
    ),
    "SECMARK": _TargetRow(continues=True, rows=("--selctx word",)),
    "SET": _TargetRow(
        continues=True,
        rows=(
            "--add-set word word",
            "--del-set word word",
            "--map-set word word",
            "--exist",
            "--timeout word",
            "--map-mark",
            "--map-prio",
            "--map-queue",
        ),
    ),
    "SNPT": _TargetRow(continues=True, rows=("--src-pfx word", "--dst-pfx word")),
    "TCPMSS": _TargetRow(continues=True, rows=("--set-mss word", "--clamp-mss-to-pmtu")),
    "TCPOPTSTRIP": _TargetRow(continues=True, rows=("--strip-options word",)),
    "TEE": _TargetRow(continues=True, rows=("--gateway word", "--oif word")),
    "TOS": _TargetRow(
        continues=True, rows=("--set-tos word", "--and-tos word", "--or-tos word", "--xor-tos word")
    ),
    "TRACE": _TargetRow(continues=True),
    "TTL": _TargetRow(continues=True, rows=("--ttl-set word", "--ttl-dec word", "--ttl-inc word")),
    "ULOG": _TargetRow(
        continues=True,
        rows=("--ulog-nlgroup word", "--ulog-prefix word", "--ulog-cprange word", "--ulog-qthreshold word"),
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
