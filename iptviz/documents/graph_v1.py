"""The document `iptviz.graph.v1`: what `iptviz graph --json` prints. Fields may be added only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.checks.wording import sentences
from iptviz.documents.shapes import Shape, findings_shape, several_shape, source_shape
from iptviz.rules.leading import goes_for_good

if TYPE_CHECKING:
    from iptviz.questions.drawn import ChainNode, Jump
    from iptviz.questions.graph import GraphResult


def document(result: GraphResult) -> Shape:
    """Return the document as a dict; nothing is folded in it."""
    return {
        "schema": "iptviz.graph.v1",
        "dump": source_shape(result.dump, complete=result.dump.complete),
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
        **({"hook": node.hook._asdict()} if node.hook else {}),
    }


def _jump(jump: Jump) -> Shape:
    return {
        "table": jump.tail[0],
        "from": jump.tail[1],
        "to": jump.head[1],
        "goto": jump.goto,
        "lines": [rule.line for rule in jump.rules if rule.line],
        "rules": [
            {"line": rule.line or None, "goto": goes_for_good(rule), "text": rule.text} for rule in jump.rules
        ],
    }
