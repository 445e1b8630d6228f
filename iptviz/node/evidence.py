"""One piece of evidence beside the rules: its text, where it stands, whose it is, and what is read in it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from iptviz.errors import NothingError
from iptviz.intake.index import TABLE_NAMES
from iptviz.node.kinds import KINDS, is_filtered, is_partial, kind_of, table_of
from iptviz.node.sections import Section, sections_of, text_of
from iptviz.records import NamedTuple
from iptviz.source.bundle import command_of_path, namespace_of_path, node_of_path
from iptviz.source.origin import Source
from iptviz.supplied.files import Supplied, read_file

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from iptviz.nft.model import Ruleset
    from iptviz.supplied.files import FileArgument

_LOOPBACK = re.compile(rb"(?<![\w.:])(?:127\.0\.0\.1|::1)(?![\w.:])")
_ENDPOINTS_LIST = re.compile(r"KUBE-SEP-[A-Z2-7]{16}")
"""What kube-proxy calls the list of an endpoint's clients: as the endpoint's chain."""

_FROM_SIX = re.compile(r"(?:^|[\s-])-6(?:[\s-]|$)|-f(?:amily)? inet6\b|^ip ?v?6|-v6$")
_ELSEWHERE = re.compile(
    r"\bip (?:-\S+ )*(?:netns exec|-n(?:etns)?) (\S+)|\bip(?:set|tables\S*)? -n(?:etns)? (\S+)"
    r"|(\b(?:kubectl|oc|crictl|docker|podman|nerdctl|ctr|lxc|runc)\b.*\bexec\b.*|\b(?:nsenter|chroot|ssh)\b.*)"
)
"""A command that ran in another namespace than the node's own, or on another host; whose, nobody knows."""


class Evidence(NamedTuple):
    """A section of a text that tells something of a node; `kind` is one of `iptviz.node.kinds.KINDS`."""

    kind: str
    source: Source
    section: Section

    @property
    def file(self) -> Supplied:
        """The text, at the lines where it stands in its file, and what messages call that."""
        return Supplied(text_of(self.source.data, self.section), self.source.name)

    @property
    def data(self) -> bytes:
        """The text at the lines where it stands in its file, as bytes: of a whole file these very ones."""
        text = self.source.data[self.section.start : self.section.end]
        return b"\n" * (self.section.line - 1) + text if self.section.line > 1 else text

    @property
    def command(self) -> str:
        """What printed it, where a prompt or the file's name tells."""
        return self.section.command or command_of_path(self.source.inside)

    @property
    def node(self) -> str | None:
        """The node's name, where a prompt or the path has it."""
        return self.section.host or node_of_path(self.source.path)

    @property
    def namespace(self) -> str | None:
        """The network namespace that it tells of, None for the node's own."""
        elsewhere = _ELSEWHERE.search(self.section.shell or self.command)
        if elsewhere is None:
            return namespace_of_path(self.source.inside)
        return elsewhere[1] or elsewhere[2] or elsewhere[3]

    @property
    def is_whole(self) -> bool:
        """Whether it tells all of its kind, of the node itself."""
        return self.namespace is None and not self.partial

    @property
    def is_used(self) -> bool:
        """Whether answers make use of it."""
        return bool(KINDS[self.kind].tells) and self.is_whole and not self.says_nothing

    @property
    def says_nothing(self) -> bool:
        """Whether it is of its kind by its name alone: what should have made it failed, or had nothing to say."""
        text = self.source.data[self.section.start : self.section.end]
        return bool(KINDS[self.kind].meant) and kind_of(text) != self.kind

    @property
    def lacks_loopback(self) -> bool:
        """Whether these are addresses without the one that every node has: others may lack, too."""
        text = self.source.data[self.section.start : self.section.end]
        return self.kind == "addresses" and _LOOPBACK.search(text) is None

    @property
    def table(self) -> str:
        """The routing table that was asked for; empty where none was."""
        return table_of(self.command)

    @property
    def of_six(self) -> bool:
        """Whether it was asked for IPv6 alone."""
        return _FROM_SIX.search(self.command) is not None

    @property
    def list_name(self) -> str:
        """The list of `-m recent` that a file without headings is, by its path or the command."""
        return self.command.rpartition("/")[2] if "/" in self.command else self._file_name or "DEFAULT"

    @property
    def _file_name(self) -> str:
        """The name of the file where it is one of lists: in their folder, or called as an endpoint's list is."""
        path = self.source.inside or self.source.name
        if "net/xt_recent/" in path:
            return path.rpartition("net/xt_recent/")[2]
        name = re.split(r"[/\\:]", path)[-1]
        return name if _ENDPOINTS_LIST.fullmatch(name) else ""

    @property
    def line_count(self) -> int:
        """How many lines it has."""
        text = self.source.data[self.section.start : self.section.end].strip(b"\r\n")
        return text.count(b"\n") + bool(text)

    @property
    def partial(self) -> bool:
        """Whether it tells only a part: what it does not list may be there."""
        return is_partial(self.kind, self.command)

    @property
    def is_filtered(self) -> bool:
        """Whether lines of it were chosen: any may be missing."""
        return is_filtered(self.command)


