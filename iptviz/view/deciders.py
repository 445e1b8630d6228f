"""How the rule or policy is called that decides what becomes of a connection."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.paths.model import AS_WRITTEN
from iptviz.view.numbers import counted
from iptviz.view.text import printable

if TYPE_CHECKING:
    from iptviz.paths.model import Decider


def decider_label(by: Decider) -> str:
    """Return who decides, with table, chain, number, line and comment or text, and how many more decide alike."""
    more = f" and {counted(by.others, 'other rule')}" if by.others else ""
    return printable(f"{_place(by)}{more}")


def _place(by: Decider) -> str:
    if not by.table:
        return f"routing ({by.text})" if by.text else "routing"
    line = "" if by.line is None else f"line {by.line}"
    if by.text == AS_WRITTEN:
        return f"{by.table} {by.chain} ({by.text})"
    if by.number is None:
        return f"the policy of {by.table} {by.chain}" + (f" ({line})" if line else "")
    details = ": ".join(filter(None, (line, f'"{by.comment}"' if by.comment else by.text)))
    return f"{by.table} {by.chain} rule {by.number}" + (f" ({details})" if details else "")
