"""`iptviz diff`: what changed between two dumps."""

from collections.abc import Mapping
from typing import Annotated, Any

from iptviz.cli.command import CommandResult, question
from iptviz.cli.progress import Bar
from iptviz.cli.told import option, positional
from iptviz.errors import OrderError
from iptviz.node.snapshot import Snapshot
from iptviz.redact.named import Named

_USAGE = "usage: iptviz diff OLD NEW"


def _two_sides(typed: Mapping[str, Any]) -> None:
    """Refuse more than two sides, and two that would be read from one place."""
    others = typed["new"]
    if len(others) > 1:
        raise OrderError(
            f"diff compares two nodes or moments, got {1 + len(others)} paths",
            hint=f"{_USAGE}; files of one node belong in a bundle: tar cf new.tar FILE...",
        )
    if typed["old"] == "-" and others == ["-"]:
        raise OrderError("OLD and NEW cannot both be standard input", hint=_USAGE)
    if typed["packet"] is not None and typed["equivalent"]:
        raise OrderError("--packet and --equivalent are two questions", hint="ask one after the other")
    narrowed = [flag for name, flag in _NARROWING.items() if typed[name]]
    if narrowed and (typed["packet"] is not None or typed["equivalent"]):
        asked = "--equivalent" if typed["equivalent"] else "--packet"
        raise OrderError(f"{narrowed[0]} does not go with {asked}", hint=f"drop {narrowed[0]}")


_NARROWING = {
    "services_only": "--services-only",
    "ignore_local": "--ignore-local",
    "namespace": "--namespace",
}
"""Options that say what to compare, by the names of their arguments."""


@question("diff", without=("side",), check=_two_sides)
def diff_command(
    old: Annotated[
        Snapshot,
        positional(
            metavar="OLD", text="Older dump, or that of another node: file, bundle, or - for standard input."
        ),
        Named.OLDER_DUMP,
    ],
    new: Annotated[
        Snapshot,
        positional(metavar="NEW", text="Newer dump, or that of the node to look at: file, bundle, or -."),
        Named.DUMPS,
    ],
    services_only: Annotated[
        bool,
        option("--services-only", text="Compare services alone, not other chains or findings."),
        Named.NOTHING,
    ] = False,
    ignore_local: Annotated[
        bool,
        option(
            "--ignore-local",
            text="Leave out what policies Local and the nodes' own addresses make different between two nodes.",
        ),
        Named.NOTHING,
    ] = False,
    namespace: Annotated[
        str | None,
        option(
            "-n",
            "--namespace",
            metavar="NAME",
            text="Compare services of one namespace alone.",
            show_default=False,
        ),
        Named.NAMESPACE,
    ] = None,
    packet: Annotated[
        str | None,
        option(
            "--packet",
            metavar='"SRC DST PROTO PORT"',
            text="Ask instead: does this packet fare differently, and at which rule do its ways part? SRC may be "
            "- (any) or node.",
            show_default=False,
        ),
        Named.PACKET,
    ] = None,
    equivalent: Annotated[
        bool,
        option(
            "--equivalent",
            text="Ask instead: do both treat every new connection to services alike? If not, print a packet that "
            "tells them apart.",
        ),
        Named.NOTHING,
    ] = False,
    *,
    bar: Bar,
) -> CommandResult:
    """Tell what changed between two dumps, by meaning: services, other chains and rules, findings.

    Counters, order that changes nothing, spelling and the digits of probabilities do not count. Exits with 1 if
    the dumps differ.
    """
    from iptviz.questions.diff import diff

    result = diff(
        old,
        new,
        services_only=services_only,
        ignore_local=ignore_local,
        namespace=namespace,
        packet=packet,
        equivalent=equivalent,
        progress=bar,
    )
    return CommandResult(result, found=result.differs)