def supplied_as(kind: str, file: FileArgument) -> list[Evidence]:
    """Return what a file that is supplied as evidence of a kind holds of it.

    Of a text with commands in it these are the sections of that kind; of any other, it is the whole.

    Raises:
        DumpError: it cannot be read.
    """
    given = read_file(file, Supplied)
    if given is None:
        return []
    source = Source(given.source, "", given.text.encode())
    sections = sections_of(source.data)
    fitting = [section for section in sections if section.kind == kind]
    if len(sections) == 1:
        fitting = sections  # a command may stand above it
    elif not fitting:
        fitting = [Section(0, len(source.data), 1, sections[0].command, None, kind)]
    return [Evidence(kind, source, section) for section in fitting]


def _addresses(evidence: Evidence) -> Any:
    from iptviz.supplied.addresses import read_addresses

    return read_addresses(*evidence.file)


def _routes(evidence: Evidence) -> Any:
    from iptviz.supplied.routes import read_routes

    named = "" if evidence.table == "all" else evidence.table
    return read_routes(*evidence.file, table=named, six=evidence.of_six).routes


def _rules(evidence: Evidence) -> Any:
    from iptviz.supplied.routing_rules import read_routing_rules

    version = 6 if evidence.of_six else 4 if evidence.command else None
    return read_routing_rules(*evidence.file, version)


def _ipsets(evidence: Evidence) -> Any:
    from iptviz.ipset.saved import read_ipsets

    return read_ipsets(*evidence.file)


def _recent(evidence: Evidence) -> Any:
    from iptviz.supplied.recent import read_recent_lists

    return read_recent_lists(*evidence.file, evidence.list_name)


def _sysctls(evidence: Evidence) -> Any:
    from iptviz.supplied.sysctls import read_sysctls

    return read_sysctls(evidence.file.text)


def _pods(evidence: Evidence) -> Any:
    from iptviz.supplied.pods import read_pods

    return read_pods(*evidence.file)


def _ipvs(evidence: Evidence) -> Any:
    from iptviz.supplied.ipvs import read_ipvs

    return read_ipvs(*evidence.file)


def _connections(evidence: Evidence) -> Any:
    from iptviz.supplied.conntrack import read_connections

    found = read_connections(*evidence.file)
    return found._replace(whole=found.whole and not evidence.partial)


class TableThere(NamedTuple):
    """A table that the kernel has: its family in nft's words, its name, whether packets may meet rules in it."""

    family: str
    name: str
    acts: bool

    @property
    def is_of_iptables(self) -> bool:
        """Whether iptables has a table of this name: its dumps show it."""
        return self.family != "inet" and self.name in TABLE_NAMES

    def text(self, backend: str) -> str:
        """Return how answers call it."""
        return f"{backend} {self.name}" if self.is_of_iptables else f"nft {self.family} {self.name}"


_MET = frozenset({"ip", "ip6", "inet"})
"""The families of tables that packets of IP meet."""


def _nft_tables(evidence: Evidence) -> frozenset[TableThere]:
    from iptviz.nft.read import read_ruleset

    try:
        return tables_there(read_ruleset(evidence.data))
    except NothingError:
        return frozenset()


def tables_there(ruleset: Ruleset) -> frozenset[TableThere]:
    """Return the tables of nft; of what is in them, only whether there are rules behind a hook."""
    tables = ruleset.tables.values()
    return frozenset(
        TableThere(table.family, table.name, table.acts) for table in tables if table.family in _MET
    )


def _table_names(evidence: Evidence) -> frozenset[TableThere]:
    """Return the tables of iptables-legacy that the kernel has; whether they have rules, nothing tells."""
    family = "ip6" if "ip6_tables_names" in evidence.source.inside + evidence.command else "ip"
    return frozenset(TableThere(family, name, acts=True) for name in evidence.file.text.split())


READERS: Mapping[str, Callable[[Evidence], Any]] = {
    "addresses": _addresses,
    "routes": _routes,
    "rules": _rules,
    "ipsets": _ipsets,
    "recent": _recent,
    "sysctls": _sysctls,
    "ipvs": _ipvs,
    "pods": _pods,
    "conntrack": _connections,
    "nft": _nft_tables,
    "table names": _table_names,
}
"""What reads the evidence of each kind that answers make use of."""
