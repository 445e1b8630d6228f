"""`iptviz trace`: where connections to a target go."""

from collections.abc import Mapping
from typing import Annotated, Any

from iptviz.cli.command import CommandResult, question
from iptviz.cli.options import (
    AddressesOption,
    After,
    AssumeOption,
    FromOption,
    IpsetOption,
    NodeArgument,
    PodsOption,
    RecentOption,
    RoutesOption,
    ServicesOption,
    SysctlOption,
)
from iptviz.cli.told import option, positional
from iptviz.kube.target import family_of_target, in_namespace
from iptviz.node.snapshot import Snapshot
from iptviz.questions.trace import trace
from iptviz.redact.named import Named


def _family(typed: Mapping[str, Any]) -> str | None:
    """Return the family of the address that is asked for, having refused what cannot be asked."""
    if typed["namespace"] is not None:
        in_namespace(typed["target"], typed["namespace"])
    return family_of_target(typed["target"])


@question("trace", check=_family)
def trace_command(
    target: Annotated[
        str,
        positional(
            metavar="TARGET",
            text="10.97.13.198, 10.97.13.198:79, [fd00::1]:443, default/web, default/web:http, "
            "web.default.svc.cluster.local:80, a URL, :32123 or NODE-IP:32123 (a node port, a host port, a "
            "health check port), KUBE-SVC-... (a chain), or an endpoint 10.244.1.17:80.",
        ),
        Named.TARGET,
    ],
    dump: NodeArgument,
    namespace: Annotated[
        str | None,
        option(
            "-n",
            "--namespace",
            metavar="NAME",
            text="Namespace of the service TARGET.",
            show_default=False,
        ),
        Named.NAMESPACE,
    ] = None,
    client: FromOption = "",
    brief: Annotated[
        bool,
        option("--brief", text="Print the first lines only: who is reached, who is not, and why."),
        Named.NOTHING,
    ] = False,
    names: ServicesOption = None,
    since: Annotated[
        Snapshot | None,
        option(
            "--since",
            metavar="OLD",
            text=(
                "Older dump of the node: tell what changed for the service since then, and compare the "
                "connections between the two (both `iptables-save -c`) with the shares."
            ),
            show_default=False,
        ),
        Named.OLDER_DUMP,
        After("show_all"),
    ] = None,
    addresses: AddressesOption = None,
    routes: RoutesOption = None,
    ipset: IpsetOption = None,
    recent: RecentOption = None,
    sysctl: SysctlOption = None,
    pods: PodsOption = None,
    assume: AssumeOption = None,
) -> CommandResult:
    """Show where connections to TARGET go, with the exact share of each endpoint, and why."""
    result = trace(
        dump,
        target if namespace is None else in_namespace(target, namespace),
        names=names,
        since=since,
        client=client,
        addresses=addresses,
        routes=routes,
        ipset=ipset,
        recent=recent,
        sysctl=sysctl,
        pods=pods,
        assume=assume or (),
    )
    is_absent = not result.services
    return CommandResult(
        result, found=is_absent, absent=(result,) if is_absent else (), blank=is_absent, brief=brief
    )
