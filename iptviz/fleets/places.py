"""From what is given to what is read: files, patterns, folders, lists of them, URLs.

Each file is one input, whatever a bundle holds. A pattern stands for what it matches. A folder is one input,
too, where it is one node's: where no two things in it hold rules, or only files whose names differ in nothing but
the tool that wrote them (`iptables-save.txt` beside `ip6tables-save.txt`). Any other folder is one of nodes: each
file and each folder directly in it is an input. There, what is of a kind of which nothing holds rules is passed
over: a README among dumps, but not a dump that came out empty. Names are sorted as people count: node-2 before
node-10.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from iptviz.errors import DumpError, quoted
from iptviz.fleets.inputs import IS_URL, Input, Inputs, NotInstalledError
from iptviz.fleets.summary import Unreadable
from iptviz.intake.remark import remark
from iptviz.node.load import is_wanted
from iptviz.source.head import BLOCK, head_of, is_packed
from iptviz.source.origin import split_path, standard_input

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from iptviz.intake.remark import Remark

_MAGIC = re.compile(r"[*?\[]")
_DIGITS = re.compile(r"(\d+)")
_TOOL = re.compile(
    r"(?:ip[v_]?[46]?_?)?(?:x?tables|nft|ebtables|ipset|ruleset|rules|list|save|legacy|v?[46])+"
)
_HEAD = 1 << 20
"""So many bytes of a file are looked at for rules, which begin at its beginning."""

_LOOKED_AT = 200
"""So many files of a folder are looked at for rules."""

_HOW = "usage: iptviz fleet DUMP...; quote patterns or let the shell expand them"


def expanded(arguments: Iterable[str]) -> Inputs:
    """Return what is to be read of what is given; "-" is a list of paths on standard input, one a line.

    Raises:
        DumpError: nothing is given, or nothing that is given matches anything; a URL is given that needs a
            library which is not installed.
    """
    found: list[Input] = []
    unmatched: list[Unreadable] = []
    notes: list[Remark] = []
    words = list(_words(arguments))
    for word in words:
        some, reason = _tried(word, notes)
        found += some
        if not some:
            unmatched.append(Unreadable(_label(word), reason))
    if not words:
        raise DumpError("no DUMP given", hint=_HOW)
    if not found:
        raise _nothing(unmatched)
    once = _once(found)
    if again := len(found) - len(once):
        notes.append(remark("fleet-given-again", count=again, first=_first_again(found, once)))
    return Inputs(tuple(once), tuple(unmatched), tuple(notes))


_NAMED = 3
_NO_MATCH = "no file matches"


def _tried(word: str, notes: list[Remark]) -> tuple[list[Input], str]:
    """Return what a word stands for; where that is nothing, why."""
    try:
        return (_of_url(word) if IS_URL in word else _of_path(word, notes)), _NO_MATCH
    except NotInstalledError:
        raise
    except DumpError as error:
        return [], error.what


def _nothing(unmatched: list[Unreadable]) -> DumpError:
    """Return the error for words none of which stands for anything."""
    failed = next((one for one in unmatched if one.reason != _NO_MATCH), None)
    if failed:
        return DumpError(failed.reason, where=failed.source)
    named = ", ".join(quoted(one.source) for one in unmatched[:_NAMED])
    more = f" and {len(unmatched) - _NAMED:,} more" if len(unmatched) > _NAMED else ""
    return DumpError(f"{_NO_MATCH} {named}{more}", hint=_HOW)


def _words(arguments: Iterable[str]) -> Iterator[str]:
    for word in arguments:
        if word == "-":
            yield from _listed(standard_input())
        else:
            yield word


def _listed(lines: Iterable[bytes]) -> Iterator[str]:
    """Yield the paths in a list: blank lines and comments are none."""
    for line in lines:
        text = os.fsdecode(line).strip()
        if text and not text.startswith("#"):
            yield text


def natural(name: str) -> tuple[list[str | int], str]:
    """Return by what names are sorted as people count; the name itself where they count alike."""
    pieces = _DIGITS.split(name)
    return [int(piece) if place % 2 else piece for place, piece in enumerate(pieces)], name


def _once(found: Iterable[Input]) -> list[Input]:
    """Return each place once, under the label that it had first."""
    kept: dict[str, Input] = {}
    for one in found:
        kept.setdefault(_identity(one.place), one)
    return list(kept.values())


def _first_again(found: Iterable[Input], once: Iterable[Input]) -> str:
    left = list(once)
    for one in found:
        if left and left[0] is one:
            left.pop(0)
        else:
            return one.label
    return ""


def _identity(place: str) -> str:
    return place if IS_URL in place else os.path.realpath(place)


def _label(word: str) -> str:
    if IS_URL not in word:
        return word
    from iptviz.fleets.remote import shown

    return shown(word)


def _of_url(word: str) -> list[Input]:
    from iptviz.fleets.remote import expanded_url, shown  # nobody waits for it who gives paths

    return [Input(shown(url), url) for url in expanded_url(word, natural)]


def _of_path(word: str, notes: list[Remark]) -> list[Input]:
    """Return what a path or a pattern stands for; a path that is not there is read, and so reported, too."""
    path = os.path.expanduser(word)  # noqa: PTH111 - patterns in a list were seen by no shell
    names = _matching(path) if _is_pattern(path) else [path]
    return [one for name in names for one in (_of_folder(name, notes) if _is_folder(name) else _file(name))]


def _is_pattern(path: str) -> bool:
    """Whether a path is a pattern: a file may be called as one, too."""
    return bool(_MAGIC.search(path)) and not os.path.lexists(path) and not os.path.exists(split_path(path)[0])  # noqa: PTH110


def _matching(pattern: str) -> list[str]:
    """Return the paths that match a pattern; of `**`, which matches folders and what is in them, files."""
    from glob import glob

    paths = sorted(glob(pattern, recursive=True), key=natural)  # noqa: PTH207 - of paths as they are written
    return [one for one in paths if not ("**" in pattern and _is_folder(one))]


def _is_folder(path: str) -> bool:
    return os.path.isdir(path)  # noqa: PTH112 - pathlib costs 3 ms at start-up


def _file(path: str) -> list[Input]:
    return [Input(path, path)]


# --- folders -------------------------------------------------------------------------------------------------


def _of_folder(folder: str, notes: list[Remark]) -> list[Input]:
    """Return what there is to read of a folder: itself, where it is one node's, or what is directly in it."""
    names = sorted((name for name in _entries(folder) if not name.startswith(".")), key=natural)
    # What is neither, as a pipe, would be waited for.
    paths = [path for name in names if _is_plain(path := os.path.join(folder, name))]  # noqa: PTH118
    holding = [path for path in paths if _holds_rules(path)]
    if len(holding) <= 1 or _is_one_node(holding):
        return _file(folder)
    kinds = {_kind(path) for path in holding}
    passed_over = [path for path in paths if _kind(path) not in kinds]
    if passed_over:
        notes.append(remark("fleet-passed-over", folder=folder, count=len(passed_over), first=passed_over[0]))
    return [Input(path, path) for path in paths if _kind(path) in kinds]


