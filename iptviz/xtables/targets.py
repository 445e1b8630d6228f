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


_PERSISTENT = ("--random 0", "--random-fully 0", "--persistent 0")
_CTMASKS = ("--nfmask 1", "--ctmask 1", "--mask 1")
_SHIFTS = ("--left-shift-mark 1", "--right-shift-mark 1")
_BITS = ("--set-mark 1", "--and-mark 1", "--or-mark 1", "--xor-mark 1")

_TARGETS: dict[str, _TargetRow] = {
    "ACCEPT": _TargetRow(continues=False),
    "DROP": _TargetRow(continues=False),
    "RETURN": _TargetRow(continues=False),
    "QUEUE": _TargetRow(continues=False),
    "REJECT": _TargetRow(continues=False, rows=("--reject-with 1",)),
    "DNAT": _TargetRow(continues=False, rows=("--to-destination 1", *_PERSISTENT)),
    "SNAT": _TargetRow(continues=False, rows=("--to-source 1", *_PERSISTENT)),
    "MASQUERADE": _TargetRow(continues=False, rows=("--to-ports 1", "--random 0", "--random-fully 0")),
    "REDIRECT": _TargetRow(continues=False, rows=("--to-ports 1", "--random 0")),
    "NETMAP": _TargetRow(continues=False, rows=("--to 1",)),
    "NFQUEUE": _TargetRow(
        continues=False,
        rows=("--queue-num 1", "--queue-balance 1", "--queue-bypass 0", "--queue-cpu-fanout 0"),
    ),
    "TPROXY": _TargetRow(continues=False, rows=("--on-port 1", "--on-ip 1", "--tproxy-mark 1")),
    "SYNPROXY": _TargetRow(
        continues=False,
        rows=("--mss 1", "--wscale 1", "--sack-perm 0", "--timestamp 0", "--ecn 0"),
    ),
    "CLUSTERIP": _TargetRow(
        continues=True,
        rows=(
            "--new 0",
            "--hashmode 1",
            "--clustermac 1",
            "--total-nodes 1",
            "--local-node 1",
            "--hash-init 1",
        ),
    ),
    "AUDIT": _TargetRow(continues=True, rows=("--type 1",)),
    "CHECKSUM": _TargetRow(continues=True, rows=("--checksum-fill 0",)),
    "CLASSIFY": _TargetRow(continues=True, rows=("--set-class 1",)),
    "CONNMARK": _TargetRow(
        continues=True,
        rows=("--set-xmark 1", "--save-mark 0", "--restore-mark 0", *_BITS, *_CTMASKS, *_SHIFTS),
    ),
    "CONNSECMARK": _TargetRow(continues=True, rows=("--save 0", "--restore 0")),
    "CT": _TargetRow(
        continues=True,
        rows=(
            "--notrack 0",
            "--helper 1",
            "--ctevents 1",
            "--expevents 1",
            "--zone 1",
            "--zone-orig 1",
            "--zone-reply 1",
            "--timeout 1",
        ),
    ),
    "DNPT": _TargetRow(continues=True, rows=("--src-pfx 1", "--dst-pfx 1")),
    "DSCP": _TargetRow(continues=True, rows=("--set-dscp 1", "--set-dscp-class 1")),
    "ECN": _TargetRow(continues=True, rows=("--ecn-tcp-remove 0",)),
    "HL": _TargetRow(continues=True, rows=("--hl-set 1", "--hl-dec 1", "--hl-inc 1")),
    "HMARK": _TargetRow(
        continues=True,
        rows=(
            "--hmark-tuple 1",
            "--hmark-mod 1",
            "--hmark-offset 1",
            "--hmark-rnd 1",
            "--hmark-src-prefix 1",
            "--hmark-dst-prefix 1",
            *(
                f"--hmark-{part} 1"
                for part in ("sport", "sport-mask", "dport", "dport-mask", "spi", "spi-mask")
            ),
            "--hmark-proto-mask 1",
        ),
    ),
    "IDLETIMER": _TargetRow(continues=True, rows=("--timeout 1", "--label 1", "--alarm 0")),
    "LED": _TargetRow(continues=True, rows=("--led-trigger-id 1", "--led-delay 1", "--led-always-blink 0")),
    "LOG": _TargetRow(
        continues=True,
        rows=(
            "--log-level 1",
            "--log-prefix 1",
            "--log-tcp-sequence 0",
            "--log-tcp-options 0",
            "--log-ip-options 0",
            "--log-uid 0",
            "--log-macdecode 0",
        ),
    ),
    "MARK": _TargetRow(continues=True, rows=("--set-xmark 1", *_BITS)),
    "NFLOG": _TargetRow(
        continues=True,
        rows=(
            "--nflog-group 1",
            "--nflog-prefix 1",
            "--nflog-range 1",
            "--nflog-size 1",
            "--nflog-threshold 1",
        ),
    ),
    "NOTRACK": _TargetRow(continues=True),
    "RATEEST": _TargetRow(
        continues=True, rows=("--rateest-name 1", "--rateest-interval 1", "--rateest-ewmalog 1")
    ),
    "SECMARK": _TargetRow(continues=True, rows=("--selctx 1",)),
    "SET": _TargetRow(
        continues=True,
        rows=(
            "--add-set 2",
            "--del-set 2",
            "--map-set 2",
            "--exist 0",
            "--timeout 1",
            "--map-mark 0",
            "--map-prio 0",
            "--map-queue 0",
        ),
    ),
    "SNPT": _TargetRow(continues=True, rows=("--src-pfx 1", "--dst-pfx 1")),
    "TCPMSS": _TargetRow(continues=True, rows=("--set-mss 1", "--clamp-mss-to-pmtu 0")),
    "TCPOPTSTRIP": _TargetRow(continues=True, rows=("--strip-options 1",)),
    "TEE": _TargetRow(continues=True, rows=("--gateway 1", "--oif 1")),
    "TOS": _TargetRow(continues=True, rows=("--set-tos 1", "--and-tos 1", "--or-tos 1", "--xor-tos 1")),
    "TRACE": _TargetRow(continues=True),
    "TTL": _TargetRow(continues=True, rows=("--ttl-set 1", "--ttl-dec 1", "--ttl-inc 1")),
    "ULOG": _TargetRow(
        continues=True,
        rows=("--ulog-nlgroup 1", "--ulog-prefix 1", "--ulog-cprange 1", "--ulog-qthreshold 1"),
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
