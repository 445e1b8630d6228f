"""The document `iptviz.graph.v1`: what `iptviz graph --json` prints. Fields may be added only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.checks.wording import sentences
from iptviz.documents.shapes import Shape, dump_shape, findings_shape

if TYPE_CHECKING:
    from iptviz.dump.rule import Rule
    from iptviz.questions.graph import ChainNode, GraphResult, Jump


def document(result: GraphResult) -> Shape:
    """Return the document as a dict; nothing is folded in it."""
    return {
        "schema": "iptviz.graph.v1",
        "dump": dump_shape(result.dump, complete=result.dump.complete),
        "asked": result.asked or None,
        "chains": [_chain(one) for one in result.chains],
        "jumps": [_jump(one) for one in result.jumps],
        "notes": sentences(result.notes),
        "findings": findings_shape(result.findings),
    }


def _chain(one: ChainNode) -> Shape:
    return {
        "table": one.table,
        "chain": one.chain,
        "policy": one.policy,
        "rules": one.rules,
        "present": one.present,
    }


def _jump(one: Jump) -> Shape:
    return {
        "table": one.tail[0],
        "from": one.tail[1],
        "to": one.head[1],
        "goto": all(map(_is_goto, one.rules)),
        "lines": [rule.line for rule in one.rules],
        "rules": [{"line": rule.line, "goto": _is_goto(rule), "text": rule.text} for rule in one.rules],
    }


def _is_goto(rule: Rule) -> bool:
    return rule.target is not None and rule.target.goto
