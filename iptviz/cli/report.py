"""`iptviz report`: one file for an incident."""

from typing import Annotated

from iptviz.cli.command import CommandResult, question
from iptviz.cli.options import PodsOption
from iptviz.cli.progress import Bar
from iptviz.cli.told import positional
from iptviz.node.snapshot import Snapshot
from iptviz.redact.named import Named


@question("report", without=("as_json", "color", "ascii_only"))
def report_command(
    dump: Annotated[
        Snapshot,
        positional(
            default=None,
            metavar="[DUMP]",
            text="File, or - for standard input (default when piped); may be compressed.",
            show_default=False,
        ),
        Named.DUMP,
    ],
    targets: Annotated[
        list[str] | None,
        positional(
            metavar="[TARGET]...",
            text="Service to report on. Default: services that fail or look suspicious.",
        ),
        Named.TARGET,
    ] = None,
    pods: PodsOption = None,
    *,
    bar: Bar,
) -> CommandResult:
    """Write one file for an incident: a summary, services with pictures and rules, all services, all chains."""
    from iptviz.questions.report import report
    from iptviz.questions.trace import TraceResult

    result = report(dump, targets or (), pods=pods, progress=bar)
    absent = tuple(found for found in result.answers if isinstance(found, TraceResult) and not found.services)
    return CommandResult(result, found=bool(absent), absent=absent)
