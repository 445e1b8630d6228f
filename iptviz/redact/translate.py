"""How what is asked about a dump, and supplied beside it, goes into the dump's pseudonyms: one row a kind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from iptviz.errors import DumpError
from iptviz.redact.beside import Beside
from iptviz.redact.cluster import ClusterRedactor
from iptviz.redact.named import Named
from iptviz.redact.snapshot import SOURCE, hidden
from iptviz.supplied.conntrack import read_connections
from iptviz.supplied.files import Supplied
from iptviz.supplied.routes import read_routes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from iptviz.node.snapshot import Snapshot
    from iptviz.redact.pseudonyms import Pseudonyms
    from iptviz.supplied.service_names import Candidate


def _same(_redactor: Pseudonyms, value: Any) -> Any:
    return value


def _older(redactor: Pseudonyms, node: Snapshot) -> Snapshot:
    return hidden(node, redactor)


_WORDS_OF_PACKETS = {"-", "node"}
"""What stands for a source that has no address."""


def _packet(redactor: Pseudonyms, text: str) -> str:
    """Return `SRC DST PROTO PORT` in pseudonyms; who reads it refuses what is none of that."""
    source, _, rest = text.strip().partition(" ")
    destination, blank, others = rest.strip().partition(" ")
    shown = source if source in _WORDS_OF_PACKETS else redactor.addresses(source)
    return f"{shown} {redactor.destination(destination) if destination else ''}{blank}{others}"


def _services(redactor: Pseudonyms, candidates: tuple[Candidate, ...]) -> Supplied:
    return Supplied(Beside(redactor).services(candidates), SOURCE)


def _file(change: Callable[[Beside, str], str]) -> Callable[[Pseudonyms, Supplied], Supplied]:
    """Return the translation of a file whose text `change` translates; it keeps its name, for error messages."""
    return lambda redactor, file: file._replace(text=change(Beside(redactor), file.text))


def _readable(file: Supplied, read: Callable[[str, str], object]) -> None:
    """Read a file as it stands, so that what is wrong is said of its own lines, but nothing of what they hold.

    Raises:
        DumpError: it cannot be read.
    """
    try:
        read(*file)
    except DumpError as error:
        what = error.what.partition('"')[0].rstrip(": ")
        raise DumpError(
            f"{what} (its text is not shown with --redact)", where=error.where, hint=error.hint
        ) from None


def _connections(redactor: Pseudonyms, file: Supplied) -> Supplied:
    """Return a list of connections of which answers name the place: its name may tell something."""
    _readable(file, read_connections)
    return Supplied(Beside(redactor).connections(file.text), SOURCE)


def _routes(redactor: Pseudonyms, file: Supplied) -> Supplied:
    _readable(file, read_routes)
    return file._replace(text=Beside(redactor).routes(file.text))


TRANSLATIONS: Mapping[Named | None, Callable[[Pseudonyms, Any], Any]] = {
    Named.NOTHING: _same,
    Named.WORD: _same,
    Named.WRITTEN: _same,
    Named.TARGET: lambda redactor, text: redactor.target(text),
    Named.ADDRESS: lambda redactor, text: redactor.addresses(text),
    Named.DESTINATION: lambda redactor, text: redactor.destination(text),
    Named.PACKET: _packet,
    Named.INTERFACE: lambda redactor, name: redactor.names.interface(name),
    Named.NAMESPACE: lambda redactor, name: redactor.names.namespace(name),
    Named.CHAIN: lambda redactor, name: redactor.names.chain(name),
    Named.MAC: lambda redactor, text: redactor.names.mac(text),
    Named.NODE: lambda redactor, name: ClusterRedactor(redactor).node(name),
    Named.CONDITION: lambda redactor, text: Beside(redactor).assumption(text),
    Named.DUMP: _same,  # who chooses the key has written it already
    Named.DUMPS: _same,
    Named.OLDER_DUMP: _older,
    Named.CLUSTER: lambda redactor, cluster: ClusterRedactor(redactor).cluster(cluster),
    Named.SERVICES: _services,
    Named.ADDRESS_FILE: _file(Beside.addresses),
    Named.ROUTE_FILE: _routes,
    Named.IPSET_FILE: _file(Beside.ipset),
    Named.RECENT_FILE: _file(Beside.recent),
    Named.SYSCTL_FILE: _file(Beside.sysctls),
    Named.CONNTRACK_FILE: _connections,
    Named.PODS_FILE: _file(Beside.pods),
    Named.BASELINE: _same,  # made of pseudonyms
}


def translated(redactor: Pseudonyms, named: Named | None, value: Any) -> Any:
    """Return what was asked or supplied as the redacted dump knows it; of an option that repeats, each value.

    Raises:
        KeyError: nobody has said what it names.
        PacketError: it should be a condition, and is none.
    """
    if value is None:
        return None
    translate = TRANSLATIONS[named]
    return (
        [translate(redactor, each) for each in value]
        if isinstance(value, list)
        else translate(redactor, value)
    )
