"""`iptviz verify`: a dump against what the API says."""

from typing import Annotated

from iptviz.cli.command import CommandResult, question
from iptviz.cli.options import PodsOption
from iptviz.cli.told import option, positional
from iptviz.cluster.api import ApiCluster
from iptviz.node.snapshot import Snapshot
from iptviz.redact.named import Named


@question("verify", without=("of_node",))
def verify_command(
    dump: Annotated[
        Snapshot,
        positional(
            metavar="DUMP", text="Output of iptables-save on the node; in nftables mode of nft list ruleset."
        ),
        Named.DUMP,
    ],
    objects: Annotated[
        ApiCluster,
        positional(
            metavar="KUBECTL...",
            text=(
                "Output of `kubectl get services,endpointslices -A -o json`, in one or more files; Endpoints "
                "and YAML work, too; - for standard input."
            ),
        ),
        Named.CLUSTER,
    ],
    node: Annotated[
        str | None,
        option(
            "--node",
            metavar="NAME",
            text="Node name; needed for internal/externalTrafficPolicy: Local and topology hints.",
            show_default=False,
        ),
        Named.NODE,
    ] = None,
    pods: PodsOption = None,
) -> CommandResult:
    """Compare the dump with the cluster's Services and EndpointSlices."""
    from iptviz.questions.verify import verify_cluster

    result = verify_cluster(dump, objects, node=node, pods=pods)
    return CommandResult(result, found=result.differs)
