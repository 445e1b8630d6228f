"""`--redact`: the dump is put into pseudonyms first, and so is all that is asked and supplied beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from iptviz.cli.run import Meant, load_node
from iptviz.errors import DumpError, OutputError
from iptviz.progress import nobody
from iptviz.records import NamedTuple
from iptviz.redact.named import NODE_FILES, Named
from iptviz.source.size import read_size
from iptviz.supplied.files import Supplied, Unread, read_file
from iptviz.terminal import say

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from iptviz.cli.options import Options
    from iptviz.cluster.api import ApiCluster
    from iptviz.dump.model import Dump
    from iptviz.node.snapshot import Snapshot
    from iptviz.progress import Progress
    from iptviz.questions.sources import SourcesResult
    from iptviz.redact.dump import Redactor
    from iptviz.redact.secrets import Secrets
    from iptviz.supplied.service_names import Candidate

_KEYS = 8
"""So many random keys are tried until no pseudonym is an address of the dump, which would look like a leak."""

_FEW = 10_000
"""Among more addresses than that, some pseudonyms are addresses of others with nearly every key."""


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
        beside += [bytes(older.dump).decode(errors="replace"), *texts_beside(older)]
    with locked(options.mapping):
        redactor, text = _redacted(
            node.dump,
            options,
            candidates=_candidates(of(Named.CLUSTER), of(Named.SERVICES)),
            beside=beside,
            form_told=True,
            progress=progress,
        )
        redactor.pods = _pod_names(node, of(Named.PODS_FILE))
        arguments = {
            name: hidden(node, redactor, text)
            if named[name] in {Named.DUMP, Named.DUMPS}
            else translated(redactor, named[name], value)
            for name, value in opened.items()
        }
        _keep(options.mapping, redactor)
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


def redacted(dump: Dump, options: Options, *, ports: bool = False, progress: Progress = nobody) -> str:
    """Return a dump redacted; the mapping, if one is named, is kept.

    Raises:
        DumpError: the mapping cannot be read.
        OutputError: the mapping cannot be written.
    """
    from iptviz.redact.lock import locked

    with locked(options.mapping):
        return _redacted(dump, options, ports=ports, progress=progress)[1]


def _redacted(
    dump: Dump,
    options: Options,
    *,
    ports: bool = False,
    candidates: Iterable[Candidate] = (),
    beside: Iterable[str] = (),
    form_told: bool = False,
    progress: Progress,
) -> tuple[Redactor, str]:
    """Return who redacts a dump, and the dump redacted, with a mapping that is locked.

    `candidates` are services that may be in the dump; ranges of addresses that are in the texts `beside` stay
    ranges, too. `form_told` is whether who reads the text is told of what form the original is.
    """
    from iptviz.redact.dump import Redactor
    from iptviz.redact.mapping import fresh_secrets

    mapping = options.mapping
    kept = _kept(options)
    secrets = kept or fresh_secrets()
    services = tuple(candidates)
    for _ in range(_KEYS):
        progress("replacing names", None)
        redactor = Redactor(dump, secrets, ports=ports, candidates=services, beside=beside)
        text = redactor.text(form_told=form_told, progress=progress)
        if kept or len(secrets.addresses.known) > _FEW or not secrets.addresses.mistakable():
            break
        secrets = fresh_secrets()
    if (moved := redactor.secrets.addresses.moved()) and not options.quiet:
        addresses = "1 address has" if moved == 1 else f"{moved:,} addresses have"
        say(
            f"{mapping}: {addresses} another pseudonym than in an earlier dump, because a range contains them"
        )
    _keep(mapping, redactor)
    return redactor, text


def redacted_sources(result: SourcesResult, options: Options) -> SourcesResult:
    """Return the list of the dumps of a bundle in pseudonyms; the mapping, if one is named, is kept.

    Raises:
        DumpError: the mapping cannot be read.
        OutputError: the mapping cannot be written.
    """
    from iptviz.questions.sources import SourcesResult
    from iptviz.redact.bundle import redacted_bundle, redacted_evidence
    from iptviz.redact.lock import locked
    from iptviz.redact.mapping import fresh_secrets, write_mapping
    from iptviz.redact.snapshot import SOURCE

    mapping = options.mapping
    with locked(mapping):
        secrets = _kept(options) or fresh_secrets()
        dumps = tuple(redacted_bundle(result.dumps, secrets, SOURCE))
        evidence = tuple(redacted_evidence(result.evidence, secrets, SOURCE))
        nodes = {
            number: name and f"node-{secrets.word('node', name)}" for number, name in result.nodes.items()
        }
        if mapping:
            write_mapping(mapping, secrets)
    problem = DumpError("something in it cannot be read", where=SOURCE)
    return SourcesResult(dumps, evidence, (problem,) * bool(result.problems), nodes)


def _kept(options: Options) -> Secrets | None:
    """Return what the mapping keeps: None where there is none yet.

    One that others could read is used all the same: who has it knows the key already, and what is written closes
    it. Its owner is told.
    """
    from iptviz.redact.mapping import mode_for_others, read_mapping

    mapping = options.mapping
    kept = read_mapping(mapping) if mapping else None
    if mapping and kept and not options.quiet and (mode := mode_for_others(mapping)):
        say(
            f"WARNING {mapping}: mode {mode} let others read the key, now 0600; "
            "who read it can undo the redaction"
        )
    return kept


def _keep(mapping: str | None, redactor: Redactor) -> None:
    from iptviz.redact.mapping import write_mapping

    if mapping:
        write_mapping(mapping, redactor.secrets)
