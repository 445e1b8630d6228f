"""What may stand at the cursor of a command line, for the completion of shells."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from iptviz.cli.app import SHELL_OPTIONS, app_command
from iptviz.cli.commands import COMMANDS, docstring_of
from iptviz.records import NamedTuple
from iptviz.redact.named import Named
from iptviz.view.registry import function_at

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from iptviz.cli.command_line import CommandLine
    from iptviz.cli.told import Argument
    from iptviz.dump.model import Dump

_HELP = ("-h", "--help")
_LARGEST = 256 << 20
"""Of what is larger nothing is offered: nobody would wait for it."""


class Candidate(NamedTuple):
    """What may stand there, and what the help says of it, or nothing."""

    value: str
    told: str = ""


class Typed(NamedTuple):
    """What is typed of a command: its name, what arguments have, by their names, and the word at the cursor."""

    command: str
    values: Mapping[str, list[str]]
    named: Mapping[str, Named | None]
    begun: str

    def dumps(self) -> Iterator[Dump]:
        """Yield the dumps that are named already. Pipes and devices are not touched: they can be read once."""
        paths = [
            os.path.expanduser(path)  # noqa: PTH111
            for name, kind in self.named.items()
            if kind in {Named.DUMP, Named.DUMPS}
            for path in self.values.get(name, ())
        ]
        files = [path for path in paths if os.path.isfile(path) or os.path.isdir(path)]  # noqa: PTH112, PTH113
        if files:
            from iptviz.node.load import load_node

            yield from load_node(*files, max_size=_LARGEST).dumps


def candidates(line: CommandLine) -> list[Candidate]:
    """Return what may stand at the cursor and begins with what is typed there; nothing where files may stand."""
    before = list(line.before)
    while before and before[0].startswith("-"):
        if before.pop(0) in SHELL_OPTIONS and not before:
            return _begun(_words(_shells()), line.begun)
    if not before:
        return _begun([*_options(app_command(), line.begun), *_commands()], line.begun)
    name, *words = before
    if name not in COMMANDS:
        return []
    return _of_command(name, words, line)


def _of_command(name: str, words: list[str], line: CommandLine) -> list[Candidate]:
    command = app_command(name)
    read = _Read(command.params)
    read.take(words)
    is_option = read.awaited is None and line.begun.startswith("-") and not read.ended
    option, equals, begun = line.begun.partition("=") if is_option else ("", "", line.begun)
    if is_option and not (equals and option in read.options):
        return _begun(_options(command, line.begun, read.values), line.begun)
    wanted = read.options[option].name if is_option else read.wanted()
    read.take(line.after)
    found = _values(name, wanted, read, begun)
    return [one._replace(value=option + equals + one.value) for one in found]


class _Read:
    """The words of a command, taken apart as the program will; `awaited` is the option whose value comes next."""

    def __init__(self, params: Iterable[Any]) -> None:
        """Take the parameters of a command."""
        self.arguments = [param for param in params if param.param_type_name == "argument"]
        self.options = {flag: param for param in params if param not in self.arguments for flag in param.opts}
        self.given: dict[str, list[str]] = {}
        self.positional: list[str] = []
        self.awaited: str | None = None
        self.ended = False

    def take(self, words: Iterable[str]) -> None:
        """Take further words."""
        for word in words:
            if self.awaited is not None:
                self.given[self.awaited].append(word)
                self.awaited = None
            elif word == "--" and not self.ended:
                self.ended = True
            elif word.startswith("-") and len(word) > 1 and not self.ended:
                self._option(word)
            else:
                self.positional.append(word)

    def _option(self, word: str) -> None:
        flag, equals, value = word.partition("=")
        param = self.options.get(flag) or self.options.get(f"-{word[-1]}" if word[1] != "-" else "")
        if param is None:
            return
        values = self.given.setdefault(param.name, [])
        if equals:
            values.append(value)
        elif not param.is_flag:
            self.awaited = param.name

    def wanted(self) -> str | None:
        """Return the name of the argument whose value comes next, and take it as given."""
        name, self.awaited = self.awaited, None
        if name is None:
            name = self.argument_at(len(self.positional))
            self.positional.append("")
        return name

    def argument_at(self, place: int) -> str | None:
        """Return the name of the argument of a positional word; None where there is none for it."""
        fitting = (each for at, each in enumerate(self.arguments) if each.nargs != 1 or at == place)
        found = next(fitting, None)
        return found and str(found.name)

    @property
    def values(self) -> dict[str, list[str]]:
        """What is typed, by argument."""
        found = {name: list(values) for name, values in self.given.items()}
        for place, word in enumerate(self.positional):
            name = self.argument_at(place)
            if name is not None:
                found.setdefault(name, []).append(word)
        return found


def _values(command: str, name: str | None, read: _Read, begun: str) -> list[Candidate]:
    """Return the values of an argument: those that its name has, or those of what it names in a dump."""
    own: Iterable[Argument] = getattr(function_at(COMMANDS[command]), "arguments")  # noqa: B009 - a CliCommand
    named = {each.name: each.named for each in own}
    typed = Typed(command, read.values, named, begun)
    found = _BY_NAME.get(name or "") or _BY_KIND.get(named.get(name or ""))
    return _begun(found(typed), begun) if found else []


def _begun(found: Iterable[Candidate], begun: str) -> list[Candidate]:
    return [one for one in found if one.value.startswith(begun)]


def _words(names: Iterable[str]) -> list[Candidate]:
    return [Candidate(name) for name in names]


def _commands() -> Iterator[Candidate]:
    for name in COMMANDS:
        yield Candidate(name, docstring_of(COMMANDS[name]).partition("\n")[0])


def _options(command: Any, begun: str, given: Mapping[str, list[str]] | None = None) -> Iterator[Candidate]:
    """Yield the options of a command that may be given, or given again: none before a hyphen is typed."""
    if not begun.startswith("-"):
        return
    for param in command.params:
        if param.param_type_name == "option" and (param.multiple or param.name not in (given or {})):
            yield from (Candidate(flag, param.help or "") for flag in param.opts)
    yield from (Candidate(flag, "Show the help.") for flag in _HELP)


# --- values ------------------------------------------------------------------------------------------------


def _shells() -> Iterable[str]:
    from iptviz.cli.shells import SHELLS

    return SHELLS


def _formats(typed: Typed) -> Iterable[Candidate]:
    from iptviz.render.formats import formats_of

    return (Candidate(name, row.purpose) for name, row in formats_of(typed.command).items())


def _colors(_typed: Typed) -> Iterable[Candidate]:
    from iptviz.cli.options import Color

    return _words(Color)


def _clients(_typed: Typed) -> Iterable[Candidate]:
    from iptviz.paths.model import CLIENT_KINDS

    return _words(CLIENT_KINDS)


def _severities(_typed: Typed) -> Iterable[Candidate]:
    from iptviz.checks.finding import SEVERITIES

    return _words(SEVERITIES)


def _sorts(_typed: Typed) -> Iterable[Candidate]:
    from iptviz.questions.services import SORTS

    return _words(SORTS)


def _hooks(_typed: Typed) -> Iterable[Candidate]:
    return _words(("prerouting", "output"))


def _looked_for(typed: Typed) -> Iterable[Candidate]:
    """Yield ids of findings; behind a comma, with what stands before it."""
    from iptviz.questions.wanted import lookable

    before, comma, _ = typed.begun.rpartition(",")
    return (Candidate(before + comma + name, made.title) for name, made in lookable().items())


def _explained(_typed: Typed) -> Iterable[Candidate]:
    from iptviz.checks.registry import all_diagnoses
    from iptviz.questions.explain_finding import CONDITIONS

    made = (Candidate(name, made.title) for name, made in all_diagnoses().items())
    return [*made, Candidate(CONDITIONS, "Kinds of conditions in answers.")]


def _tables(_typed: Typed) -> Iterable[Candidate]:
    from iptviz.intake.index import TABLE_NAMES

    return _words(TABLE_NAMES)


def _of_dumps(read: Callable[[Dump, str], Iterable[str]]) -> Callable[[Typed], Iterable[Candidate]]:
    """Return what offers what a function reads off each dump that is named already, each once."""

    def found(typed: Typed) -> Iterable[Candidate]:
        return _words(dict.fromkeys(one for dump in typed.dumps() for one in read(dump, typed.begun)))

    return found


def _targets(dump: Dump, begun: str) -> Iterable[str]:
    from iptviz.kube.known_targets import known_targets

    return known_targets(dump, begun)


def _chains(dump: Dump, begun: str) -> Iterable[str]:
    from iptviz.kube.known_targets import known_chains

    return known_chains(dump.tables.values(), begun)


def _namespaces(dump: Dump, _begun: str) -> Iterable[str]:
    from iptviz.kube.known_targets import known_namespaces

    return known_namespaces(dump)


_BY_NAME: dict[str, Callable[[Typed], Iterable[Candidate]]] = {
    "format_name": _formats,
    "color": _colors,
    "client": _clients,
    "min_severity": _severities,
    "sort": _sorts,
    "hook": _hooks,
    "select": _looked_for,
    "ignore": _looked_for,
    "what": _explained,
    "tables": _tables,
}
"""What offers the values of an argument of a name."""

_BY_KIND: dict[Named | None, Callable[[Typed], Iterable[Candidate]]] = {
    Named.TARGET: _of_dumps(_targets),
    Named.CHAIN: _of_dumps(_chains),
    Named.NAMESPACE: _of_dumps(_namespaces),
}
"""What offers the values of other arguments, by what they name of a dump."""
