"""What a dump alone does not decide: a question with one truth, and the words for either answer."""

from __future__ import annotations

import re
from functools import cache
from typing import NamedTuple

from iptviz.engine.condition_kinds import CONDITION_KINDS
from iptviz.engine.marks import as_left
from iptviz.errors import PacketError


class Condition(NamedTuple):
    """One question about a packet. Two that differ in anything are two questions.

    Attributes:
        kind: a key of `condition_kinds.CONDITION_KINDS`.
        value: what it asks about, in the form that the kind's row describes, without what follows here.
        details: what else is asked: the ends of a packet that a set holds, options of a recent list.
        rule: the line of the rule that keeps a state of its own, such as a rate.
        rewritten: where the packet had been sent when it was asked: a set then sees other addresses.
        since: the line of the rule that made what is asked about unknown; None: it came so.
    """

    kind: str
    value: str
    details: str = ""
    rule: int | None = None
    rewritten: str = ""
    since: int | None = None

    @property
    def text(self) -> str:
        """All that it asks about in one text, such as `clients dst (rewritten to 10.0.0.1:80)`."""
        details = CONDITION_KINDS[self.kind].details
        return "".join((
            self.value,
            details[0].format(self.details) if details and self.details else "",
            f" at line {self.rule}" if self.rule else "",
            f" (rewritten to {self.rewritten})" if self.rewritten else "",
            as_left(self.since),
        ))  # fmt: skip


class Assumption(NamedTuple):
    """A condition together with its answer."""

    condition: Condition
    holds: bool

    @property
    def text(self) -> str:
        """The answer as a clause, such as `source not in 10.244.0.0/16`."""
        kind = CONDITION_KINDS[self.condition.kind]
        return (kind.holds if self.holds else kind.fails).format(kind.say(self.condition.text))

    def opposite(self) -> Assumption:
        """Return the other answer to the same question."""
        return Assumption(self.condition, not self.holds)


def clauses(assumptions: tuple[Assumption, ...]) -> str:
    """Return `assumptions` as one text; none of them reads `always`."""
    return " and ".join(assumption.text for assumption in assumptions) or "always"


# --- from words to conditions ----------------------------------------------------------------------------------


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
