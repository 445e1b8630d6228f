"""`--redact`: the dump is put into pseudonyms first, and so is all that is asked and supplied beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from iptviz.cli.run import Meant, load_node
from iptviz.errors import OutputError
from iptviz.records import NamedTuple
from iptviz.redact.named import NODE_FILES, Named
from iptviz.source.size import read_size
from iptviz.supplied.files import Supplied, Unread, read_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from iptviz.cli.options import Options
    from iptviz.cluster.api import ApiCluster
    from iptviz.node.snapshot import Snapshot
    from iptviz.progress import Progress
    from iptviz.supplied.service_names import Candidate


def check_named(named: Mapping[str, Named | None]) -> None:
    """Raise an error where nobody has said of an argument what it names: it might tell anything.

    Raises:
        OutputError: there is such an argument.
    """
    for name, kind in named.items():
        if kind is None:
            raise OutputError(
                f"cannot redact {name}: it may name something in the dump",
                hint="this is a bug in iptviz; please report it",
            )


class Original(NamedTuple):
    """What a question in pseudonyms was asked before: its arguments, None where it is asked without any."""

    arguments: Mapping[str, Any] | None = None


def as_asked(
    typed: Mapping[str, Any],
    named: Mapping[str, Named | None],
    options: Options,
    progress: Progress,
    family: str | None = None,
) -> tuple[dict[str, Any], Original]:
    """Return the arguments of a command as its question takes them: dumps read, and in pseudonyms if asked for.

    With them come those that went into pseudonyms. `named` is what each of them names; `family` is that of the
    dump which is meant.

    Raises:
        DumpError: there is no dump, or a file or the mapping cannot be read.
        OutputError: the mapping cannot be written.
        PacketError: an argument that should be a condition is none.
    """
    found = dict(typed)
    compared = any(kind is Named.OLDER_DUMP and typed[name] is not None for name, kind in named.items())
    meant = Meant(family, typed.get("node"), compared)
    for kind, read in _READ.items():
        found |= {
            name: read(value, options, progress, meant)
            for name, value in found.items()
            if named[name] is kind
        }
    limit = read_size(options.max_size)
    found |= {
        name: Unread(found[name], limit)
        for name, kind in named.items()
        if kind in _READ_LATER and found[name] is not None
    }
    if not options.in_pseudonyms:
        return found, Original()
    found |= {name: read_file(found[name], Supplied) for name, kind in named.items() if kind in _OPENED}
    return _in_pseudonyms(found, named, options, progress), Original(found)


def _older(name: str | None, options: Options, progress: Progress, meant: Meant) -> Snapshot | None:
    return None if name is None else load_node(name, options, progress, meant)


def _cluster(paths: Sequence[str], options: Options, _progress: Progress, _meant: Meant) -> ApiCluster:
    from iptviz.questions.verify import read_objects

    limit = read_size(options.max_size)
    return read_objects([Unread(path, limit) for path in paths])


_READ: Mapping[Named, Callable[[Any, Options, Progress, Meant], Any]] = {
    Named.CLUSTER: _cluster,
    Named.DUMP: load_node,
    Named.DUMPS: load_node,
    Named.OLDER_DUMP: _older,
}
"""What is read before a question sees it, in that order; other files are read by the question."""


def _in_pseudonyms(
    found: Mapping[str, Any], named: Mapping[str, Named | None], options: Options, progress: Progress
) -> dict[str, Any]:
    """Return all arguments, files read, in the pseudonyms of the dump; the mapping is kept with them."""
    from iptviz.cli.redacting import keep, redacted_node
    from iptviz.redact.lock import locked
    from iptviz.redact.snapshot import hidden, texts_beside
    from iptviz.redact.translate import translated

    opened = {
        name: read_file(value, _service_names) if named[name] is Named.SERVICES else value
        for name, value in found.items()
    }

    def of(*kinds: Named) -> list[Any]:
        return [value for name, value in opened.items() if named[name] in kinds and value is not None]

    beside = [file.text for file in of(*NODE_FILES)]
    (node,) = of(Named.DUMP, Named.DUMPS)
    beside += texts_beside(node)
    for older in of(Named.OLDER_DUMP):
        beside += [*(bytes(dump).decode(errors="replace") for dump in older.dumps[:1]), *texts_beside(older)]
    with locked(options.mapping):
        pseudonyms, text = redacted_node(
            node,
            options,
            candidates=_candidates(of(Named.CLUSTER), of(Named.SERVICES)),
            beside=beside,
            form_told=True,
            progress=progress,
        )
        pseudonyms.pods = _pod_names(node, of(Named.PODS_FILE))
        arguments = {
            name: hidden(node, pseudonyms, text)
            if named[name] in {Named.DUMP, Named.DUMPS}
            else translated(pseudonyms, named[name], value)
            for name, value in opened.items()
        }
        keep(options.mapping, pseudonyms)
    return arguments


def _service_names(text: str, source: str) -> tuple[Candidate, ...]:
    from iptviz.supplied.service_names import read_service_names

    return tuple(read_service_names(text, source))


def _pod_names(node: Snapshot, listed: Iterable[Supplied]) -> frozenset[str]:
    """Return the names of the pods that are known."""
    from iptviz.supplied.pods import Pods, read_pods

    pods = [node.pods, *(Pods(read_pods(*file)) for file in listed)]
    return frozenset(pod.name for some in pods if some for pod in some)


_OPENED = (Named.SERVICES, *NODE_FILES)
"""Files that the question would read itself, and that go into pseudonyms."""

_READ_LATER = (*_OPENED, Named.BASELINE)
"""Files that the question reads itself."""


def _candidates(
    clusters: Iterable[ApiCluster], listed: Iterable[tuple[Candidate, ...]]
) -> Iterator[Candidate]:
    """Yield the services that may be in the dump, which names none where its comments are lost."""
    from iptviz.questions.verify import candidates_of

    for cluster in clusters:
        yield from candidates_of(cluster)
    for candidates in listed:
        yield from candidates
