"""Rules in pseudonyms: which option holds what, and how each is replaced."""

from __future__ import annotations

import re
from functools import partial
from operator import getitem
from typing import TYPE_CHECKING

from iptviz.grammar.outlines import (
    CHAIN,
    COUNTERS,
    HOLE,
    JUMP,
    hole_of,
    parts_of,
    read_stretch,
    unquoted,
)
from iptviz.iptables_nft.pieces import HIDDEN, NATIVE
from iptviz.records import NamedTuple
from iptviz.redact import bulk
from iptviz.redact.names import REDACTED
from iptviz.redact.remembered import Remembered
from iptviz.xtables.matches import PROTOCOL_MATCH, match_options
from iptviz.xtables.targets import target_spec
from iptviz.xtables.values.protocols import PROTOCOLS, service_port
from iptviz.xtables.words import quote_word, save_string

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator, Mapping

    from iptviz.dump.rule import Rule, RuleTable
    from iptviz.grammar.outlines import Stretch
    from iptviz.grammar.parts import Target
    from iptviz.redact.names import Names
    from iptviz.redact.pieces import Piece
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
HELPERS = re.compile(r"(?:amanda|ftp|h323|irc|netbios-ns|pptp|sane|sip|snmp|tftp|RAS|Q\.931|H\.245)(?:-\d+)?")
_NOTHING_READ = 2
_PUNCTUATION = re.compile(r"[-\[\]:,/\d]*")
_NOT_PRINTED = {("[unsupported", "revision]"), tuple(HIDDEN.split())}
"""What stands for options that iptables or nft did not print, as words of the rule."""
_LOST = {"--random", "--persistent", "--random-fully"}
"""What stands where iptables lost the address of `--to-destination`, behind two spaces."""
_EXTENSION = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_TARGET = re.compile(r"[A-Z][A-Z0-9_]*")
_OPTION = re.compile(r"--[a-z][a-z0-9-]*|-[A-Za-z0-9]|")
_BETWEEN_PORTS = re.compile(r"([,:]|(?<=\d)-(?=\d))")
_PORT = re.compile(r"(?<=:)\d+(?:-\d+)?$|^\d+(?:-\d+)?$")


_REMEMBERED = 1 << 14
"""So many literals are remembered behind one word, with what they become; most stand in one place of a dump."""


class _Outline(NamedTuple):
    """What a line becomes: a format for so many literals, empty where it is not understood."""

    holes: int
    form: str


