"""`iptviz services`: every service port of a dump."""

from typing import Annotated

import typer

from iptviz.cli.command import CommandResult, question
from iptviz.cli.options import (
    AddressesOption,
    IpsetOption,
    NodeArgument,
    PodsOption,
    RecentOption,
    RoutesOption,
    ServicesOption,
    SysctlOption,
)
from iptviz.redact.named import Named


@question("services", without=("exit_zero",), all_help="List every frontend and endpoint.")
def services_command(
    dump: NodeArgument,
    namespace: Annotated[
        str | None,
        typer.Option("-n", "--namespace", metavar="NAME", help="Only those of a namespace."),
        Named.NAMESPACE,
    ] = None,
    uneven: Annotated[
        bool,
        typer.Option("--uneven", help="Only those whose endpoints do not share evenly."),
        Named.NOTHING,
    ] = False,
    no_endpoints: Annotated[
        bool, typer.Option("--no-endpoints", help="Only those that lead to no endpoint."), Named.NOTHING
    ] = False,
    failing: Annotated[
        bool,
        typer.Option(
            "--failing", help="Only those that not all kinds of clients reach, then those that may be such."
        ),
        Named.NOTHING,
    ] = False,
    endpoint: Annotated[
        str | None,
        typer.Option("--endpoint", metavar="IP[:PORT]", help="Only those that lead to this endpoint."),
        Named.ADDRESS,
    ] = None,
    published: Annotated[
        bool,
        typer.Option("--published", help="Also ports that others publish: host ports, Docker's."),
        Named.NOTHING,
    ] = False,
    sort: Annotated[
        str,
        typer.Option("--sort", metavar="KEY", help="By name, address, endpoints, uneven or line."),
        Named.WORD,
    ] = "name",
    exit_code: Annotated[
        bool,
        typer.Option(
            "--exit-code", help="Exit with 1 if any is listed under --failing, --uneven or --no-endpoints."
        ),
        Named.NOTHING,
    ] = False,
    names: ServicesOption = None,
    addresses: AddressesOption = None,
    routes: RoutesOption = None,
    ipset: IpsetOption = None,
    recent: RecentOption = None,
    sysctl: SysctlOption = None,
    pods: PodsOption = None,
) -> CommandResult:
    """List every service port: who reaches it, its endpoints and how evenly they share, its policies."""
    from iptviz.checks.wording import sentences
    from iptviz.questions.services import services  # other commands shall not wait for it

    result = services(
        dump,
        namespace=namespace,
        uneven=uneven,
        no_endpoints=no_endpoints,
        failing=failing,
        endpoint=endpoint,
        published=published,
        sort=sort,
        names=names,
        addresses=addresses,
        routes=routes,
        ipset=ipset,
        recent=recent,
        sysctl=sysctl,
        pods=pods,
    )
    listed = any(answer.services for answer in result.answers)
    missed = f"{result.dump.source}: {'; '.join(sentences(result.missed))}" if result.missed else ""
    return CommandResult(
        result, missed=missed, found=exit_code and listed and (failing or uneven or no_endpoints)
    )
