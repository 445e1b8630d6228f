"""Rules in pseudonyms: which option holds what, and how each is replaced."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from iptviz.xtables.matches import match_options
from iptviz.xtables.words import save_string

if TYPE_CHECKING:
    from collections.abc import Callable

    from iptviz.dump.rule import Rule
    from iptviz.redact.names import Names
    from iptviz.redact.secrets import Secrets
    from iptviz.xtables.option import Option

_INTERFACES = ("-i", "-o", "--physdev-in", "--physdev-out", "--oif")
_SETS = ("--match-set", "--add-set", "--del-set", "--map-set")
_MACS = ("--mac-source", "--clustermac")
_PORTS = (
    "--sport", "--dport", "--sports", "--dports", "--ports", "--to-ports", "--on-port",
    "--ctorigsrcport", "--ctorigdstport", "--ctreplsrcport", "--ctrepldstport",
)  # fmt: skip
_TEXTS = (
    "--name", "--hashlimit-name", "--nfacct-name", "--log-prefix", "--nflog-prefix", "--ulog-prefix", "--string",
    "--hex-string", "--path", "--object-pinned", "--selctx", "--rateest", "--rateest1", "--rateest2",
    "--rateest-name", "--led-trigger-id", "--label", "--timer", "--account", "--bytecode", "--aname", "--tname",
)  # fmt: skip
"""Options whose value is somebody's own text."""

_STRINGS = ("--comment", "--log-prefix", "--nflog-prefix", "--ulog-prefix")
"""Options whose value iptables-save quotes its own way."""

# What needs no pseudonym: numbers, keywords of iptables in lower or upper case, lists of them.
_PLAIN = re.compile(r"[0-9][0-9A-Fa-fx:/.,~*<>=|&^@ -]*|[A-Za-z][A-Za-z0-9]*(?:[-_,/=][A-Za-z0-9]+)*")
_PORT = re.compile(r"(?<=:)\d+(?:-\d+)?$|^\d+(?:-\d+)?$")


class Rules:
    """Writes rules in pseudonyms."""

    def __init__(self, names: Names, secrets: Secrets) -> None:
        self._names = names
        self._secrets = secrets
        changes: dict[Callable[[str], str], tuple[str, ...]] = {
            names.interface: _INTERFACES,
            names.set: _SETS,
            names.mac: _MACS,
            names.comment: ("--comment",),
            names.list_name: _TEXTS,
            self._port_list: _PORTS,
        }
        self._first = {option: change for change, options in changes.items() for option in options}

    def text(self, rule: Rule) -> str:
        """Return a rule as iptables-save would write it, in pseudonyms, without its counters."""
        parts = rule.parts
        words = ["-A", self._names.chain(rule.chain), *map(self._option, parts.basics)]
        unknown: dict[int, list[str]] = {}
        for one in parts.unknown:
            if not one.option.name.startswith("-m "):  # the match stands among the matches, too
                unknown.setdefault(one.place, []).append(self._unknown(one.option))
        for place, match in enumerate(parts.matches):
            words += unknown.pop(place, [])
            change = self._option if match_options(match.name) is not None else self._unknown
            words += [f"-m {match.name}", *map(change, match.options)]
        words += unknown.pop(len(parts.matches), [])
        if parts.target is not None:
            target = parts.target
            name = target.name if rule.jump is None else self._names.chain(target.name)
            words += ["-g" if target.goto else "-j", name, *map(self._option, target.options)]
        words += [word for some in unknown.values() for word in some]
        return " ".join(filter(None, words))

    def _option(self, option: Option) -> str:
        change = self._first.get(option.name)
        if change is not None and option.values:
            values = (change(option.values[0]), *option.values[1:])
        else:
            values = tuple(map(self._value, option.values))
        changed = option._replace(values=values)
        if option.name not in _STRINGS:
            return changed.text()
        negation = "! " if option.negated else ""
        return f"{negation}{option.name} {' '.join(map(save_string, values))}"

    def _value(self, value: str) -> str:
        mapped = self._secrets.addresses.in_text(value)
        if mapped != value or ":" in value or "." in value:
            return self._with_port(mapped)
        return value if _PLAIN.fullmatch(value) else self._names.text(value)

    def _unknown(self, option: Option) -> str:
        """Return an option that no table knows: its name tells nothing, its values may tell all."""
        values = (value if value.isdecimal() else self._names.text(value) for value in option.values)
        return option._replace(values=tuple(values)).text()

    # --- ports -------------------------------------------------------------------------------------------------

    def _port_list(self, value: str) -> str:
        return re.sub(r"\d+", lambda found: self._names.port(found[0]), value)

    def _with_port(self, value: str) -> str:
        """Replace the port of `address:port`."""
        if not re.search(r"\.\d+:\d|\]:\d|^:\d", value):
            return value
        return _PORT.sub(lambda found: self._port_list(found[0]), value)