class _Writer:
    """Writes lines of rules, most by their outlines."""

    def __init__(
        self, outline: Callable[[str], str | None], become: bulk.Pseudonyms, *, may_be_bulk: bool
    ) -> None:
        """`outline` tells what an outline becomes, `become` what literals do."""
        self._may_be_bulk = may_be_bulk
        self._outline = outline
        self._outlines: dict[str, _Outline] = {}
        self._unchanged: set[str] = set()
        self._become = become
        self._changes = become.others

    def lines(self, text: str, thoroughly: Callable[[int], str]) -> str:
        """Return whole lines in pseudonyms; `thoroughly` writes one of those that are not understood."""
        in_bulk = self._in_bulk(text)
        if in_bulk is not None:
            return in_bulk
        stretch = read_stretch(text)
        if not self._unchanged.issuperset(stretch.outlines):
            self._learn(stretch.outlines)
        if self._unchanged.issuperset(stretch.outlines):
            pieces = stretch.pieces
            pieces[2::3] = self._changed(stretch.befores, stretch.literals)
            return "".join(pieces)[1:]
        lines = enumerate(self._each(stretch))
        return "".join(f"{thoroughly(number) if line is None else line}\n" for number, line in lines)

    def _in_bulk(self, text: str) -> str | None:
        """Return whole lines that are all of one form of kube-proxy's in pseudonyms, None for others."""
        read = self._may_be_bulk and bulk.read_bulk(text)
        if not read:
            return None
        form, rows = read
        try:
            return form.written(rows, self._become)
        except KeyError:  # what became of the rows before it is remembered
            return None

    def text(self, text: str) -> str | None:
        """Return one line in pseudonyms, None where it is not understood."""
        stretch = read_stretch(f"{text}\n")
        self._learn(stretch.outlines)
        (line,) = self._each(stretch)
        return line

    def _changed(self, befores: list[str], literals: list[str]) -> Iterator[str]:
        return map(getitem, map(self._changes.__getitem__, befores), literals)

    def _each(self, stretch: Stretch) -> Iterator[str | None]:
        """Yield each line in pseudonyms, None for one that is not understood."""
        at = 0
        for outline in map(self._outlines.__getitem__, stretch.outlines):
            end = at + outline.holes
            literals = stretch.befores[at:end], stretch.literals[at:end]
            yield outline.form % tuple(self._changed(*literals)) if outline.form else None
            at = end

    def _learn(self, outlines: list[str]) -> None:
        """Find out what those outlines become that are new."""
        for outline in dict.fromkeys(outlines):
            if outline in self._outlines:
                continue
            text, holes = self._outline(outline), outline.count(HOLE)
            form = text and text.replace("%", "%%").replace(HOLE, "%s")
            self._outlines[outline] = _Outline(holes, form or "")
            if text == outline:
                self._unchanged.add(outline)


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
        self._become = bulk.Pseudonyms(
            names.chains, secrets.addresses.known, Remembered(names.port), Remembered(self._changed)
        )
        self._writers: dict[str, _Writer] = {}

    def text(self, rule: Rule) -> str:
        """Return a rule as iptables-save would write it, in pseudonyms, without its counters."""
        found = self._writer(rule.table).text(rule.text)
        return self.thoroughly(rule) if found is None else found

    def lines(self, piece: Piece) -> str:
        """Return whole lines with rules in pseudonyms, and with their counters."""
        return self._writer(piece.table).lines(piece.text, lambda number: self._line(piece.rule(number)))

    def _line(self, rule: Rule) -> str:
        counters = rule.counters
        counted = f"[{counters.packets}:{counters.bytes}] " if counters else ""
        return counted + self.thoroughly(rule)

    def _writer(self, table: RuleTable) -> _Writer:
        """Return who writes the rules of a table: which words behind -j are chains hangs on it."""
        if table.name not in self._writers:
            may_be_bulk = bulk.TARGET not in table.chains
            outline = partial(self._outline, table)
            self._writers[table.name] = _Writer(outline, self._become, may_be_bulk=may_be_bulk)
        return self._writers[table.name]

    def _outline(self, table: RuleTable, outline: str) -> str | None:
        """Return the outline of what lines of an outline become: the same words as `thoroughly` finds."""
        parts = parts_of(outline)
        if parts is None:
            return None
        words = [outline[: outline.index(CHAIN)] + CHAIN, HOLE, *map(self._outlined, parts.basics)]
        for match in parts.matches:
            words += [f"-m {match.name}", *map(self._outlined, match.options)]
        target = parts.target
        if target is not None:
            name = HOLE if hole_of(target.name) is not None else self._called(table.chains, target.name)
            words += [JUMP, name, *map(self._outlined, target.options)]
        return " ".join(filter(None, words))

    def _outlined(self, option: Option) -> str:
        """Return an option whose first value may be a literal."""
        if not option.values or hole_of(option.values[0]) is None:
            return self._option(option)
        values = map(self._keyword, option.values[1:])
        negation = "! " if option.negated else ""
        return negation + " ".join((option.name, HOLE, *map(_quoting(option.name), values)))

    def _changed(self, before: str) -> Mapping[str, str]:
        """Return what literals become behind some text; none behind -j has the form of a target's name."""
        word = before.strip()
        if word in {CHAIN, JUMP}:
            return self._names.chains
        if word == COUNTERS:
            return Remembered(str, _REMEMBERED)
        change, quoted = self._first.get(word, self._number), _quoting(word)
        return Remembered(lambda literal: quoted(change(unquoted(literal))), _REMEMBERED)

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
        if rule.jump is None and takes and (target.name == NATIVE or _TARGET.fullmatch(target.name)):
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
        if option.name == "--to-destination" and _LOST.intersection(option.values[:1]):
            return f"{option.name}  {option.values[0]}"
        negation = "! " if option.negated else ""
        return negation + " ".join((option.name or '""', *map(_quoting(option.name), values)))

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
        return value if HELPERS.fullmatch(value) else self._names.text(value)

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
        if (option.name, *option.values) in _NOT_PRINTED or _is_hidden(option):
            return option.text()
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


def _quoting(option: str) -> Callable[[str], str]:
    """Return what puts a value of an option in quotes as iptables-save does."""
    return save_string if option in _STRINGS else quote_word


def _is_hidden(option: Option) -> bool:
    """Whether an option names a match of iptables of which nft prints no more."""
    return option.name == "--hidden" and all(match_options(name) is not None for name in option.values)
