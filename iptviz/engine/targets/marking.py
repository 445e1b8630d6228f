"""Targets that set marks: MARK, CONNMARK, TPROXY's own, and those that set one to something unknown.

Source: extensions/libxt_MARK.c and libxt_CONNMARK.c for what each option means as value and mask.
"""

from __future__ import annotations

from iptviz.engine.effects import Effect, GoOn, TargetCall
from iptviz.engine.marks import Mark, Origin
from iptviz.engine.meanings.connections import NO_CONNECTION
from iptviz.xtables.values.numbers import ALL_BITS, Masked, bit_change, read_mark, read_uint


def _operation(call: TargetCall) -> Masked | None:
    """Return value and mask of `(mark & ~mask) ^ value`, or None where no option can be read."""
    operands = ((option.name, read_mark(option.values[0])) for option in call.target.options if option.values)
    changes = (bit_change(name, operand, ALL_BITS) for name, operand in operands if operand is not None)
    return next(filter(None, changes), None)


def lost_mark(call: TargetCall) -> Effect:
    """Set the mark to something that cannot be told."""
    mark = Mark(Origin("mark", call.rule.line), ALL_BITS, 0)
    return GoOn(call.packet._replace(mark=mark), f"{call.target.name} sets the mark to something unknown")


def mark(call: TargetCall) -> Effect:
    """MARK."""
    operation = _operation(call)
    if operation is None:
        return lost_mark(call)
    changed = call.packet.mark.set_xmark(*operation)
    return GoOn(call.packet._replace(mark=changed), _set_text("mark", changed, operation))


def _set_text(what: str, changed: Mark, operation: Masked) -> str:
    value, mask = operation
    return f"{what} {changed.value:#x}" if not changed.keep else f"{what} set to {value:#x}/{mask:#x}"


def connmark(call: TargetCall) -> Effect:
    """CONNMARK: set, save or restore, with masks and shifts; without a connection it does nothing."""
    packet = call.packet
    if packet.state in NO_CONNECTION:
        return GoOn(packet, "CONNMARK: no connection, nothing done")
    names = {option.name for option in call.target.options}
    if "--save-mark" in names:
        saved = _transfer(call, packet.mark, "--nfmask", packet.connmark, "--ctmask")
        return GoOn(packet._replace(connmark=saved), f"saved mark: connection mark {saved.text or 'unknown'}")
    if "--restore-mark" in names:
        restored = _transfer(call, packet.connmark, "--ctmask", packet.mark, "--nfmask")
        return GoOn(packet._replace(mark=restored), f"restored mark {restored.text or 'unknown'}")
    operation = _operation(call)
    if operation is None:
        return GoOn(packet._replace(connmark=_opaque(call)), "connection mark set to something unknown")
    changed = _shifted(call, packet.connmark.set_xmark(*operation))
    return GoOn(packet._replace(connmark=changed), _set_text("connection mark", changed, operation))


def _transfer(call: TargetCall, source: Mark, source_mask: str, target: Mark, target_mask: str) -> Mark:
    """Return the mark `(target & ~target_mask) ^ (source & source_mask)`."""
    moved = _shifted(call, source.masked(_mask(call, source_mask)))
    kept = target.masked(~_mask(call, target_mask) & ALL_BITS)
    return kept.combined(moved, _opaque(call).origin)


def _mask(call: TargetCall, option: str) -> int:
    text = call.target.value(option) or call.target.value("--mask")
    number = read_uint(text) if text else ALL_BITS
    return ALL_BITS if number is None else number & ALL_BITS


def _shifted(call: TargetCall, mark: Mark) -> Mark:
    """Shift as `--left-shift-mark` or `--right-shift-mark` says."""
    for option, sign in (("--left-shift-mark", 1), ("--right-shift-mark", -1)):
        bits = read_uint(call.target.value(option) or "0")
        if bits:
            return _opaque(call) if mark.keep else mark.shifted(sign * min(bits, 32))
    return mark


def _opaque(call: TargetCall) -> Mark:
    field = "mark" if call.target.name != "CONNMARK" else "connmark"
    return Mark(Origin(field, call.rule.line), ALL_BITS, 0)
