"""`iptviz verify`: a dump against what the API says."""

from typing import Annotated

import typer

from iptviz.cli.command import CommandResult, question
from iptviz.cluster.api import ApiCluster
from iptviz.node.snapshot import Snapshot
from iptviz.redact.named import Named


@question("verify", without=("of_node",))
def verify_command(
    dump: Annotated[Snapshot, typer.Argument(metavar="DUMP", help="The node's iptables-save."), Named.DUMP],
    objects: Annotated[
        ApiCluster,
        typer.Argument(
            metavar="KUBECTL...",
            help="What `kubectl get services,endpointslices -A -o json` prints, in one file or several; "
            "Endpoints and YAML will do, too; - for standard input.",
        ),
        Named.CLUSTER,
    ],
    node: Annotated[
        str | None,
        typer.Option(
            "--node", metavar="NAME", help="The node's name, for policies Local.", show_default=False
        ),
        Named.NODE,
    ] = None,
) -> CommandResult:
    """Say in what the dump differs from what the API says that this node should have."""
    from iptviz.questions.verify import verify_cluster

    result = verify_cluster(dump, objects, node=node)
    return CommandResult(result, found=result.differs)
