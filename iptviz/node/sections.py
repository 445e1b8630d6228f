"""A text cut at the commands in it: what each of them printed, and which kind of evidence that is.

People paste a whole terminal, and collectors write the command above its output; a file without any command in it
is one section.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from iptviz.intake.text import to_text
from iptviz.node.kinds import kind_of
from iptviz.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# A prompt with a host in it cuts whatever was typed; elsewhere a line is a command if a known tool begins it. In
# Markdown the output stands between fences.
_HOST_PROMPT = rb"\[?[\w.-]{1,100}@(?P<host>[A-Za-z0-9][A-Za-z0-9.-]{0,252})[:\s][^\n#$]{0,200}?\]?[#$][ \t]*"
_PROMPT = (
    rb"(?:(?:sh|bash)-[\d.]+[#$][ \t]*|(?:[\w.-]{1,60}:)?[~/][\w./-]{0,200}[ \t]*[#$][ \t]*"
    rb"|(?:#{1,6}|[$%+>])[ \t]*|>>> host:[ \t]*|\*\*\* Output of[ \t]*|=+[ \t]*)?"
)
# The language of nft has fields of `ip`, with which lines of rules begin.
_TOOLS = (
    rb"ip(?![ \t]+(?:[sd]addr|protocol|dscp|ecn|ttl|length|version|hdrlength|id|frag-off|checksum|option)\b)"
    rb"|ip6?tables[\w-]*|ipset|sysctl|conntrack(?! v\d)|nft|ipvsadm[\w-]*|cat|tail|head|grep|ifconfig|route"
    rb"|bridge|ss|kubectl|oc|crictl|docker|podman|nerdctl|ctr|nsenter|chroot|ssh|uname|hostname|date"
)
_CUT = re.compile(
    rb"^(?:" + _HOST_PROMPT + rb"(?P<typed>[^\n]*)"
    rb"|"
    + _PROMPT
    + rb"(?P<command>(?:sudo (?:-\S+ )*)?(?:/[\w/.-]*/)?(?:"
    + _TOOLS
    + rb")(?:[ \t][^\n]{0,300})?)"
    rb"|(?P<fence>```|~~~)[\w-]{0,20})"
    rb"[ \t:=]*\r?(?:\n|\Z)",
    re.MULTILINE,
)


# A section with rules in it is a part of a dump, whatever else stands there.
_RULES = re.compile(
    rb"-[AI] [^-\s]\S* [^\n]*-[jg] |^Chain \S+ \(|^\*(?:nat|filter|mangle|raw|security)\s"
    rb"|-P (?:INPUT|OUTPUT|FORWARD) ",
    re.MULTILINE,
)


# What stands before a command, or before a line as only evidence has, where that is quoted or indented.
_QUOTED = re.compile(
    rb"^([ \t>|]{1,40}?)(?:[\w.-]{1,100}@[A-Za-z0-9][\w.-]{0,252}:|[$#] \S|(?:sudo )?(?:" + _TOOLS + rb") "
    rb"|\d{1,9}: [\w.@-]{1,40}: <|\d{1,9}: lo |lo[ \t]+UNKNOWN |default via "
    rb"|create \S{1,40} (?:hash|bitmap|list):|table (?:ip6?|inet|arp|bridge|netdev) \S{1,80} \{"
    rb"|IP Virtual Server version |(?:net|kernel|vm|fs)\.[\w./-]{1,200} ?= ?)",
    re.MULTILINE,
)


class Section(NamedTuple):
    """What one command printed: its bytes from `start` to `end` in the text, and the line (from 1) it begins at.

    `command` is what printed it, as far as that is told; `host` is the name in the prompt, if any; `kind` is one
    of `iptviz.node.kinds.KINDS`, None for what is no evidence of its own, such as rules. `head` is where the line
    with the command begins, None where none stands above. `shell` is the command that opened the shell of a
    container or another host, from which the section is.
    """

    start: int
    end: int
    line: int
    command: str
    host: str | None
    kind: str | None
    head: int | None = None
    shell: str = ""


_OPENS_SHELL = re.compile(r"\b(?:exec|nsenter|chroot|ssh)\b.*?(?:\b(?:sh|bash|ash|zsh)|^ssh \S+)$")


def sections_of(data: bytes, path: str = "", command: str = "") -> list[Section]:
    """Return the sections of a text; `path` and `command` are what is known of all of it."""
    found = list(_sections(data, path, command))
    return found if len(found) > 1 else [found[0]._replace(command=found[0].command or command)]


def _sections(data: bytes, path: str, command: str) -> Iterator[Section]:
    above = Section(0, 0, 1, command, None, None)
    for cut in _CUT.finditer(data):
        if cut.start():
            yield _told(above, data, cut.start(), path)
        line = above.line + data.count(b"\n", above.start, cut.end())
        host = to_text(cut["host"]) if cut["host"] else above.host
        command = above.command if cut["fence"] else _command(cut)
        shell = "" if cut["host"] else above.shell
        shell = above.command if _OPENS_SHELL.search(above.command) and not cut["host"] else shell
        above = Section(cut.end(), cut.end(), line, command, host, None, cut.start(), shell)
    yield _told(above, data, len(data), path)


def _command(cut: re.Match[bytes]) -> str:
    """Return a command without what collectors put around it: `=== ip a ===`."""
    return to_text(cut["typed"] or cut["command"] or b"").strip().rstrip("=:* \t")


def _told(section: Section, data: bytes, end: int, path: str) -> Section:
    """Return a section with its end, and its kind; one with rules in it is no evidence."""
    text = data[section.start : end]
    kind = kind_of(text, path)
    return section._replace(end=end, kind=None if kind and _RULES.search(text) else kind)


def unquoted(data: bytes) -> bytes:
    """Return a text without what stands before each line of evidence that is quoted or indented.

    Lines keep their numbers, and what is further in stays further in: that `ip addr` prints so.
    """
    found = _QUOTED.search(data)
    if found is None:
        return data
    prefix = found[1]
    return b"\n".join(_inner(line, prefix) for line in data.split(b"\n"))


def _inner(line: bytes, prefix: bytes) -> bytes:
    return b"" if line.rstrip() == prefix.rstrip() else line.removeprefix(prefix)


def without(data: bytes, taken: Iterable[Section]) -> bytes:
    """Return a text in which the lines of some sections are empty, so that all others keep their numbers.

    The line with a section's command goes with it: it was made use of.
    """
    parts, at = [], 0
    for section in taken:
        start = section.start if section.head is None else section.head
        parts += [data[at:start], b"\n" * data.count(b"\n", start, section.end)]
        at = section.end
    return b"".join([*parts, data[at:]])


def text_of(data: bytes, section: Section) -> str:
    """Return the text of a section at the lines where it stands: those before it are empty."""
    return "\n" * (section.line - 1) + data[section.start : section.end].decode("utf-8", "replace")
