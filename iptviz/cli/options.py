"""The options that commands share, in one table, and arguments that several of them take."""

# Without the future import: the annotations are the table.
from enum import StrEnum
from typing import Annotated, NamedTuple

from iptviz.cli.told import Told, option, positional
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
        option("-f", "--format", metavar="FORMAT", text=""),
        Named.WORD,
    ] = None
    output: Annotated[
        str | None,
        option("-o", "--output", metavar="FILE", text="Write to FILE; its suffix chooses the format."),
        Named.WRITTEN,
    ] = None
    as_json: Annotated[bool, option("--json", text="Same as -f json."), Named.NOTHING] = False
    show_all: Annotated[bool, option("--all", text="Show everything."), Named.NOTHING] = False
    redact: Annotated[
        bool,
        option("--redact", text="Redact names and addresses in the output (see `iptviz redact`)."),
        Named.NOTHING,
    ] = False
    mapping: Annotated[
        str | None,
        option(
            "--map",
            metavar="FILE",
            text=(
                "Store the redaction key and mapping in FILE (secret, mode 0600) so later runs reuse the same "
                "pseudonyms."
            ),
            show_default=False,
        ),
        Named.WRITTEN,
    ] = None
    number: Annotated[
        int | None,
        option(
            "--dump",
            metavar="N",
            text="Use this dump only, by its number in `iptviz sources`.",
            show_default=False,
        ),
        Named.NOTHING,
    ] = None
    of_node: Annotated[
        str | None,
        option("--node", metavar="NAME", text="Node to use, if a bundle holds several.", show_default=False),
        Named.NODE,
    ] = None
    side: Annotated[
        Side | None,
        option("--side", text="Read this side of a diff of two dumps.  [default: new]", show_default=False),
        Named.NOTHING,
    ] = None
    strict: Annotated[
        bool,
        option("--strict", text="Fail if a line had to be skipped or repaired."),
        Named.NOTHING,
    ] = False
    max_size: Annotated[
        str,
        option("--max-size", metavar="SIZE", text="Limit for reading and unpacking, e.g. 500M or 8G."),
        Named.WORD,
    ] = "2G"
    color: Annotated[Color, option("--color", text="Colour the output."), Named.NOTHING] = Color.AUTO
    ascii_only: Annotated[bool, option("--ascii", text="Draw with ASCII only."), Named.NOTHING] = False
    quiet: Annotated[
        bool,
        option("-q", "--quiet", text="Print only errors on standard error."),
        Named.NOTHING,
    ] = False
    verbose: Annotated[
        bool,
        option("-v", "--verbose", text="Explain each skipped or repaired line."),
        Named.NOTHING,
    ] = False
    exit_zero: Annotated[
        bool, option("--exit-zero", text="Always exit 0 unless the input is unusable."), Named.NOTHING
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
    "File, bundle (tar, zip, folder), or - for standard input (default when piped); may be compressed. "
    "BUNDLE:path/inside is one file of a bundle."
)
DUMP = positional(default=None, metavar="[DUMP]", text=_DUMP_HELP, show_default=False)
DUMPS = positional(
    default=None, metavar="[DUMP]...", text=f"{_DUMP_HELP} Several belong to one node.", show_default=False
)
NodeArgument = Annotated[Snapshot, DUMPS, Named.DUMPS]
ServicesOption = Annotated[
    FileArgument,
    option(
        "--services",
        metavar="FILE",
        text=(
            "List of services, for dumps without comments: `kubectl get services -A`, also as json or yaml, or "
            "one namespace/name:port per line."
        ),
        show_default=False,
    ),
    Named.SERVICES,
    After("show_all"),
]


def told_option(flag: str, metavar: str, text: str) -> Told:
    """Tell of an option that says something about a packet or its node, which is unknown without it."""
    return option(flag, metavar=metavar, text=text)


FromOption = Annotated[
    str,
    option(
        "--from",
        metavar="CLIENT",
        text="Only connections of one kind of client: outside, pod, node, or an ADDRESS.",
        show_default=False,
    ),
    Named.ADDRESS,
]
AddressesOption = Annotated[
    FileArgument,
    told_option("--addresses", "FILE", "Output of `ip address` on the node: its own addresses."),
    Named.ADDRESS_FILE,
]
RoutesOption = Annotated[
    FileArgument,
    told_option(
        "--routes",
        "FILE",
        "Output of `ip route` on the node, best `ip route show table all` with `ip rule`: where packets go.",
    ),
    Named.ROUTE_FILE,
]
IpsetOption = Annotated[
    FileArgument,
    told_option("--ipset", "FILE", "Output of `ipset save` on the node: members of its sets."),
    Named.IPSET_FILE,
]
RecentOption = Annotated[
    FileArgument,
    told_option("--recent", "FILE", "File of /proc/net/xt_recent: clients seen before."),
    Named.RECENT_FILE,
]
SysctlOption = Annotated[
    FileArgument,
    told_option(
        "--sysctl", "FILE", "Output of `sysctl -a` on the node: forwarding, rp_filter, route_localnet ..."
    ),
    Named.SYSCTL_FILE,
]
ConntrackOption = Annotated[
    FileArgument,
    told_option(
        "--conntrack",
        "FILE",
        "Output of `conntrack -L` on the node: connections that exist, and how nat rewrites them.",
    ),
    Named.CONNTRACK_FILE,
]
PodsOption = Annotated[
    FileArgument,
    told_option(
        "--pods",
        "FILE",
        "Output of `kubectl get pods -A -o wide`, also as json or yaml: pod names of endpoints.",
    ),
    Named.PODS_FILE,
]
AssumeOption = Annotated[
    list[str] | None,
    told_option("--assume", "CONDITION", "Assume that a condition of the answer holds; may be repeated."),
    Named.CONDITION,
]
