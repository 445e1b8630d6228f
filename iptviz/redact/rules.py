"""Rules in pseudonyms: which option holds what, and how each is replaced."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING

from iptviz.grammar.shapes import Shapes
from iptviz.records import NamedTuple
from iptviz.redact.names import REDACTED
from iptviz.xtables.matches import PROTOCOL_MATCH, match_options
from iptviz.xtables.targets import target_spec
from iptviz.xtables.values.protocols import PROTOCOLS, service_port
from iptviz.xtables.words import save_string

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Sequence

    from iptviz.dump.rule import Rule, RuleTable
    from iptviz.grammar.parts import Target
    from iptviz.grammar.shapes import Part, Skeleton
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
    "--u32",
)  # fmt: skip
"""Options whose value is somebody's own text."""

_STRINGS = ("--comment", "--log-prefix", "--nflog-prefix", "--ulog-prefix")
"""Options whose value iptables-save quotes its own way."""

_ADDRESSES = (
    "-s", "-d", "--ctorigsrc", "--ctorigdst", "--ctreplsrc", "--ctrepldst", "--src-range", "--dst-range",
    "--vaddr", "--tunnel-src", "--tunnel-dst", "--rt-0-addrs", "--srh-psid", "--srh-nsid", "--srh-lsid",
    "--to-destination", "--to-source", "--on-ip", "--src-pfx", "--dst-pfx", "--gateway",
)  # fmt: skip
"""Options whose value is addresses, networks, ranges, some with ports."""

_KEYWORDS = (
    "--src-type", "--dst-type", "--connbytes-mode", "--connbytes-dir", "--ctstate", "--state", "--ctstatus",
    "--ctdir", "--ctevents", "--expevents", "--dccp-types", "--chunk-types", "--dscp-class", "--set-dscp-class",
    "--hashlimit-mode", "--icmp-type", "--icmpv6-type", "--header", "--log-level", "--type", "--mh-type",
    "--tcp-flags", "--pkt-type", "--dir", "--pol", "--mode", "--vdir", "--vmethod", "--reject-with", "--algo",
    "--monthdays", "--weekdays", "--hashmode", "--hmark-tuple", "--genre", "--strip-options", "--led-delay",
    "--set-class",
)  # fmt: skip
"""Options whose value is a word of iptables."""

_PROTOCOL_NAMES = {*PROTOCOLS.values(), *PROTOCOL_MATCH, "ip", "hopopt"}
_PROTOCOLS = ("-p", "--ctproto", "--vproto", "--proto")

# What needs no pseudonym: numbers, lists and rates of them; words of iptables in lower or upper case.
_NUMBERS = re.compile(
    r"-?[0-9:][0-9A-Fa-fTx:/.,~*<>=|^@ -]*"
    r"|[0-9.]+(?:[kmgtKMGT]?b(?:it|ps)?|[mu]?s)?(?:/(?:s(?:ec(?:ond)?)?|m(?:in(?:ute)?)?|h(?:our)?|d(?:ay)?))?"
)
_WORDS = re.compile(r"[A-Za-z0-9]+(?:[-_,/=:][A-Za-z0-9]+)*")
_MASK = re.compile(r"[0-9A-Fa-f:]*:[0-9A-Fa-f:]*|(?:\d{1,3}\.){3}\d{1,3}")
_HELPERS = re.compile(
    r"(?:amanda|ftp|h323|irc|netbios-ns|pptp|sane|sip|snmp|tftp|RAS|Q\.931|H\.245)(?:-\d+)?"
)
_NOTHING_READ = 2
_PUNCTUATION = re.compile(r"[-\[\]:,/\d]*")
_UNSUPPORTED = "[unsupported", "revision]"
"""What iptables prints of an extension that is newer than itself, as two words of the rule."""
_LOST = {"--random", "--persistent", "--random-fully"}
"""What stands where iptables lost the address of `--to-destination`, behind two spaces."""
_EXTENSION = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_TARGET = re.compile(r"[A-Z][A-Z0-9_]*")
_OPTION = re.compile(r"--[a-z][a-z0-9-]*|-[A-Za-z0-9]|")
_BETWEEN_PORTS = re.compile(r"([,:]|(?<=\d)-(?=\d))")
_PORT = re.compile(r"(?<=:)\d+(?:-\d+)?$|^\d+(?:-\d+)?$")