def _is_plain(path: str) -> bool:
    """Whether it is a file or a folder, or a link to one, or to nothing: that is told by who reads it."""
    return not os.path.exists(path) or os.path.isfile(path) or os.path.isdir(path)  # noqa: PTH110, PTH112, PTH113


def _entries(folder: str) -> list[str]:
    try:
        return os.listdir(folder)  # noqa: PTH208 - names are sorted and joined
    except OSError:  # who reads it says why
        return []


def _kind(path: str) -> str:
    """Return of what kind something in a folder is: a folder, or a file with such a suffix."""
    return "/" if _is_folder(path) else _suffix(path)


def _suffix(path: str) -> str:
    return os.path.splitext(path)[1].lower()  # noqa: PTH122


def _is_one_node(paths: Iterable[str]) -> bool:
    """Whether files that hold rules are of one node: their names differ in the tools that wrote them alone."""
    rests = set()
    for path in paths:
        if _is_folder(path):
            return False
        name = os.path.basename(path).lower()  # noqa: PTH119
        rest = _TOOL.sub("", name.removesuffix(_suffix(path)))
        rests.add(re.sub(r"[-_. ]+", "", rest))
    return len(rests) == 1


def _holds_rules(path: str) -> bool:
    if not _is_folder(path):
        return _file_holds_rules(path)
    below = (os.path.join(place, name) for place, _, names in os.walk(path) for name in sorted(names))  # noqa: PTH118
    return any(_file_holds_rules(one) for one, _ in zip(below, range(_LOOKED_AT), strict=False))


def _file_holds_rules(path: str) -> bool:
    """Whether a file begins as a dump does, or may be a bundle of dumps; pipes and devices are not opened."""
    head = head_of(path, _HEAD)
    return head is not None and (is_packed(head[:BLOCK]) or is_wanted(path, head))
