"""A baseline: findings that somebody has seen and lets be, and how a finding is known again.

A finding is known by its fingerprint. That stays the same where lines move and counters count; it is another one
where the finding is about another service, address or rule, or has become worse.
"""

from __future__ import annotations

import hashlib
import re
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from iptviz.dump.rule import Rule
from iptviz.errors import DumpError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from iptviz.checks.finding import Finding
    from iptviz.node.listing import RuleSource

BASELINE = "iptviz.baseline.v1"
"""What the file says that it is."""

_SHIFTING = re.compile(
    r"\blines? \d+(?:(?:, | and | to )\d+)*"  # where something stands
    r"|(?<= )(?:-c|--set-counters) \d+ \d+"  # what was counted
    r"|(?<=--probability )[\d.]+"  # what changes with the number of endpoints
)
_PORT = re.compile(r"(?:.*_)?port")
"""Fields whose numbers name something; all other numbers count, or say where something stands."""

_MAKE = "create one with: iptviz check DUMP --write-baseline FILE"


def fingerprint(finding: Finding, dump: RuleSource) -> str:
    """Return the 64 hexadecimal digits by which a finding about `dump` is known again."""
    kind, severity, *rest = known_by(finding)
    known = (kind, severity, dump.family, dump.backend or "", *rest)
    return hashlib.sha256("\0".join(known).encode("utf-8", "surrogateescape")).hexdigest()


def known_by(finding: Finding, spelt: Callable[[str], str] = str) -> tuple[str, ...]:
    """Return by what a finding is known again in dumps of one family and backend.

    `spelt` is given each text, which may be a rule, and returns how it is compared.
    """
    service = finding.service.text if finding.service else ""
    return (
        *(finding.id, finding.severity, service),
        *(f"{name}={part}" for name, value in finding.values for part in _parts(name, value, spelt)),
        *(_still(spelt(piece.text)) for piece in finding.evidence if finding.line == piece.line != 0),
    )


def _still(text: str) -> str:
    return _SHIFTING.sub("", text)


def _parts(name: str, value: object, spelt: Callable[[str], str]) -> Iterator[str]:
    """Yield what of a value named `name` does not depend on lines or counters."""
    if isinstance(value, str):
        yield _still(spelt(value))
    elif isinstance(value, Rule):
        yield _still(spelt(value.text))
    elif isinstance(value, bool | None):
        yield str(value)
    elif isinstance(value, int | float | Fraction):
        yield from [str(value)] if _PORT.fullmatch(name) else []
    elif isinstance(value, tuple):
        names = getattr(value, "_fields", [name] * len(value))
        for own, part in zip(names, value, strict=True):
            yield from _parts(own, part, spelt)


def read_baseline(text: str, source: str) -> frozenset[str]:
    """Return the fingerprints that stand in a baseline.

    Raises:
        DumpError: the text is no baseline.
    """
    import json

    try:
        found: Any = json.loads(text)
    except (ValueError, RecursionError):
        why = (
            "it is cut or was edited"
            if BASELINE in text
            else "it is not JSON"
            if text.strip()
            else "it is empty"
        )
        raise _none(why, source) from None
    schema = found.get("schema") if isinstance(found, dict) else None
    if schema != BASELINE:
        raise _none(
            f"it is {_ANSWERS.get(schema, 'other JSON')}" if isinstance(schema, str) else "it is other JSON",
            source,
        )
    listed = found.get("findings")
    if not isinstance(listed, list):
        raise _none("it has no findings", source)
    kept = [one.get("fingerprint") if isinstance(one, dict) else None for one in listed]
    if not all(isinstance(one, str) for one in kept):
        raise _none("it has a finding without a fingerprint", source)
    return frozenset(map(str, kept))


_ANSWERS = {"iptviz.check.v1": "the answer of check --json"}
"""What is easily taken for a baseline."""


def _none(why: str, source: str) -> DumpError:
    return DumpError(f"not an iptviz baseline: {why}", where=source, hint=_MAKE)
