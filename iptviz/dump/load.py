"""From an origin to its dumps: every one, or the one that is meant."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.dump.choose import choose
from iptviz.dump.gaps import no_dump_error
from iptviz.dump.model import Dump
from iptviz.intake.read import read_text
from iptviz.source.origin import DEFAULT_LIMIT, DumpLike, read_sources

if TYPE_CHECKING:
    from iptviz.errors import DumpError

# A text of a bundle holds a dump if one of these begins a line: a bundle has thousands of files.
_BEGINNINGS = (
    *(f"*{table}".encode() for table in ("nat", "filter", "mangle", "raw", "security")),
    *(f"Chain {chain} (".encode() for chain in ("PREROUTING", "INPUT", "OUTPUT")),
    *(f"-P {chain} ".encode() for chain in ("PREROUTING", "INPUT", "OUTPUT")),
)


def load(
    origin: DumpLike,
    *,
    number: int | None = None,
    family: str | None = None,
    max_size: int = DEFAULT_LIMIT,
) -> Dump:
    """Read a dump: from a path, `BUNDLE:path/inside`, "-" for standard input, bytes, or an open binary file.

    Of several dumps it is the one of `number`, counted from 1, or the obvious one: with rules, with Kubernetes
    chains, of `family` (`ipv4` or `ipv6`). `max_size` bounds the bytes read and unpacked.

    Raises:
        DumpError: it cannot be read, holds no dump, or several of which none is the obvious one.
    """
    dumps, problem = load_all(origin, max_size=max_size)
    chosen = choose(dumps, _name_of(dumps), number=number, family=family)
    if problem:
        chosen.problems.append(problem)
    return chosen


def load_all(origin: DumpLike, *, max_size: int = DEFAULT_LIMIT) -> tuple[list[Dump], DumpError | None]:
    """Return all dumps of `origin`, numbered from 1, and what kept others from being read.

    Raises:
        DumpError: it cannot be read, or holds no dump.
    """
    found = read_sources(origin, max_size, holds_dump)
    dumps: list[Dump] = []
    for source in found.sources:
        text = read_text(source.data, source.inside)
        if not text.dumps and len(found.sources) == 1:
            raise no_dump_error(text, source.name)
        dumps += (Dump.of(text, plain, source) for plain in text.dumps)
    if not dumps:
        raise found.problem or no_dump_error(read_text(found.sources[0].data), found.sources[0].name)
    for number, dump in enumerate(dumps, 1):
        dump.number = number
        dump.siblings = len(dumps) - 1
    return dumps, found.problem


def holds_dump(data: bytes) -> bool:
    """Whether a text in a bundle holds a dump."""
    return any(data.startswith(beginning) or b"\n" + beginning in data for beginning in _BEGINNINGS)


def _name_of(dumps: list[Dump]) -> str:
    """Return what to call all of `dumps`: their file, or the bundle around it."""
    first = dumps[0].origin
    return first.name.removesuffix(f":{first.inside}") if first.inside else first.name
