"""From files and bundles to what is in them: all of it, one node of it, or one dump."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from iptviz.dump.gaps import no_dump_error
from iptviz.dump.model import Dump
from iptviz.errors import DumpError, NothingError
from iptviz.intake.index import TABLE_NAMES
from iptviz.intake.read import read_text
from iptviz.node.snapshot import Snapshot
from iptviz.progress import nobody
from iptviz.records import NamedTuple
from iptviz.source.origin import DEFAULT_LIMIT, DumpLike, read_sources

if TYPE_CHECKING:
    from collections.abc import Sequence

    from iptviz.intake.plain import Text
    from iptviz.node.evidence import Evidence
    from iptviz.node.sections import Section
    from iptviz.progress import Progress
    from iptviz.source.origin import FoundTexts, Source

# A text of a bundle holds a dump if one of these begins a line. A bundle has thousands of files: what few of them
# have, the first word of a row, is looked for first.
_CHAINS = ("PREROUTING", "INPUT", "OUTPUT")
_BEGINNINGS: dict[bytes, tuple[bytes, ...]] = {
    b"*": tuple(f"*{table}".encode() for table in TABLE_NAMES),
    b"Chain ": tuple(f"Chain {chain} (".encode() for chain in _CHAINS),
    b"-P ": tuple(f"-P {chain} ".encode() for chain in _CHAINS),
}


_HOW_TO_SAVE = "capture a dump with: sudo iptables-save > FILE (on the node)"
_HOW_TO_SAVE_LEGACY = "capture a dump with: sudo iptables-legacy-save > FILE (on the node)"


class FoundIn(NamedTuple):
    """What is in files and bundles: dumps, numbered from 1, evidence of other kinds, and what kept others away.

    `name` is what messages call all of it.
    """

    name: str
    dumps: tuple[Dump, ...]
    evidence: tuple[Evidence, ...]
    problems: tuple[DumpError, ...]


def load(
    origin: DumpLike,
    *,
    number: int | None = None,
    family: str | None = None,
    max_size: int = DEFAULT_LIMIT,
    side: str | None = None,
) -> Dump:
    """Read a dump: from a path, `BUNDLE:path/inside`, "-" for standard input, bytes, or an open binary file.

    Of several dumps it is the one of `number`, counted from 1, or the obvious one: with rules, with Kubernetes
    chains, of `family` (`ipv4` or `ipv6`). `max_size` bounds the bytes read and unpacked. `side` is what is read
    of a diff, `new` or `old`, the new one unless told.

    Raises:
        DumpError: it cannot be read, holds no dump, or several of which none is the obvious one.
    """
    return load_node(origin, number=number, family=family, max_size=max_size, side=side).dump


def load_all(origin: DumpLike, *, max_size: int = DEFAULT_LIMIT) -> tuple[list[Dump], DumpError | None]:
    """Return all dumps of `origin`, numbered from 1, and what kept others from being read.

    Raises:
        DumpError: it cannot be read, or holds no dump.
    """
    found = find_in(origin, max_size=max_size)
    if not found.dumps:
        raise nothing_in(found)
    return list(found.dumps), next(iter(found.problems), None)


def load_node(
    *origins: DumpLike,
    number: int | None = None,
    node: str | None = None,
    node_hint: str | None = None,
    may_be_nameless: bool = False,
    family: str | None = None,
    max_size: int = DEFAULT_LIMIT,
    side: str | None = None,
    progress: Progress = nobody,
) -> Snapshot:
    """Return the node that `origins`, files and bundles as `load` takes them, tell of.

    Of several nodes it is the one called `node`, or `node_hint`, which the only one need not be called. The only
    one need have no name at all where it `may_be_nameless`. `number`
    counts the dumps from 1, and takes that one alone; else those of `family` go before others. `side` is as for
    `load`. `progress` is told how much is read.

    Raises:
        DumpError: something cannot be read, there is no dump, or it is not clear which node or dump is meant.
    """
    found = find_in(*origins, max_size=max_size, side=side, progress=progress)
    if not found.dumps:
        listed = _listed(found, node)
        if listed is None:
            raise nothing_in(found)
        return listed
    first = found.dumps[0]
    alone = not (first.siblings or found.evidence or first.namespace)
    if alone and number in {None, 1} and (node is None or may_be_nameless):
        return Snapshot(found.dumps, problems=found.problems)
    if number is not None:
        return _numbered(found, number, node)
    from iptviz.node.gather import by_node, choose_node, listing, settle  # what one dump does not need

    groups = by_node(found.dumps, found.evidence)
    if not groups:
        raise DumpError("contains only dumps of network namespaces, none of the node itself", where=found.name,
                        hint=f"pick one with --dump N\n  {listing(found.dumps)}")  # fmt: skip
    if may_be_nameless and len(groups) == 1 and groups[0].name is None:
        node = None
    chosen = choose_node(groups, found.name, node or (node_hint if len(groups) > 1 else None))
    dumps = settle(chosen.dumps, found.name, family)
    return Snapshot(dumps, chosen.evidence, name=chosen.name, problems=found.problems)


KEEPING = {"nft", "ipvs"}
"""Kinds of evidence that tell of services without any dump."""


def _listed(found: FoundIn, wanted: str | None) -> Snapshot | None:
    """Return the node that a listing of nft, or of virtual servers, tells of; None without any.

    Raises:
        DumpError: it is not clear which node is meant.
    """
    own = [piece for piece in found.evidence if piece.namespace is None]
    if not any(piece.kind in KEEPING for piece in own):
        return None
    from iptviz.node.gather import Group, choose_node

    names = dict.fromkeys(piece.node for piece in own if piece.kind in KEEPING)
    groups = [Group(name, (), tuple(piece for piece in own if piece.node in {name, None})) for name in names]
    chosen = choose_node(groups, found.name, wanted)
    node = Snapshot((), chosen.evidence, name=chosen.name, problems=found.problems)
    if all(listing.ruleset is None for listing in node.listings):
        node.nothing = nothing_in(found)
    return node


def _numbered(found: FoundIn, number: int, node: str | None) -> Snapshot:
    from iptviz.node.gather import Group, by_node, choose_node, count, listing

    if not 1 <= number <= len(found.dumps):
        raise DumpError(
            f"no dump {number}; contains {count(found.dumps)}",
            where=found.name,
            hint=listing(found.dumps),
        )
    dump = found.dumps[number - 1]
    of_it = next(
        (group for group in by_node(found.dumps, found.evidence) if dump in group.dumps), Group(None, (), ())
    )
    if node is not None:
        choose_node([of_it], found.name, node)
    return Snapshot((dump,), of_it.evidence, name=of_it.name, problems=found.problems)


# --- what is in a file ---------------------------------------------------------------------------------------


def find_in(
    *origins: DumpLike,
    max_size: int = DEFAULT_LIMIT,
    side: str | None = None,
    progress: Progress = nobody,
) -> FoundIn:
    """Return all that is in files and bundles; of a diff, `side`. `progress` is told how much is read.

    Raises:
        DumpError: one of them cannot be read, or holds nothing of a node; a side is named, and none is a diff.
    """
    dumps: list[Dump] = []
    evidence: list[Evidence] = []
    problems: list[DumpError] = []
    bundles: list[str] = []
    is_diff = False
    for origin in origins:
        try:
            found = _texts_of(origin, max_size, progress)
            for source in found.sources:
                text, beside = _read(source, side)
                is_diff = is_diff or text.side is not None
                dumps += (Dump.of(text, plain, source) for plain in text.dumps)
                evidence += beside
                if not (text.dumps or beside or source.inside):
                    raise no_dump_error(text, source.name)
        except NothingError as error:
            if len(origins) == 1:
                raise
            problems.append(error)  # of several files, one may have nothing to say
            continue
        problems += [found.problem] if found.problem else []
        bundles.append(found.sources[0].bundle)
    if side and not is_diff:
        raise DumpError(
            f"--side {side} needs a diff, and this is not one", where=", ".join(bundles), hint="drop --side"
        )
    dumps = [dump for dump in dumps if not dump.is_made] or dumps
    dumps += _listed_dumps(dumps, evidence)
    for number, dump in enumerate(dumps, 1):
        dump.number, dump.siblings = number, len(dumps) - 1
    return FoundIn(", ".join(dict.fromkeys(bundles)), tuple(dumps), tuple(evidence), tuple(problems))


def _listed_dumps(dumps: Sequence[Dump], evidence: Sequence[Evidence]) -> Sequence[Dump]:
    """Return dumps of the tables of iptables-nft that listings of nft show, and no dump does."""
    if not any(piece.kind == "nft" for piece in evidence):
        return ()
    from iptviz.node.listing import dumps_of_listings

    return dumps_of_listings(dumps, evidence)


def _texts_of(origin: DumpLike, max_size: int, progress: Progress) -> FoundTexts:
    """Return the texts that tell something of a node; of a bundle without any, those with rules inside."""
    try:
        return read_sources(origin, max_size, is_wanted, progress)
    except NothingError as error:
        if not isinstance(origin, (str, bytes, os.PathLike)) or origin == "-":
            raise  # it can be read once
        try:
            return read_sources(origin, max_size, may_hold_rules, progress)
        except NothingError:
            raise error from None


def _read(source: Source, side: str | None) -> tuple[Text, list[Evidence]]:
    """Read a text as dumps and as evidence; lines that are the one are not looked at for the other."""
    if side is None and (listed := _listing_alone(source)):
        return read_text(b"", source.inside), listed
    text = read_text(source.data, source.inside, side)
    if text.dumps and not any(note.reason == "no-part" for note in text.notes):
        return text, []  # nothing but dumps, and perhaps the commands that printed them
    from iptviz.node.evidence import Evidence
    from iptviz.node.sections import unquoted, without

    inner, sections = source, _evidence_in(source)
    if not sections and (data := unquoted(source.data)) != source.data:
        inner = source.with_data(data)
        sections = _evidence_in(inner)
    if text.dumps and sections:
        text = read_text(without(inner.data, sections), source.inside, side)._replace(raw=source.data)
    return text, [Evidence(section.kind or "", inner, section) for section in sections]


_NFT = (b"table ", b'{"nftables"', b'{ "nftables"')
_IPVS = (b"IP Virtual Server version ", b"-A -t ", b"-A -u ", b"-A -f ", b"-A --sctp-service ")


def _listing_alone(source: Source) -> list[Evidence]:
    """Return the listing of nft or IPVS that a text is: nobody looks for rules of iptables in each line of it."""
    if not source.data.startswith(_NFT + _IPVS) or holds_dump(source.data):
        return []
    from iptviz.node.evidence import Evidence

    sections = _evidence_in(source)
    if [section.kind for section in sections] not in (["nft"], ["ipvs"]):
        return []
    return [Evidence(section.kind or "", source, section) for section in sections]


def _evidence_in(source: Source) -> list[Section]:
    from iptviz.node.sections import sections_of

    return [section for section in sections_of(source.data, source.inside or source.path) if section.kind]


def is_wanted(path: str, data: bytes) -> bool:
    """Whether a text in a bundle tells something of a node."""
    if holds_dump(data):
        return True
    from iptviz.node.kinds import kind_of

    return kind_of(data, path) is not None


def may_hold_rules(_path: str, data: bytes) -> bool:
    """Whether a text in a bundle holds rules of kube-proxy in another form than a dump has: JSON, one chain."""
    return any(sign in data for sign in (b"-A KUBE-", b"Chain KUBE-"))


def holds_dump(data: bytes) -> bool:
    """Whether a text in a bundle holds a dump."""
    return any(
        data.startswith(beginning) or b"\n" + beginning in data
        for word, beginnings in _BEGINNINGS.items()
        if data.startswith(word) or b"\n" + word in data
        for beginning in beginnings
    )


def nothing_in(found: FoundIn) -> DumpError:
    """Return the error for files and bundles without any dump, which says what they hold instead."""
    if found.problems and not found.evidence:
        return found.problems[0]
    if [piece.kind for piece in found.evidence] == ["nft"] and not found.evidence[0].source.inside:
        source = found.evidence[0].source
        if not source.data.strip():
            return NothingError("file is empty", where=source.name, hint=_HOW_TO_SAVE)
        return no_dump_error(read_text(source.data), source.name)
    first: dict[str, Evidence] = {}
    for piece in found.evidence:
        first.setdefault(piece.kind, piece)
    held = ", ".join(map(_held, first.values()))
    return DumpError(
        f"no iptables rules found, only {held}" if held else "no iptables rules found",
        where=found.name,
        hint=_HOW_TO_SAVE_LEGACY if any(map(_names_tables, found.evidence)) else _HOW_TO_SAVE,
    )


def _names_tables(piece: Evidence) -> bool:
    """Whether the kernel names tables of iptables-legacy there: iptables-save may be the other backend's."""
    return piece.kind == "table names" and piece.line_count > 0


def _held(piece: Evidence) -> str:
    """Return what a piece of evidence is, and where it stands; tables that have names but no rules are named."""
    from iptviz.node.kinds import KINDS

    label = KINDS[piece.kind].label
    if not piece.line_count:
        label = f"an empty {label}"
    if piece.kind == "table names":
        label = f"the names of iptables-legacy tables: {', '.join(piece.file.text.split())}"
    return f"{label} ({piece.source.inside.rpartition('/')[2] or f'line {piece.section.line}'})"
