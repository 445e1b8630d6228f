r"""SARIF 2.1.0, for code scanning: an OASIS standard, which GitHub, GitLab and editors read.

A fingerprint tells a finding again where its lines have moved. In a message readers take `{` and `[text](target)`
for markup: braces are doubled there, and of brackets that would make a link all are escaped, as the standard has
it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from iptviz.render.findings import LEVELS, dump_in, message_of, path_of, places_of, why_no_services
from iptviz.version import __version__
from iptviz.view.text import printable

if TYPE_CHECKING:
    from iptviz.checks.finding import Diagnosis
    from iptviz.documents.shapes import Shape

_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


def sarif_text(document: Shape) -> str:
    """Return the findings of a document as a SARIF log; it is never folded."""
    import json

    rules = document["looked_for"]
    run = {
        "tool": {"driver": {"name": "iptviz", "version": __version__, "rules": list(map(_rule, rules))}},
        **_invocations(document),
        "columnKind": "unicodeCodePoints",
        "results": [_result(document, finding, rules) for finding in document["findings"]],
    }
    return json.dumps({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2) + "\n"


def _invocations(document: Shape) -> Shape:
    """Return why there are no services to look at, as what the tool notifies of; nothing where there are."""
    why = why_no_services(document)
    if not why:
        return {}
    notification = {"level": "warning", "message": {"text": _literal(why)}}
    return {"invocations": [{"executionSuccessful": True, "toolExecutionNotifications": [notification]}]}


def _rule(what: str) -> Shape:
    """Return what is documented of a kind of finding."""
    from iptviz.checks.finding import plain
    from iptviz.checks.registry import diagnosis_of

    made = diagnosis_of(what)
    return {
        "id": what,
        "shortDescription": {"text": _literal(plain(made.title))},
        "fullDescription": {"text": _literal(plain(made.means))},
        "help": {"text": _literal(plain(_help(made, "", ""))), "markdown": _help(made, "**", "\n")},
        "defaultConfiguration": {"level": LEVELS[made.severities[0]]},
        "properties": {"severities": list(made.severities)},
    }


def _help(made: Diagnosis, bold: str, apart: str) -> str:
    parts = (made.means, f"{bold}Why:{bold} {made.matters}", f"{bold}Do:{bold} {made.advice}")
    known = [f"{bold}Reference:{bold} {made.reference}"] if made.reference else []
    return f"\n{apart}".join([*parts, *known])


def _result(document: Shape, finding: Shape, rules: list[str]) -> Shape:
    uri = _uri(path_of(dump_in(document, finding)))
    first, *others = [_location(uri, piece) for piece in places_of(finding)] or [_location(uri)]
    found: dict[str, Any] = {
        "ruleId": finding["id"],
        "ruleIndex": rules.index(finding["id"]),
        "level": LEVELS[finding["severity"]],
        "message": {"text": _literal(message_of(finding))},
        "locations": [first],
        # GitHub reads the first of them alone.
        "partialFingerprints": {
            "primaryLocationLineHash": finding["fingerprint"],
            "iptviz/v1": finding["fingerprint"],
        },
        "properties": {name: finding[name] for name in ("severity", "certainty", "count")},
    }
    return found | ({"relatedLocations": others} if others else {})


def _location(uri: str, piece: Shape | None = None) -> Shape:
    """Return where evidence stands: in a file of its own, or that of the dump."""
    if piece is not None and "source" in piece:
        uri = _uri(path_of(piece))
    place: Shape = {"artifactLocation": {"uri": uri}}
    if piece is not None:
        place["region"] = {"startLine": piece["line"]}
        if piece["text"]:
            place["region"]["snippet"] = {"text": printable(piece["text"])}
    return {"physicalLocation": place}


def _uri(path: str) -> str:
    """Return a path as a URI: relative where the path is."""
    uri = quote(path.encode("utf-8", "surrogateescape"), safe="/")
    return f"file://{uri}" if path.startswith("/") else uri


def _literal(text: str) -> str:
    """Return a text of which nothing is taken for a placeholder or a link."""
    if "](" in text:
        for sign in "\\[]":
            text = text.replace(sign, f"\\{sign}")
    return text.replace("{", "{{").replace("}", "}}")
