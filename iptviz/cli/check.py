"""`iptviz check`: what is wrong on a node."""

from typing import Annotated

import typer

from iptviz.cli.command import CommandResult, question
from iptviz.cli.options import (
    AddressesOption,
    IpsetOption,
    NodeArgument,
    RecentOption,
    RoutesOption,
    ServicesOption,
    SysctlOption,
)
from iptviz.redact.named import Named


@question("check")
def check_command(
    dump: NodeArgument,
    select: Annotated[
        list[str] | None,
        typer.Option("--select", metavar="ID", help="Only findings of this id; may be given several times."),
        Named.WORD,
    ] = None,
    ignore: Annotated[
        list[str] | None,
        typer.Option("--ignore", metavar="ID", help="No findings of this id; may be given several times."),
        Named.WORD,
    ] = None,
    min_severity: Annotated[
        str,
        typer.Option(
            "--min-severity", metavar="SEVERITY", help="At least critical, high, medium, low or info."
        ),
        Named.WORD,
    ] = "info",
    names: ServicesOption = None,
    addresses: AddressesOption = None,
    routes: RoutesOption = None,
    ipset: IpsetOption = None,
    recent: RecentOption = None,
    sysctl: SysctlOption = None,
) -> CommandResult:
    """Say what is broken or suspicious on a node, the worst first: with the rules, why it matters, what to do."""
    from iptviz.questions.check import check  # other commands shall not wait for it

    result = check(
        dump,
        select=select or (),
        ignore=ignore or (),
        min_severity=min_severity,
        names=names,
        addresses=addresses,
        routes=routes,
        ipset=ipset,
        recent=recent,
        sysctl=sysctl,
    )
    return CommandResult(result, found=bool(result.findings))
