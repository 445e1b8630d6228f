"""`iptviz fleet`: many nodes against each other."""

from typing import Annotated

from iptviz.cli.command import command
from iptviz.cli.ending import ANSWERED, FOUND
from iptviz.cli.options import Options
from iptviz.cli.progress import Bar
from iptviz.cli.run import chosen_format, write
from iptviz.cli.told import option, positional
from iptviz.errors import OutputError
from iptviz.redact.named import Named
from iptviz.source.size import read_size

_HOW_TO_REDACT = "redact each dump first, with one map for all: iptviz redact --map FILE DUMP -o REDACTED"


@command(
    asks="fleet",
    without=("mapping", "number", "of_node", "side", "strict", "verbose"),
    helps={"redact": "Not supported: redact the dumps themselves, with one --map for all."},
)
def fleet_command(
    options: Options,
    dumps: Annotated[
        list[str],
        positional(
            metavar="DUMP...",
            text=(
                "Dumps and bundles of nodes: files, patterns, folders of one node or of many, URLs (s3://, "
                "gs://, https:// ...), or - for a list of them on standard input, one per line."
            ),
        ),
        Named.DUMPS,
    ],
    api: Annotated[
        list[str] | None,
        option(
            "--api",
            metavar="KUBECTL",
            text=(
                "Output of `kubectl get services,endpointslices -A -o json`: compare the nodes with it, not with "
                "each other; may be repeated."
            ),
            show_default=False,
        ),
        Named.CLUSTER,
    ] = None,
    checks: Annotated[
        bool,
        option("--checks", text="Count what `iptviz check` finds on nodes as found, too."),
        Named.NOTHING,
    ] = False,
    cache: Annotated[
        str | None,
        option(
            "--cache",
            metavar="DIR",
            text="Keep a summary of each input in DIR, by content, for later runs. May be deleted at any time.",
            show_default=False,
        ),
        Named.WRITTEN,
    ] = None,
    jobs: Annotated[
        int | None,
        option(
            "--jobs",
            metavar="N",
            text="Number of processes that read dumps.  [default: one per processor]",
            show_default=False,
            minimum=1,
        ),
        Named.NOTHING,
    ] = None,
    scheduler: Annotated[
        str | None,
        option(
            "--scheduler",
            metavar="ADDRESS",
            text=(
                "Read dumps on the workers of a Dask scheduler, e.g. tcp://host:8786; paths are those of the "
                "workers."
            ),
            show_default=False,
        ),
        Named.WORD,
    ] = None,
    *,
    bar: Bar,
) -> int:
    """Compare many nodes: which ones agree, and which differ in which services from most, or from the API.

    Each node becomes a small summary where its dump is read; dumps do not travel. What cannot be read is listed
    and does not stop the rest. A folder is one node, or one node for each file and folder in it. Exits with 1 if
    nodes differ.
    """
    from iptviz.questions.fleet import fleet
    from iptviz.supplied.files import Unread

    if options.in_pseudonyms:
        raise OutputError("fleet does not support --redact", hint=_HOW_TO_REDACT)
    chosen = chosen_format("fleet", options)
    limit = read_size(options.max_size)
    result = fleet(
        *dumps,
        api=[Unread(path, limit) for path in api] if api else None,
        cache=cache,
        jobs=jobs,
        scheduler=scheduler,
        checks=checks,
        max_size=limit,
        progress=bar,
    )
    write("fleet", chosen, result, options, bar, fold=not options.show_all)
    return FOUND if result.differs and not options.exit_zero else ANSWERED
