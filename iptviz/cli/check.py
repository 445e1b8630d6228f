"""`iptviz check`: what is wrong on a node."""

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

from iptviz.cli.command import CommandResult, Instead, question
from iptviz.cli.options import (
    AddressesOption,
    IpsetOption,
    NodeArgument,
    Options,
    PodsOption,
    RecentOption,
    RoutesOption,
    ServicesOption,
    SysctlOption,
)
from iptviz.cli.progress import Bar
from iptviz.cli.pseudonyms import Original
from iptviz.cli.told import option
from iptviz.errors import OutputError
from iptviz.redact.named import Named
from iptviz.supplied.files import FileArgument

if TYPE_CHECKING:
    from iptviz.questions.check import CheckResult


def _listed(typed: Mapping[str, Any]) -> Instead | None:
    """Return the list of all that is looked for, where that is asked for: no dump is read then."""
    if not typed["listed"]:
        return None
    from iptviz.questions.explain_finding import ExplainResult
    from iptviz.questions.wanted import lookable

    return Instead("explain", CommandResult(ExplainResult(tuple(lookable().values()), listed=True)))


@question("check", all_help="Include findings of severity info, and all evidence.", instead=_listed)
def check_command(
    dump: NodeArgument,
    *,
    select: Annotated[
        list[str] | None,
        option("--select", metavar="ID[,ID...]", text="Only findings of these ids; may be repeated."),
        Named.WORD,
    ] = None,
    ignore: Annotated[
        list[str] | None,
        option("--ignore", metavar="ID[,ID...]", text="Leave out findings of these ids; may be repeated."),
        Named.WORD,
    ] = None,
    min_severity: Annotated[
        str,
        option(
            "--min-severity",
            metavar="SEVERITY",
            text="Only findings of this severity or worse: critical, high, medium, low or info.",
        ),
        Named.WORD,
    ] = "info",
    baseline: Annotated[
        FileArgument,
        option("--baseline", metavar="FILE", text="Leave out findings that are in FILE."),
        Named.BASELINE,
    ] = None,
    write_baseline: Annotated[
        str | None,
        option(
            "--write-baseline",
            metavar="FILE",
            text="Write the findings to FILE, for a later --baseline.",
            show_default=False,
        ),
        Named.WRITTEN,
    ] = None,
    listed: Annotated[  # noqa: ARG001 - see _listed
        bool, option("--list", text="List all finding ids; reads no dump."), Named.NOTHING
    ] = False,
    names: ServicesOption = None,
    addresses: AddressesOption = None,
    routes: RoutesOption = None,
    ipset: IpsetOption = None,
    recent: RecentOption = None,
    sysctl: SysctlOption = None,
    pods: PodsOption = None,
    options: Options,
    original: Original,
    bar: Bar,
) -> CommandResult:
    """Find what is broken or suspicious on a node, with the rules that show it and advice.

    The worst comes first. Exits with 1 if a finding is above info. `iptviz explain ID` documents a finding.
    """
    from iptviz.questions.check import check

    if options.in_pseudonyms and options.mapping is None and (baseline or write_baseline):
        raise OutputError(
            "--redact without --map makes new pseudonyms each run, so a baseline matches nothing",
            hint="add --map FILE, which keeps them",
        )
    node: dict[str, Any] = {
        "dump": dump, "names": names, "addresses": addresses, "routes": routes, "ipset": ipset, "recent": recent,
        "sysctl": sysctl, "pods": pods,
    }  # fmt: skip
    plain = original.arguments
    wanted = partial(check, select=select or (), ignore=ignore or (), min_severity=min_severity, progress=bar)
    before = None if plain is None else wanted(**{name: plain[name] for name in node})
    result = wanted(**node, baseline=baseline, original=before)
    if write_baseline is not None:
        _write_baseline(result, write_baseline, options)
    return CommandResult(result, found=result.counts)


def _write_baseline(result: "CheckResult", path: str, options: Options) -> None:
    from iptviz.output import write_answer
    from iptviz.render.json import json_text
    from iptviz.terminal import say
    from iptviz.view.numbers import counted
    from iptviz.view.text import printable

    document = result.to_baseline()
    write_answer(json_text(document), path)
    if not options.quiet:
        say(f"{printable(path)}: {counted(len(document['findings']), 'finding')} written, for --baseline")
