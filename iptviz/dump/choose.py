"""Which of several dumps is meant: the one asked for by number, or the obvious one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from iptviz.errors import DumpError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from iptviz.dump.model import Dump

_SHOWN = 12
_VOLATILE = re.compile(rb"^#[^\n]*\n|\[\d+:\d+\] ?", re.MULTILINE)


def choose(dumps: Sequence[Dump], name: str, *, number: int | None, family: str | None) -> Dump:
    """Return dump `number`, counted from 1, or the one that is obviously meant; `family` is preferred.

    Raises:
        DumpError: there is no such number, or nothing tells which one is meant.
    """
    if number is not None:
        if not 1 <= number <= len(dumps):
            raise DumpError(
                f"holds {_count(dumps)}, there is no dump {number}", where=name, hint=_listing(dumps)
            )
        return dumps[number - 1]
    if len(dumps) == 1:
        return dumps[0]
    left = list(dumps)
    for better in (*([_of_family(family)] if family else []), *_BETTER):
        left = [dump for dump in left if better(dump)] or left
    if len(left) == 1 or len({_VOLATILE.sub(b"", dump.data) for dump in left}) == 1:
        return left[0]
    raise DumpError(
        f"holds {_count(dumps)}, and nothing tells which one is meant: choose one with --dump N",
        where=name,
        hint=_listing(dumps),
    )


def _of_family(family: str) -> Callable[[Dump], bool]:
    return lambda dump: dump.family == family


# What makes one dump more likely to be meant than another, the strongest reason first.
_BETTER: tuple[Callable[[Dump], bool], ...] = (
    lambda dump: dump.rule_count > 0,
    lambda dump: any(next(table.rules_with("KUBE-"), None) for table in dump.tables.values()),
    lambda dump: dump.form == "iptables-save",
    lambda dump: dump.family == "ipv4",
    lambda dump: {"nat", "filter"} <= set(dump.tables),
)


def _count(dumps: Sequence[Dump]) -> str:
    return f"{len(dumps)} dumps" if len(dumps) > 1 else "1 dump"


def _listing(dumps: Sequence[Dump]) -> str:
    lines = [f"{dump.number}: {dump.describe()}" for dump in dumps[:_SHOWN]]
    more = [f"and {len(dumps) - _SHOWN} more: iptviz sources lists them"] if len(dumps) > _SHOWN else []
    return "\n  ".join(lines + more)
