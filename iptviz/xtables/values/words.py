"""Words: texts that are quoted or cut, and names out of a list that iptables knows."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from iptviz.xtables.values.numbers import Range, read_dashed_range, read_uint
from iptviz.xtables.words import quote_word

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

# --- texts -----------------------------------------------------------------------------------------------


def as_it_is(text: str) -> str:
    """Read a text, or show what is shown already."""
    return text


def cut(text: str, limit: int) -> str:
    """Return the first `limit` bytes of `text`: longer text is cut silently to the room the kernel has."""
    if len(text) * 4 <= limit:
        return text
    try:
        return text.encode("utf-8", "surrogateescape")[:limit].decode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # a surrogate that stands for no byte
        return text[:limit]


def read_nflog_prefix(text: str, backend: str) -> str:
    """Read the prefix, for which nftables' own log expression has twice the room (NF_LOG_PREFIXLEN)."""
    return cut(text, 127 if backend == "nf_tables" else 63)


def show_in_quotes(text: str) -> str:
    """Show a text always in quotes, with no backslash before a single quote (libxt_LED.c, libxt_string.c)."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def read_label(text: str) -> str:
    """Read a label of connections: its number, or what the machine's `connlabel.conf` calls it."""
    number = read_uint(text)
    return text if number is None else str(number)


def show_label(label: str) -> str:
    """Show a label in quotes (libxt_connlabel.c)."""
    return quote_word(label) if '"' in label or "\\" in label else f'"{label}"'


# --- names out of a list ---------------------------------------------------------------------------------

CT_STATES = ("INVALID", "NEW", "RELATED", "ESTABLISHED", "UNTRACKED", "SNAT", "DNAT")
ADDRESS_TYPES = (
    *("UNSPEC", "UNICAST", "LOCAL", "BROADCAST", "ANYCAST", "MULTICAST", "BLACKHOLE", "UNREACHABLE"),
    *("PROHIBIT", "THROW", "NAT", "XRESOLVE"),
)
CT_EVENTS = (
    *("new", "related", "destroy", "reply", "assured", "protoinfo", "helper", "mark", "natseqinfo"),
    "secmark",
)
_CT_STATUSES = ("NONE", "EXPECTED", "SEEN_REPLY", "ASSURED", "CONFIRMED")
_HASH_MODES = ("srcip", "srcport", "dstip", "dstport")
_MODE_SEPARATOR = re.compile(r"[,|]+")


def names_begun(names: Sequence[str], text: str) -> list[str] | None:
    """Return the names that `text` lists, in their order: the beginning of a name is enough, in any case."""
    words = set(text.upper().split(","))
    asked = {next((name for name in names if word and name.startswith(word)), "") for word in words}
    return None if "" in asked else [name for name in names if name in asked]


def names_listed(names: Sequence[str], words: Iterable[str]) -> list[str] | None:
    """Return those of `names` that are among `words`, in their order; None for a word that is no name."""
    asked = set(words)
    return [name for name in names if name in asked] if asked.issubset(names) else None


def show_names(names: Iterable[str]) -> str:
    """Show names between commas."""
    return ",".join(names)


def read_ct_statuses(text: str) -> list[str] | None:
    """Read statuses of a connection; beside any other, `NONE` means nothing (libxt_conntrack.c)."""
    asked = names_begun(_CT_STATUSES, text)
    if asked is None or asked == ["NONE"]:
        return asked
    return [status for status in asked if status != "NONE"]


def read_hash_mode(text: str) -> list[str] | None:
    """Read by what hashlimit tells flows apart (libxt_hashlimit.c)."""
    return names_listed(_HASH_MODES, filter(None, _MODE_SEPARATOR.split(text)))


def show_hash_mode(modes: list[str]) -> str:
    """Show by what hashlimit tells flows apart; by nothing is an empty word."""
    return ",".join(modes) or '""'


_LOG_LEVELS = {
    "emerg": 0,
    "panic": 0,
    "alert": 1,
    "crit": 2,
    "error": 3,
    "warning": 4,
    "notice": 5,
    "info": 6,
    "debug": 7,
}


def read_log_level(text: str) -> int | None:
    """Read a level of syslog by name or number."""
    return _LOG_LEVELS.get(text, read_uint(text))


# --- users and groups --------------------------------------------------------------------------------------


def read_owners(text: str, number_of: Callable[[str], int | None]) -> Range | None:
    """Read a user or group by name, or a range of numbers (libxt_owner.c)."""
    named = number_of(text)
    return read_dashed_range(text) if named is None else Range(named, named)


def user_number(name: str) -> int | None:
    """Return the number of the machine's user `name`, or None."""
    if name == "root" or not _ACCOUNT.fullmatch(name):
        return 0 if name == "root" else None
    try:
        import pwd

        return pwd.getpwnam(name).pw_uid
    except (ImportError, KeyError):  # no such user, or Windows
        return None


def group_number(name: str) -> int | None:
    """Return the number of the machine's group `name`, or None."""
    if name == "root" or not _ACCOUNT.fullmatch(name):
        return 0 if name == "root" else None
    try:
        import grp

        return grp.getgrnam(name).gr_gid
    except (ImportError, KeyError):  # no such group, or Windows
        return None


_ACCOUNT = re.compile(r"[A-Za-z_][A-Za-z0-9._-]{0,63}")
