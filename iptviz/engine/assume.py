"""What --assume accepts: conditions in the words in which an answer states them, read back into their fields."""

from __future__ import annotations

import re
from functools import cache

from iptviz.engine.condition import Assumption, Condition
from iptviz.engine.condition_kinds import CONDITION_KINDS
from iptviz.errors import PacketError


def read_assumption(text: str) -> Assumption:
    """Read a condition in the words in which an answer states it, after `not` or `!` the opposite of it.

    Raises:
        PacketError: no condition is worded so.
    """
    bare = text.strip()
    for prefix in ("! ", "not "):
        if bare.startswith(prefix):
            return read_assumption(bare.removeprefix(prefix)).opposite()
    for name, kind in CONDITION_KINDS.items():
        for holds, template in ((False, kind.fails), (True, kind.holds)):
            words = _filled_in(template, bare)
            value = None if words is None or words.startswith("not ") else kind.hear(words)
            if value is not None:
                return Assumption(_read_value(name, value), holds)
    raise PacketError(
        f"no condition reads {text!r}", hint="write it as an answer states it, or with `not ` before it"
    )


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
