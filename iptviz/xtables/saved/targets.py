"""Targets that iptables-save prints otherwise than typed, where a row of the option tables cannot say it.

A rewrite takes the options of one target as they were read and returns those that iptables-save prints;
kinds, defaults and order are then applied by the rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.xtables.option import Option
from iptviz.xtables.saved.rateest import rewrite_rateest_target
from iptviz.xtables.values.addresses import read_host, show_host
from iptviz.xtables.values.headers import dscp_of_class, read_tos
from iptviz.xtables.values.numbers import ALL_BITS, Masked, bit_change, read_mark, read_uint, show_xmark

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from iptviz.xtables.option import Rewrite, Saving


def _option(name: str, *values: str) -> Option:
    return Option(name, negated=False, values=values)


def _value(option: Option) -> str:
    return option.values[0] if option.values else ""


def _last_of_each(options: Iterable[Option]) -> list[Option]:
    """Keep the last of options of the same name: each takes the place of the one before."""
    return list({option.name: option for option in options}.values())


# --- operations on bits: MARK, CONNMARK and TOS ------------------------------------------------------------


def _mark(options: list[Option], _saving: Saving) -> list[Option]:
    """Every operation on a mark is printed as the `--set-xmark` it comes to (libxt_MARK.c)."""
    return [_worked_out(option, read_mark, ALL_BITS, "--set-xmark") for option in options]


def _tos(options: list[Option], _saving: Saving) -> list[Option]:
    """Every operation is printed as the `--set-tos` it comes to (libxt_TOS.c)."""
    return [_worked_out(option, read_tos, 0xFF, "--set-tos") for option in options]


def _worked_out(option: Option, read: Callable[[str], Masked | None], full: int, name: str) -> Option:
    operand = read(_value(option))
    change = None if operand is None else bit_change(option.name, operand, full)
    return option if change is None else _option(name, show_xmark(change))


def _connmark(options: list[Option], saving: Saving) -> list[Option]:
    """A mask after `--set-mark` replaces its own; saving and restoring have two (libxt_CONNMARK.c)."""
    parts: dict[str, Option] = {}
    for option in _with_two_masks(_mark(options, saving)):
        if option.name.endswith("-shift-mark"):  # there is one shift, to the left or to the right
            parts.pop("--left-shift-mark", None)
            parts.pop("--right-shift-mark", None)
        if option.name == "--ctmask" and (setting := parts.get("--set-xmark")):
            parts["--set-xmark"] = _option("--set-xmark", f"{_value(setting).split('/')[0]}/{_value(option)}")
        else:
            parts[option.name] = option
    return _set_or_moved(parts)


def _with_two_masks(options: list[Option]) -> Iterable[Option]:
    for option in options:
        if option.name == "--mask":
            yield from (_option(name, *option.values) for name in ("--nfmask", "--ctmask"))
        else:
            yield option


def _set_or_moved(parts: dict[str, Option]) -> list[Option]:
    masks = {name: _option(name, "0xffffffff") for name in ("--nfmask", "--ctmask")}
    if "--set-xmark" in parts:
        return [option for name, option in parts.items() if name not in masks]
    if "--save-mark" in parts or "--restore-mark" in parts:
        return list({**masks, **parts}.values())
    return list(parts.values())


# --- other targets -----------------------------------------------------------------------------------------


def _dscp(options: list[Option], _saving: Saving) -> list[Option]:
    """A class is printed as its number (libxt_DSCP.c)."""
    classes = {option: dscp_of_class(_value(option)) for option in options if "class" in option.name}
    return [
        option if (number := classes.get(option)) is None else _option("--set-dscp", str(number))
        for option in options
    ]


_ZONES = ("--zone-orig", "--zone-reply")


def _ct(options: list[Option], _saving: Saving) -> list[Option]:
    """There is one zone: that of the last option, for the directions of all (libxt_CT.c)."""
    zones = [option for option in options if option.name.startswith("--zone") and option.values]
    if not zones:
        return options
    values = [_value(option) for option in zones]
    directions = [name for name in _ZONES if any(option.name == name for option in zones)]
    name = directions[0] if len(directions) == 1 else "--zone"
    value = "mark" if any(value.lower() == "mark" for value in values) else values[-1]
    return [*(option for option in options if option not in zones), _option(name, value)]


def _ecn(options: list[Option], _saving: Saving) -> list[Option]:
    """`--ecn-tcp-remove` clears both bits, which with a third operation are printed singly (libipt_ECN.c)."""
    parts: dict[str, Option] = {}
    for option in options:
        if option.name == "--ecn-tcp-remove":  # forgets what was asked before
            parts = {name: _option(name, "0") for name in ("--ecn-tcp-ece", "--ecn-tcp-cwr")}
        else:
            parts[option.name] = option
    bits = {name: read_uint(_value(option)) for name, option in parts.items()}
    if bits == {"--ecn-tcp-ece": 0, "--ecn-tcp-cwr": 0}:
        return [_option("--ecn-tcp-remove")]
    return list(parts.values())


def _netmap(options: list[Option], saving: Saving) -> list[Option]:
    """The address may be short, as `10.1` for 10.0.0.1 (libipt_NETMAP.c)."""
    split = [_value(option).partition("/") for option in options]
    return [
        _option(option.name, "".join((show_host(host) if host else address, *mask)))
        for option, (address, *mask) in zip(options, split, strict=True)
        for host in [read_host(address, saving.family)]
    ]


def _nfqueue(options: list[Option], _saving: Saving) -> list[Option]:
    """The queue is printed even where it is not typed, but for a range of queues."""
    named = any(option.name in {"--queue-num", "--queue-balance"} for option in options)
    return options if named else [_option("--queue-num", "0"), *options]


def _nflog(options: list[Option], saving: Saving) -> list[Option]:
    """The log expression of nftables has no `--nflog-range`, which never worked (libxt_NFLOG.c)."""
    lost = {"--nflog-range"} if saving.backend == "nf_tables" else set()
    return [option for option in options if option.name not in lost]


def _clusterip(options: list[Option], _saving: Saving) -> list[Option]:
    """A new address is printed with the start of its hash (libipt_CLUSTERIP.c)."""
    there = {option.name for option in options}
    add = "--new" in there and "--hash-init" not in there
    return [*options, _option("--hash-init", "0")] if add else options


# What the parts of `--hmark-tuple` stand for, in the order in which iptables compares them.
_HMARK_PARTS = {
    "ct": ("--hmark-tuple", "ct"),
    "src": ("--hmark-src-prefix", ""),
    "dst": ("--hmark-dst-prefix", ""),
    "sport": ("--hmark-sport-mask", "0xffff"),
    "dport": ("--hmark-dport-mask", "0xffff"),
    "proto": ("--hmark-proto-mask", "0xffff"),
    "spi": ("--hmark-spi-mask", "0xffffffff"),
}


def _hmark(options: list[Option], saving: Saving) -> list[Option]:
    """A tuple is printed as the full masks it stands for; only `ct` has no mask (libxt_HMARK.c)."""
    full = "32" if saving.family == "ipv4" else "128"
    spelled_out: list[Option] = []
    for option in options:
        asked = _value(option).lower().split(",") if option.name == "--hmark-tuple" else []
        parts = [
            next((part for part in _HMARK_PARTS if word and part.startswith(word)), None) for word in asked
        ]
        if not parts or None in parts:
            spelled_out.append(option)
            continue
        masks = (_HMARK_PARTS[part] for part in parts if part)
        spelled_out.extend(_option(name, mask or full) for name, mask in masks)
    return _last_of_each(spelled_out)


TARGET_REWRITES: dict[str, Rewrite] = {
    "CLUSTERIP": _clusterip,
    "CONNMARK": _connmark,
    "CT": _ct,
    "DSCP": _dscp,
    "ECN": _ecn,
    "HMARK": _hmark,
    "MARK": _mark,
    "NETMAP": _netmap,
    "NFLOG": _nflog,
    "NFQUEUE": _nfqueue,
    "RATEEST": rewrite_rateest_target,
    "TOS": _tos,
}
