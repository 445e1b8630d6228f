"""The options that commands share, in one table, and arguments that several of them take."""

# Without the future import: the annotations are the table.
from enum import StrEnum
from typing import Annotated, NamedTuple

import typer

from iptviz.node.snapshot import Snapshot
from iptviz.redact.named import Named
from iptviz.supplied.files import FileArgument


class Color(StrEnum):
    """When to colour."""

    AUTO = "auto"
    ALWAYS = "always"
    NEVER = "never"


class Side(StrEnum):
    """Which side of a diff to read."""

    NEW = "new"
    OLD = "old"


class Options(NamedTuple):
    """What is asked of every command beside its question, in the order of the help.

    An option that a command does not have keeps its default. What -f says follows from the question: see
    `iptviz.cli.command`.
    """

    format_name: Annotated[
        str | None,
        typer.Option("-f", "--format", metavar="FORMAT", help=""),
        Named.WORD,
    ] = None
    output: Annotated[
        str | None,
        typer.Option("-o", "--output", metavar="FILE", help="Write to FILE; its suffix chooses the format."),
        Named.WRITTEN,
    ] = None
    as_json: Annotated[bool, typer.Option("--json", help="The same as -f json."), Named.NOTHING] = False
    show_all: Annotated[bool, typer.Option("--all", help="Do not fold long lists."), Named.NOTHING] = False
    redact: Annotated[
        bool,
        typer.Option("--redact", help="Answer in pseudonyms, as of `iptviz redact`: for outsiders to read."),
        Named.NOTHING,
    ] = False
    mapping: Annotated[
        str | None,
        typer.Option(
            "--map",
            metavar="FILE",
            help="Keep the key and what became what in FILE (secret, mode 0600): the same names then become the "
            "same pseudonyms in the next dump.",
            show_default=False,
        ),
        Named.WRITTEN,
    ] = None
    number: Annotated[
        int | None,
        typer.Option(
            "--dump",
            metavar="N",
            help="This dump alone, where there are several; `iptviz sources` numbers them.",
            show_default=False,
        ),
        Named.NOTHING,
    ] = None
    of_node: Annotated[
        str | None,
        typer.Option(
            "--node", metavar="NAME", help="The node, where a bundle holds several.", show_default=False
        ),
        Named.NODE,
    ] = None
    side: Annotated[
        Side | None,
        typer.Option(
            "--side", help="Read this side of a diff of two dumps.  [default: new]", show_default=False
        ),
        Named.NOTHING,
    ] = None
    strict: Annotated[
        bool,
        typer.Option("--strict", help="Fail where a line had to be left out or repaired."),
        Named.NOTHING,
    ] = False
    max_size: Annotated[
        str,
        typer.Option("--max-size", metavar="SIZE", help="Read or unpack at most so much, e.g. 500M or 8G."),
        Named.WORD,
    ] = "2G"
    color: Annotated[Color, typer.Option("--color", help="Colour the tree."), Named.NOTHING] = Color.AUTO
    ascii_only: Annotated[bool, typer.Option("--ascii", help="Draw with ASCII only."), Named.NOTHING] = False
    quiet: Annotated[
        bool,
        typer.Option("-q", "--quiet", help="No messages on standard error but errors."),
        Named.NOTHING,
    ] = False
    verbose: Annotated[
        bool,
        typer.Option("-v", "--verbose", help="Say of every line why it was left out or repaired."),
        Named.NOTHING,
    ] = False
    exit_zero: Annotated[
        bool, typer.Option("--exit-zero", help="Exit with 0 where it would be 1."), Named.NOTHING
    ] = False

    @property
    def in_pseudonyms(self) -> bool:
        """Whether the answer is for outsiders to read."""
        return self.redact or self.mapping is not None


class After(NamedTuple):
    """Where the help tells an option of one command: after another one, not before the shared ones."""

    name: str


# A command that asks a question gets the dump itself: what is typed is its name, or nothing where it is piped in.
_DUMP_HELP = (
    "A file, a bundle (tar, zip, a folder), or - for standard input (the default when piped); compressed or not, "
    "in a bundle as BUNDLE:path/inside."
)
DUMP = typer.Argument(None, metavar="[DUMP]", help=_DUMP_HELP, show_default=False)
DUMPS = typer.Argument(
    None, metavar="[DUMP]...", help=f"{_DUMP_HELP} Several are one node.", show_default=False
)
NodeArgument = Annotated[Snapshot, DUMPS, Named.DUMPS]
ServicesOption = Annotated[
    FileArgument,
    typer.Option(
        "--services",
        metavar="FILE",
        help="A list that names services without comments: `kubectl get services -A`, also as json or "
        "yaml, or a namespace/name:port per line.",
        show_default=False,
    ),
    Named.SERVICES,
    After("show_all"),
]


def told_option(flag: str, metavar: str, text: str) -> typer.models.OptionInfo:
    """Return an option that says something about a packet or its node, which is unknown without it."""
    option: typer.models.OptionInfo = typer.Option(flag, metavar=metavar, help=text)
    return option


FromOption = Annotated[
    str,
    typer.Option(
        "--from",
        metavar="CLIENT",
        help="Connections of one kind of client: outside, pod or node, or of an ADDRESS.",
        show_default=False,
    ),
    Named.ADDRESS,
]
AddressesOption = Annotated[
    FileArgument,
    told_option("--addresses", "FILE", "The node's `ip address`: which addresses are its own."),
    Named.ADDRESS_FILE,
]
RoutesOption = Annotated[
    FileArgument,
    told_option("--routes", "FILE", "The node's `ip route`: where a packet leaves."),
    Named.ROUTE_FILE,
]
IpsetOption = Annotated[
    FileArgument,
    told_option("--ipset", "FILE", "The node's `ipset save`: what its sets hold."),
    Named.IPSET_FILE,
]
RecentOption = Annotated[
    FileArgument,
    told_option("--recent", "FILE", "A list of /proc/net/xt_recent: which clients came before."),
    Named.RECENT_FILE,
]
SysctlOption = Annotated[
    FileArgument,
    told_option(
        "--sysctl", "FILE", "The node's `sysctl -a`: what its kernel forwards, and drops as martian."
    ),
    Named.SYSCTL_FILE,
]
PodsOption = Annotated[
    FileArgument,
    told_option(
        "--pods",
        "FILE",
        "`kubectl get pods -A -o wide`, also as json or yaml: names endpoints by their pods.",
    ),
    Named.PODS_FILE,
]
AssumeOption = Annotated[
    list[str] | None,
    told_option("--assume", "CONDITION", "Take a condition of the answer for true; may be repeated."),
    Named.CONDITION,
]
