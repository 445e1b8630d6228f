"""Targets that set marks: MARK, CONNMARK, TPROXY's own, and those that set one to something unknown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.engine.effects import Effect, GoOn, TargetCall
from iptviz.engine.marks import Mark, Origin
from iptviz.engine.meanings.connections import NO_CONNECTION
from iptviz.xtables.values.numbers import ALL_BITS, Masked

if TYPE_CHECKING:
    from iptviz.rules.operands import ConnectionMark


def lost_mark(call: TargetCall) -> Effect:
    """Set the mark to something that cannot be told."""
    mark = _opaque(call, "mark")
    return GoOn(call.packet._replace(mark=mark), f"{call.name}: mark unknown")


def mark(call: TargetCall) -> Effect:
    """MARK: `Masked`, None for what cannot be read."""
    operation: Masked | None = call.operand
    if operation is None:
        return lost_mark(call)
    changed = call.packet.mark.set_xmark(*operation)
    return GoOn(call.packet._replace(mark=changed), _set_text("mark", changed, operation))


def _set_text(what: str, changed: Mark, operation: Masked) -> str:
    """Return the mark where it is known now, else what is done to it."""
    return f"{what} {changed.value:#x}" if not changed.keep else f"{what} {operation_text(*operation)}"


def operation_text(value: int, mask: int) -> str:
    """Return what becomes of a mark, `(mark & ~mask) ^ value`, in the fewest operations: `or 0x4000`.

    Bits of the value that lie outside the mask are toggled: --set-xmark 0x4000/0x0 sets nothing.
    """
    kept, toggled = value & mask, value & ~mask
    said = [f"xor {toggled:#x}"] if toggled else []
    if mask and kept == mask:
        return ", ".join([f"or {mask:#x}", *said])
    if mask and kept:
        return ", ".join([f"set to {kept:#x}/{mask:#x}", *said])
    if mask:
        return ", ".join([f"and {ALL_BITS & ~mask:#x}", *said])
    return said[0] if said else "unchanged"


def connmark(call: TargetCall) -> Effect:
    """CONNMARK: set, save or restore, with masks and shifts; without a connection it does nothing."""
    if call.packet.state in NO_CONNECTION:
        return GoOn(call.packet, "CONNMARK: no connection, no effect")
    asked: ConnectionMark = call.operand
    return _WAYS[asked.way](call, asked)


def _save(call: TargetCall, asked: ConnectionMark) -> Effect:
    packet = call.packet
    saved = _transfer(call, (packet.mark, asked.nfmask), (packet.connmark, asked.ctmask))
    return GoOn(packet._replace(connmark=saved), f"saved mark: connection mark {saved.text or 'unknown'}")


def _restore(call: TargetCall, asked: ConnectionMark) -> Effect:
    packet = call.packet
    restored = _transfer(call, (packet.connmark, asked.ctmask), (packet.mark, asked.nfmask))
    return GoOn(packet._replace(mark=restored), f"restored mark {restored.text or 'unknown'}")


def _set(call: TargetCall, asked: ConnectionMark) -> Effect:
    packet = call.packet
    if asked.change is None:
        lost = packet._replace(connmark=_opaque(call, "connmark"))
        return GoOn(lost, "connection mark unknown")
    changed = _shifted(call, packet.connmark.set_xmark(*asked.change))
    if asked.shift and changed.keep:
        return GoOn(packet._replace(connmark=changed), "connection mark set to something unknown")
    return GoOn(packet._replace(connmark=changed), _set_text("connection mark", changed, asked.change))


_WAYS = {"save": _save, "restore": _restore, "set": _set}


def _transfer(call: TargetCall, source: tuple[Mark, int], target: tuple[Mark, int]) -> Mark:
    """Return `(target & ~its mask) ^ (source & its mask)`."""
    (source_mark, source_mask), (target_mark, target_mask) = source, target
    moved = _shifted(call, source_mark.masked(source_mask))
    return target_mark.masked(~target_mask & ALL_BITS).combined(moved, _opaque(call, "connmark").origin)


def _shifted(call: TargetCall, mark: Mark) -> Mark:
    """Shift as CONNMARK says."""
    bits: int = call.operand.shift
    if not bits:
        return mark
    return _opaque(call, "connmark") if mark.keep else mark.shifted(bits)


def _opaque(call: TargetCall, field: str) -> Mark:
    """Return a mark that the rule sets to something unknown: `mark` or `connmark`."""
    return Mark(Origin(field, call.line), ALL_BITS, 0)