class _Shape(NamedTuple):
    """What the rules of a shape become: `words`, between the chain and what `jump` makes of the last literal."""

    chain: Callable[[str], str]
    words: Sequence[str | Part]
    jump: Callable[[str], str] | None = None

    def filled(self, literals: list[str]) -> str:
        """Return the rule with these literals."""
        found = [word if isinstance(word, str) else word.filled(literals) for word in self.words]
        if self.jump is not None:
            found.append(f"-j {self.jump(literals[-1])}")
        return " ".join(filter(None, ("-A", self.chain(literals[0]), *found)))


class RuleRedactor:
    """Writes rules in pseudonyms, of one dump."""

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
            self._addresses: _ADDRESSES,
            self._keyword: _KEYWORDS,
            self._protocol: _PROTOCOLS,
            self._helper: ("--helper",),
            self._mask: ("--mask",),
            self._network_or_place: ("--to",),
        }
        self._first = {option: change for change, options in changes.items() for option in options}
        self._shapes: dict[str, Shapes[_Shape]] = {}

    def text(self, rule: Rule) -> str:
        """Return a rule as iptables-save would write it, in pseudonyms, without its counters."""
        return self.quickly(rule.table, rule.text) or self.thoroughly(rule)

    def quickly(self, table: RuleTable, text: str) -> str | None:
        """Return the text of a rule in pseudonyms, where its shape is known, else None."""
        shapes = self._shapes.get(table.name)
        if shapes is None:
            called = partial(self._called, table.chains)
            shapes = self._shapes[table.name] = Shapes(partial(self._shape, called=called))
        found = shapes.of(text)
        return None if found is None else found[0].filled(found[1])

    def _shape(self, skeleton: Skeleton, called: Callable[[str], str]) -> _Shape:
        """Return what the rules of a shape become: the same words as `thoroughly` finds."""
        words = [skeleton.part((option,), self._options) for option in skeleton.parts.basics]
        for match in skeleton.parts.matches:
            words += [f"-m {match.name}", skeleton.part(match.options, self._options)]
        target = skeleton.parts.target
        if skeleton.jump:
            return _Shape(self._names.chain, words, called)
        if target is not None:
            words += [f"-j {called(target.name)}", skeleton.part(target.options, self._options)]
        return _Shape(self._names.chain, words)

    def _options(self, options: tuple[Option, ...]) -> str:
        return " ".join(filter(None, map(self._option, options)))

    def thoroughly(self, rule: Rule) -> str:
        """Return a rule, of which every word is looked at."""
        parts = rule.parts
        words = ["-A", self._names.chain(rule.chain), *map(self._option, parts.basics)]
        if parts.problem and len(words) == _NOTHING_READ and not parts.matches and not parts.target:
            return f'{" ".join(words)} "{REDACTED}'  # not understood either
        unknown: dict[int, list[str]] = {}
        for placed in parts.unknown:
            if not placed.option.name.startswith("-m "):  # the match stands among the matches, too
                unknown.setdefault(placed.place, []).append(self._unknown(placed.option))
        for place, match in enumerate(parts.matches):
            words += unknown.pop(place, [])
            known = match_options(match.name) is not None
            change = self._option if known else self._unknown
            name = match.name if known or _EXTENSION.fullmatch(match.name) else self._names.text(match.name)
            words += [f"-m {name}", *map(change, match.options)]
        words += unknown.pop(len(parts.matches), [])
        if parts.target is not None:
            words += ["-g" if parts.target.goto else "-j", self._target(rule, parts.target)]
            words += map(self._option, parts.target.options)
        words += [word for some in unknown.values() for word in some]
        return " ".join(filter(None, words))

    def _target(self, rule: Rule, target: Target) -> str:
        """Return the name of a target; only what takes options is surely an extension and nobody's chain."""
        takes = any(placed.place > len(rule.matches) for placed in rule.parts.unknown)
        if rule.jump is None and takes and _TARGET.fullmatch(target.name):
            return target.name
        return self._names.chain(target.name) if target.goto else self._called(rule.table.chains, target.name)

    def _called(self, chains: Container[str], name: str) -> str:
        """Return the name of what follows -j: that of a target that iptables knows is nobody's."""
        return name if target_spec(name) and name not in chains else self._names.chain(name)

    def _option(self, option: Option) -> str:
        change = self._first.get(option.name)
        if change is not None:
            values = (*map(change, option.values[:1]), *map(self._keyword, option.values[1:]))
        else:
            values = tuple(map(self._number, option.values))
        if option.name == "--to-destination" and option.values[0] in _LOST:
            return f"{option.name}  {option.values[0]}"
        changed = option._replace(values=values)
        if option.name not in _STRINGS:
            return changed.text()
        negation = "! " if option.negated else ""
        return f"{negation}{option.name} {' '.join(map(save_string, values))}"

    def _number(self, value: str) -> str:
        known = _NUMBERS.fullmatch(value)
        return self._secrets.addresses.in_text(value) if known else self._names.text(value)

    def _mask(self, value: str) -> str:
        return value if _MASK.fullmatch(value) else self._number(value)

    def _network_or_place(self, value: str) -> str:
        """Read `--to`, which is a network of NETMAP and a place in the packet of string."""
        return value if value.isdecimal() else self._addresses(value)

    def _keyword(self, value: str) -> str:
        return value if _WORDS.fullmatch(value) else self._number(value)

    def _protocol(self, value: str) -> str:
        return value if value.lower() in _PROTOCOL_NAMES else self._number(value)

    def _helper(self, value: str) -> str:
        return value if _HELPERS.fullmatch(value) else self._names.text(value)

    def _addresses(self, value: str) -> str:
        """Replace the addresses of a value; one that holds anything else, such as a host's name, as a whole."""
        addresses = self._secrets.addresses
        host, colon, port = value.partition(":")
        plain = addresses.of_host(host)
        if plain is not None and not colon:
            return plain
        if plain is not None and "/" not in plain and port.isascii() and port.isdecimal():
            return f"{plain}:{self._names.port(port)}"
        rest = addresses.left_of(value)
        if not _PUNCTUATION.fullmatch(rest) or (rest == value and not value.startswith(":")):
            return self._names.text(value)
        return self._with_port(addresses.in_text(value))

    def _unknown(self, option: Option) -> str:
        """Return an option that no table knows: its name tells nothing if it is one, its values may tell all."""
        if (option.name, *option.values) == _UNSUPPORTED:
            return " ".join(_UNSUPPORTED)
        values = (value if value.isdecimal() else self._names.text(value) for value in option.values)
        name = option.name
        if not _OPTION.fullmatch(name):  # a word that went astray, or --name=value
            dashes = name[: len(name) - len(name.lstrip("-"))]
            head, equals, tail = name.partition("=")
            known = equals and _OPTION.fullmatch(head)
            name = f"{head}={self._names.text(tail)}" if known else dashes + self._names.text(name)
        return option._replace(name=name, values=tuple(values)).text()

    # --- ports -------------------------------------------------------------------------------------------------

    def _port_list(self, value: str) -> str:
        return "".join(map(self._port, _BETWEEN_PORTS.split(value)))

    def _port(self, text: str) -> str:
        """Return a port, or what stands between two; no name that only this machine has for one."""
        if text.isdecimal():
            return self._names.port(text)
        known = text in {"", ",", ":", "-"} or service_port(text) is not None
        return text if known else self._names.text(text)

    def _with_port(self, value: str) -> str:
        """Replace the port of `address:port`."""
        if not re.search(r"\.\d+:\d|\]:\d|^:\d", value):
            return value
        return _PORT.sub(lambda found: self._port_list(found[0]), value)
