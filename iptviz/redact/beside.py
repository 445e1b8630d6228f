"""What is supplied beside a dump, in its pseudonyms: addresses, routes, sets, lists, services, conditions."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from iptviz.engine.condition import Assumption, Condition, read_assumption
from iptviz.redact.ipsets import Sets

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from iptviz.redact.dump import Redactor
    from iptviz.supplied.service_names import Candidate

_HOST = re.compile(r"[0-9A-Fa-f:.]+")
_DEVICE = re.compile(r'(\b(?:dev|iif|oif) |"(?:dev|iif|oif)": ?")([^\s"]+)')
_HEADING = re.compile(r"^(?:==> )?(?:\S*/)?([^/\s=]+)(?: <==|:)$", re.MULTILINE)
_DEFAULT_LIST = "DEFAULT"


class Beside:
    """Puts texts into the pseudonyms of one dump."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._names = redactor.names

    def addresses(self, text: str) -> str:
        """Return what `ip address` prints; the names of interfaces in it are in no answer.

        `10.0.0.5/24` is an address there, not its network.
        """
        return _HOST.sub(lambda found: self._redactor.secrets.addresses.of(found[0]), text)

    def routes(self, text: str) -> str:
        """Return what `ip route` prints, with or without -j."""
        renamed = _DEVICE.sub(lambda found: found[1] + self._names.interface(found[2]), text)
        return self._redactor.addresses(renamed)

    def recent(self, text: str) -> str:
        """Return one file of /proc/net/xt_recent, or several below headings."""
        entries = self._redactor.addresses(text)
        if not _HEADING.search(entries):
            both = _DEFAULT_LIST, self._names.list_name(_DEFAULT_LIST)
            return "\n".join(f"==> {name} <==\n{entries}" for name in both)
        return _HEADING.sub(lambda found: f"==> {self._names.list_name(found[1])} <==", entries)

    def ipset(self, text: str) -> str:
        """Return what `ipset save` or `ipset list` prints."""
        return Sets(self._redactor).text(text)

    def services(self, candidates: Iterable[Candidate]) -> str:
        """Return a list of services, one in a line."""
        return "".join(f"{self._service(candidate)}\n" for candidate in candidates)

    def _service(self, candidate: Candidate) -> str:
        names = self._names
        port = "" if candidate.port_name is None else f":{names.port_name(candidate.port_name)}"
        return f"{names.namespace(candidate.namespace)}/{names.object(candidate.name)}{port}"

    def assumption(self, text: str) -> str:
        """Return a condition that somebody states about the original, as the redacted dump knows it.

        Raises:
            PacketError: no condition is worded so.
        """
        (kind, value), holds = read_assumption(text)
        change = self._changes().get(kind, self._redactor.addresses)
        return Assumption(Condition(kind, change(value)), holds).text

    def _changes(self) -> dict[str, Callable[[str], str]]:
        return {
            "in-interface": self._names.interface,
            "out-interface": self._names.interface,
            "recent": lambda value: _first_word(value, self._names.list_name),
            "set": lambda value: _first_word(value, self._names.set),
        }


def _first_word(text: str, change: Callable[[str], str]) -> str:
    """Return `clients src` with another name for the set, `ssh (--rsource)` with another for the list."""
    name, blank, rest = text.partition(" ")
    return change(name) + blank + rest
