"""What --assume accepts: conditions in the words in which an answer states them, read back into their fields."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

from iptviz.engine.condition import Assumption, Condition
from iptviz.engine.condition_kinds import CONDITION_KINDS
from iptviz.engine.fields import FIELD_KINDS
from iptviz.errors import PacketError, near, quoted
from iptviz.records import NamedTuple
from iptviz.xtables.address import parse_network, parse_range

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

_SHORTENED = re.compile(r" and \d[\d,]* more$")
_NEGATIONS = ("! ", "not ")
_INTERFACE = re.compile(r"[^\s/]+")


def read_assumption(text: str) -> Assumption:
    """Read a condition in the words in which an answer states it, after `not` or `!` the opposite of it.

    Raises:
        PacketError: no condition is worded so.
    """
    bare = text.strip()
    for prefix in _NEGATIONS:
        if bare.startswith(prefix):
            return read_assumption(bare.removeprefix(prefix)).opposite()
    for name, kind in CONDITION_KINDS.items():
        for holds, template in ((False, kind.fails), (True, kind.holds)):
            words = _filled_in(template, bare)
            value = None if words is None or words.startswith("not ") else kind.hear(words)
            if value is not None:
                return Assumption(_read_value(name, value), holds)
    raise PacketError(
        f"unknown condition {quoted(text)}",
        hint=f"{_meant(bare)}copy one from the answer (kinds: iptviz explain conditions)",
    )


def _meant(text: str) -> str:
    """Return the question whether a condition was meant whose words look like those of a text."""
    from difflib import SequenceMatcher

    words = text.split()
    known = {kind.partition("{}")[0].strip(): None for row in CONDITION_KINDS.values() for kind in row[:2]}
    begun = {one: " ".join(words[: len(one.split())]) for one in known if one}
    nearest = max(begun, key=lambda one: SequenceMatcher(None, one, begun[one]).ratio())
    return near(begun[nearest], [nearest])


def read_assumptions(
    texts: Sequence[str], family: str, asks: Callable[[tuple[Assumption, ...]], Collection[Condition]]
) -> tuple[Assumption, ...]:
    """Read several; one that leaves values out, or cannot be read, is the condition of an answer stated so.

    `asks` returns the conditions on which an answer hangs where something is assumed.

    Raises:
        PacketError: one is no condition, or leaves values out or cannot be read and is not stated by an answer.
    """
    read = {text: read_assumption(text) for text in texts}
    faults = {text: _fault(one.condition, 6 if family == "ipv6" else 4) for text, one in read.items()}
    given = {text: one for text, one in read.items() if not faults[text]}
    for text, fault in faults.items():
        if fault:
            given[text] = _stated(text, {*asks(()), *asks(tuple(given.values()))}, fault)
    return tuple(given[text] for text in texts)


class _Fault(NamedTuple):
    """Why a condition does not tell by itself what it asks, and what to do."""

    what: str
    hint: str


def _fault(condition: Condition, version: int) -> _Fault | None:
    kind = CONDITION_KINDS[condition.kind]
    if kind.per_rule and condition.rule is None:
        return _Fault("does not name its rule", "add the rule's line: at line 12")
    if kind.between and _SHORTENED.search(condition.value):
        return _Fault("leaves values out", "write all values (`values` in --json)")
    for value in condition.values:
        if not _can_be_read(condition.kind, value, version):
            return _Fault(f"has an invalid value {quoted(value)}", f"expected {kind.form}")
    return None


def _can_be_read(name: str, value: str, version: int) -> bool:
    """Whether a value of a field, or of a mark, means something; of other kinds nobody asks."""
    kind = CONDITION_KINDS[name]
    if kind.names == "address":
        return _is_address(value, version) or re.fullmatch(kind.plain or "", value) is not None
    if kind.names == "interface":
        return _INTERFACE.fullmatch(value) is not None
    if kind.bits is not None:
        return kind.bits(value) is not None
    return not kind.field or FIELD_KINDS[kind.field].read(value) is not None


def _is_address(text: str, version: int) -> bool:
    """Whether a text is an address, a network or a range; networks with holes, which are no region, are some."""
    if "-" in text:
        ends = parse_range(text)
        return ends is not None and ends[0].version == version and ends[0].value <= ends[1].value
    network = parse_network(text)
    return network is not None and network.version == version


def _stated(text: str, asked: Collection[Condition], fault: _Fault) -> Assumption:
    """Return the answer to one of `asked` that is stated as `text`, or its opposite after a negation."""
    bare = text.strip()
    for prefix in _NEGATIONS:
        if bare.startswith(prefix):
            return _stated(bare.removeprefix(prefix), asked, fault).opposite()
    either = [Assumption(condition, holds) for condition in asked for holds in (True, False)]
    found = [one for one in either if bare in {one.text, _of_any_rule(one).text}]
    if len(found) != 1:
        what, hint = fault
        which = "several conditions of the answer match" if found else "no condition of the answer matches"
        raise PacketError(f"{quoted(text)} {what}, and {which}", hint=hint)
    return found[0]


def _of_any_rule(one: Assumption) -> Assumption:
    """Return an assumption without the rule that asks."""
    return one._replace(condition=one.condition._replace(rule=None))


def _filled_in(template: str, text: str) -> str | None:
    """Return what stands for the braces of a template; None where the text is not made from it."""
    before, braces, after = template.partition("{}")
    fits = text.startswith(before) and text.endswith(after) and len(text) >= len(before + after)
    return text[len(before) : len(text) - len(after)] if fits and (braces or text == template) else None


def _read_value(name: str, text: str) -> Condition:
    """Return the condition of a kind whose text is `text`."""
    found = _pattern(name).fullmatch(text)
    if found is None:
        return Condition(name, text)
    parts = found.groupdict()
    rule, since = (int(parts[part]) if parts[part] else None for part in ("rule", "since"))
    return Condition(name, parts["value"], parts["details"] or "", rule, parts["rewritten"] or "", since)


@cache
def _pattern(name: str) -> re.Pattern[str]:
    kind = CONDITION_KINDS[name]
    before, _, after = (kind.details[0] if kind.details else "").partition("{}")
    details = f"{re.escape(before)}(?P<details>{kind.details[1]}){re.escape(after)}" if kind.details else ""
    rule = r" at line (?P<rule>[1-9]\d{0,9})"
    return re.compile(
        f"(?P<value>.*?)(?:{details or '(?P<details>)'})?(?:{rule if kind.per_rule else '(?P<rule>)'})?"
        r"(?: \(rewritten to (?P<rewritten>.+?)\))?(?: \(as line (?P<since>[1-9]\d{0,9}) left it\))?",
        re.DOTALL,
    )
