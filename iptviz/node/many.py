"""All nodes that a file or bundle tells of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.errors import DumpError
from iptviz.node.gather import Group, by_node, settle
from iptviz.node.load import KEEPING, find_in, nothing_in
from iptviz.node.snapshot import Snapshot
from iptviz.source.origin import DEFAULT_LIMIT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iptviz.node.load import FoundIn
    from iptviz.source.origin import DumpLike


def nodes_in(origin: DumpLike, *, max_size: int = DEFAULT_LIMIT) -> Iterator[Snapshot | DumpError]:
    """Yield the nodes, in the order of their dumps; of one whose dumps contradict each other the error.

    Raises:
        DumpError: it cannot be read, or tells of no node's rules.
    """
    found = find_in(origin, max_size=max_size)
    groups = [*by_node(found.dumps, found.evidence), *_listed(found)]
    if not groups:
        raise nothing_in(found)
    for group in groups:
        node = _node(group, found)
        by_file = _by_file(group) if isinstance(node, DumpError) else []
        yield from [node] if len(by_file) < 2 else [_node(one, found) for one in by_file]


def _listed(found: FoundIn) -> list[Group]:
    """Return the nodes of which there is no dump, but a listing of nft or of virtual servers."""
    own = [piece for piece in found.evidence if piece.namespace is None]
    with_dumps = {dump.node for dump in found.dumps}
    names = dict.fromkeys(piece.node for piece in own if piece.kind in KEEPING)
    return [
        Group(name, (), tuple(piece for piece in own if piece.node in {name, None}))
        for name in names
        if name not in with_dumps and not (name is None and found.dumps)
    ]


def _by_file(group: Group) -> list[Group]:
    """Return the dumps of a bundle that nothing tells apart but their files, each as that of a node."""
    files = dict.fromkeys(dump.origin.inside for dump in group.dumps)
    return [
        Group(_stem(name), tuple(dump for dump in group.dumps if dump.origin.inside == name), ())
        for name in files
        if group.name is None and name
    ]


def _stem(inside: str) -> str:
    return inside.rpartition("/")[2].partition(".")[0] or inside


def _node(group: Group, found: FoundIn) -> Snapshot | DumpError:
    try:
        dumps = settle(group.dumps, found.name) if group.dumps else ()
    except DumpError as error:
        return error
    return Snapshot(dumps, group.evidence, name=group.name, problems=found.problems)
