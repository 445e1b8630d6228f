"""The document `iptviz.graph.v1`: what `iptviz graph --json` prints. Fields may be added only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.checks.wording import sentences
from iptviz.documents.shapes import Shape, dump_shape, findings_shape, several_shape

if TYPE_CHECKING:
    from iptviz.dump.rule import Rule
    from iptviz.questions.graph import ChainNode, GraphResult, Jump


def document(result: GraphResult) -> Shape:
    """Return the document as a dict; nothing is folded in it."""
    return {
        "schema": "iptviz.graph.v1",
        "dump": dump_shape(result.dump, complete=result.dump.complete),
        **several_shape(result.snapshot),
        "asked": result.asked or None,
        "chains": list(map(_chain, result.chains)),
        "jumps": list(map(_jump, result.jumps)),
        "notes": sentences(result.notes),
        "findings": findings_shape(result.findings, result.snapshot),
    }


def _chain(node: ChainNode) -> Shape:
    return {
        "table": node.table,
        "chain": node.chain,
        "policy": node.policy,
        "rules": node.rules,
        "present": node.present,
    }


def _jump(jump: Jump) -> Shape:
    return {
        "table": jump.tail[0],
        "from": jump.tail[1],
        "to": jump.head[1],
        "goto": all(map(_is_goto, jump.rules)),
        "lines": [rule.line for rule in jump.rules],
        "rules": [{"line": rule.line, "goto": _is_goto(rule), "text": rule.text} for rule in jump.rules],
    }


def _is_goto(rule: Rule) -> bool:
    return rule.target is not None and rule.target.goto
