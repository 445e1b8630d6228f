"""What can go wrong in a way a user can mend: every error says what, where, and what to do next."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_MOST_NEAR = 3
"""So many names are told that somebody may have meant."""


_LONGEST = 120
"""So many characters of a text are quoted."""


class IptvizError(Exception):
    """Base of all errors meant for a user; the command line prints `str(error)` and exits with 2.

    `where` is a file, or `file:line`, or empty; `hint` is the next thing to do, or empty.
    """

    def __init__(self, what: str, *, where: str = "", hint: str = "") -> None:
        self.what = what
        self.where = where
        self.hint = hint
        super().__init__(what)

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        advice = f"\n  {self.hint}" if self.hint else ""
        return f"{place}{self.what}{advice}"


class DumpError(IptvizError):
    """The input cannot be read, or it holds no iptables-save text at all."""


class NothingError(DumpError):
    """The input can be read, and there is nothing of a node in it."""


class TargetError(IptvizError):
    """The text given as TARGET has none of the forms that name a service, a chain or an endpoint."""


class AbsentError(TargetError):
    """What is asked for can be asked, and the dump does not have it: that is an answer, with exit status 1."""


class PacketError(IptvizError):
    """A packet that cannot be: an address of the wrong family, a port out of range, a word that means nothing."""


class OrderError(IptvizError):
    """Words of the command line stand in each other's places."""


class OutputError(IptvizError):
    """The answer cannot be written where it was asked for."""


def quoted(value: object) -> str:
    """Return what somebody typed, or a file holds, as a message quotes it: escaped, and cut where it is long."""
    text = str(value)
    return f'"{repr(text if len(text) <= _LONGEST else text[:_LONGEST] + "...")[1:-1]}"'


def near(typed: str, known: Iterable[str], more: Iterable[str] = ()) -> str:
    """Return the question whether one of the names that `near_names` returns was meant, with a blank behind it.

    It is empty where there is none.
    """
    names = near_names(typed, known, more)
    return f"{meant(names)} " if names else ""


def meant(names: Sequence[str]) -> str:
    """Return the question whether one of several names was meant."""
    *others, last = names
    return f"did you mean {', '.join(others)} or {last}?" if others else f"did you mean {last}?"


def near_names(typed: str, known: Iterable[str], more: Iterable[str] = ()) -> tuple[str, ...]:
    """Return the few names that look like what is typed.

    `more` are names that may be meant though they look otherwise, told first.
    """
    from difflib import get_close_matches  # nobody waits for it who types what there is

    names = {name.lower(): name for name in known}
    close = (names[name] for name in get_close_matches(typed.lower(), names))
    return tuple(dict.fromkeys((*more, *close)))[:_MOST_NEAR]
