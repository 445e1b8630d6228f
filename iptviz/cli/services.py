"""`iptviz services`: every service port of a dump."""

from typing import Annotated

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
from iptviz.cli.progress import Bar
from iptviz.cli.told import option
from iptviz.redact.named import Named


@question("services", without=("exit_zero",), all_help="List every frontend and endpoint.")
def services_command(
    dump: NodeArgument,
    namespace: Annotated[
        str | None,
        option("-n", "--namespace", metavar="NAME", text="Only services of a namespace."),
        Named.NAMESPACE,
    ] = None,
    uneven: Annotated[
        bool,
        option("--uneven", text="Only services with uneven shares."),
        Named.NOTHING,
    ] = False,
    no_endpoints: Annotated[
        bool, option("--no-endpoints", text="Only services without endpoints."), Named.NOTHING
    ] = False,
    failing: Annotated[
        bool,
        option(
            "--failing",
            text="Only services that outside clients, pods or the node do not all reach, or may not.",
        ),
        Named.NOTHING,
    ] = False,
    endpoint: Annotated[
        str | None,
        option("--endpoint", metavar="IP[:PORT]", text="Only services with this endpoint."),
        Named.ADDRESS,
    ] = None,
    published: Annotated[
        bool,
        option("--published", text="Include ports published by CNI hostPort or Docker."),
        Named.NOTHING,
    ] = False,
    sort: Annotated[
        str,
        option("--sort", metavar="KEY", text="Sort by name, address, endpoints, uneven or line."),
        Named.WORD,
    ] = "name",
    exit_code: Annotated[
        bool,
        option(
            "--exit-code", text="Exit 1 if any service is listed by --failing, --uneven or --no-endpoints."
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
    *,
    bar: Bar,
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
        progress=bar,
    )
    listed = any(answer.services for answer in result.answers)
    missed = f"{result.dump.source}: {'; '.join(sentences(result.missed))}" if result.missed else ""
    return CommandResult(
        result, missed=missed, found=exit_code and listed and (failing or uneven or no_endpoints)
    )
