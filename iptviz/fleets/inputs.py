"""What a fleet is read from, one input for each node or bundle of nodes, and what is kept of reading it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from iptviz.errors import DumpError
from iptviz.fleets.summary import NodeFacts, Noticed, Summary, Unreadable
from iptviz.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from iptviz.intake.remark import Remark


class Input(NamedTuple):
    """One thing to read: `label` is how messages call it, `place` the path or URL where it is.

    A label never has the password or the signature that a URL may carry.
    """

    label: str
    place: str


class Inputs(NamedTuple):
    """What was given, in order: what there is to read, patterns that matched nothing, and what is to be said."""

    inputs: tuple[Input, ...]
    unmatched: tuple[Unreadable, ...] = ()
    notes: tuple[Remark, ...] = ()


class Work(NamedTuple):
    """How each input is read, wherever that is done.

    `reader` is the function that makes a summary of a path, which it is also to call it by, as `module:name`. Of
    what is larger than `max_size` bytes nothing is read. `cache` is a folder of summaries, empty for none.
    """

    reader: str
    max_size: int
    cache: str = ""


class NotInstalledError(DumpError):
    """A library is missing: other inputs will not do without it either."""


IS_URL = "://"
"""What is in a URL, and in no path that anybody would write."""


def unreadable(inputs: Iterable[Input], reason: str) -> Summary:
    """Return the summary of what cannot be read."""
    return Summary((), {}, {}, tuple(Unreadable(one.label, reason) for one in inputs))


def relabelled(summary: Summary, place: str, label: str) -> Summary:
    """Return a summary in which what was read at a place is called by a label, wherever its name stands."""
    if place == label:
        return summary

    def named(text: str) -> str:
        rest = text[len(place) :]
        return label + rest if text.startswith(place) and rest[:1] in _BEHIND else text

    return summary._replace(
        nodes=tuple(_node(node, named(node.source)) for node in summary.nodes),
        noticed={cause: _noticed(one, named) for cause, one in summary.noticed.items()},
        unreadable=tuple(
            Unreadable(named(one.source), one.reason.replace(place, label)) for one in summary.unreadable
        ),
    )


_BEHIND = ("", ":", "/")
"""What may stand behind the name of a bundle: nothing, or the path of something in it."""

_PLACES = {"source", "place"}
"""Values of findings that are files."""


def _node(node: NodeFacts, source: str) -> NodeFacts:
    return node._replace(source=source)


def _noticed(one: Noticed, named: Any) -> Noticed:
    finding = one.finding
    evidence = tuple(piece._replace(source=named(piece.source)) for piece in finding.evidence)
    values = tuple(
        (name, named(value)) if name in _PLACES and isinstance(value, str) else (name, value)
        for name, value in finding.values
    )
    return one._replace(finding=finding._replace(evidence=evidence, values=values))
