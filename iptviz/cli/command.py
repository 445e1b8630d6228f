"""How a function becomes a command: it has its own arguments, and shares options and running with all others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_type_hints

from iptviz.cli.ending import ANSWERED, FOUND, answer
from iptviz.cli.options import After, Options
from iptviz.cli.progress import Bar
from iptviz.cli.pseudonyms import Original, as_asked, check_named
from iptviz.cli.run import chosen_format, say_absence, write
from iptviz.cli.told import REQUIRED, Argument, Told
from iptviz.errors import DumpError, quoted
from iptviz.output import standard_output_is_file
from iptviz.records import NamedTuple
from iptviz.redact.named import INPUTS, Named
from iptviz.render.formats import format_help
from iptviz.terminal import say
from iptviz.view.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from iptviz.questions.trace import TraceResult

_TYPED: Mapping[Named | None, Any] = {
    **dict.fromkeys(INPUTS, str | None),
    Named.DUMPS: list[str] | None,
    Named.CLUSTER: list[str],
}
"""What is typed where a function gets what is in a file: the name of the file."""


def argument(name: str, annotation: Any, default: Any = REQUIRED) -> Argument:
    """Return the argument of an annotation: its type, then in any order what is told of it, and the rest."""
    said: dict[type, Any] = {
        kind: each
        for each in annotation.__metadata__
        for kind in (Told, Named, After)
        if isinstance(each, kind)
    }
    named, info = said.get(Named), said[Told]
    hint = _TYPED.get(named, annotation.__origin__)
    # A function has no default for a dump, which it gets in any case.
    default = info.default if default is REQUIRED else default
    return Argument(name, hint, info, default, named, said.get(After, After("")).name)


class CliCommand:
    """What typer takes for a function: one with a command's own arguments and those that it shares."""

    def __init__(
        self, run: Callable[..., int], text: str | None, arguments: Iterable[Argument], name: str = ""
    ) -> None:
        """Take what is to be run, the help's text, its own arguments and its name.

        It is run with the shared options, the bar that is told how far it has come, and what is typed.
        """
        self.arguments = tuple(arguments)
        self.name = name
        self._run = run
        self.__doc__ = text
        self.__annotations__ = {each.name: each.hint for each in self.arguments}

    @property
    def __signature__(self) -> Any:
        """The signature that typer reads; nobody waits for typer who asks a plain question."""
        from iptviz.cli.signatures import signature_of

        return signature_of(self.arguments)

    def __call__(self, **typed: Any) -> None:
        """Run the command with what is typed, and exit with its status."""
        options = Options(**{name: typed.pop(name) for name in Options._fields if name in typed})

        def run() -> int:
            named = {each.name: each.named for each in self.arguments}
            taken = self._check_order(typed, named)
            if options.in_pseudonyms:
                check_named(named)
            if any(_written(options, typed, named)) or standard_output_is_file():
                from iptviz.cli.places import check_places  # at a terminal nothing can be overwritten

                check_places(options, typed, named)
            bar = Bar(wanted=not options.quiet)
            try:
                return self._run(options, bar, **typed)
            except DumpError as error:
                if taken and error.where == "<stdin>":
                    error.hint = f"no file {quoted(taken)}: it was read as a TARGET in the piped dump"
                raise
            finally:
                bar.end()

        answer(run, absent=ANSWERED if options.exit_zero else FOUND)

    def _check_order(self, typed: dict[str, Any], named: Mapping[str, Named | None]) -> str:
        """Refuse words that are swapped; take a TARGET in the place of a dump that is piped in, and return it."""
        from iptviz.cli.order import check_order, is_piped_target, words_of

        taken = ""
        if named.get("targets") is Named.TARGET and is_piped_target(typed["dump"], typed["targets"] or ()):
            taken = typed["dump"]
            typed |= {"dump": None, "targets": [taken, *(typed["targets"] or ())]}
        metavars = [each.info.metavar or "" for each in self.arguments if not each.info.flags]
        check_order(words_of(self.name, metavars, named, typed))
        return taken


def _written(options: Options, typed: Mapping[str, Any], named: Mapping[str, Named | None]) -> Iterable[bool]:
    """Yield of each file that may be written whether one is named."""
    given = {**typed, **options._asdict()}
    return (given.get(name) is not None for name, kind in named.items() if kind is Named.WRITTEN)


def command(
    *, without: Collection[str] = (), asks: str = "", helps: Mapping[str, str] | None = None
) -> Callable[[Callable[..., int]], CliCommand]:
    """Make a command of a function that takes the shared options and its own arguments, and returns the status.

    `without` names shared options that it does not have, `asks` the question whose formats it can write. `helps`
    has for shared options what they do where that is something of its own.
    """
    own_helps = {**(helps or {}), **({"format_name": _formats(asks)} if asks else {})}

    def decorate(function: Callable[..., int]) -> CliCommand:
        shared = _shared(without, own_helps)
        bar_in = _parameters_of(Bar, function)

        def run(options: Options, bar: Bar, **typed: Any) -> int:
            return function(options, **typed, **dict.fromkeys(bar_in, bar))

        return CliCommand(run, function.__doc__, _in_order(_own(function), shared))

    return decorate


class CommandResult(NamedTuple):
    """The answer to a question.

    `found` is whether it is one that the exit status tells. `absent` are traces of targets that the dump does not
    have, and `missed` says of something else that it is not there; `blank` is an answer with nothing to show to
    people. `brief`: its first lines are enough.
    """

    result: Any
    found: bool = False
    absent: tuple[TraceResult, ...] = ()
    missed: str = ""
    blank: bool = False
    brief: bool = False


class Instead(NamedTuple):
    """The answer to another question, for which no dump is read."""

    question: str
    found: CommandResult


def question(
    name: str,
    *,
    without: Collection[str] = (),
    all_help: str = "",
    more: Iterable[Argument] = (),
    check: Callable[[Mapping[str, Any]], str | None] | None = None,
    instead: Callable[[Mapping[str, Any]], Instead | None] = lambda _typed: None,
) -> Callable[[Callable[..., CommandResult]], CliCommand]:
    """Make a command of a function that asks a question: it gets dumps and what else it needs read already.

    With --redact all of it is in pseudonyms before the function sees it. `without` names shared options that it
    does not have, `all_help` says what --all does where that is something of its own, `more` are arguments that
    its signature does not list, told before those that it does. `check` is given what is typed before anything is
    read: it raises an error where that cannot be asked, and returns the family of the dump that is meant. So is
    `instead`, which returns the answer where it needs no dump. The function gets the shared options, too, where
    its signature lists them, and so it does what was asked before it went into pseudonyms, and the bar to be told
    how far it has come.
    """

    def decorate(function: Callable[..., CommandResult]) -> CliCommand:
        own = [*more, *_own(function)]
        named = {each.name: each.named for each in own}

        options_in, original_in, bar_in = (
            _parameters_of(kind, function) for kind in (Options, Original, Bar)
        )

        def ask(options: Options, bar: Bar, **typed: Any) -> int:
            other = instead(typed)
            asked = other.question if other else name
            chosen = chosen_format(asked, options)
            if other:
                found = other.found
            else:
                family = check(typed) if check else None
                arguments, original = as_asked(typed, named, options, bar, family)
                told = dict.fromkeys(options_in, options) | dict.fromkeys(original_in, original)
                bar("working out the answer")
                found = function(**arguments, **told, **dict.fromkeys(bar_in, bar))
            if not found.blank or chosen.name == "json":
                write(asked, chosen, found.result, options, bar, fold=not options.show_all, brief=found.brief)
            # Quietly, what is not there is said where nothing else says it.
            for trace in found.absent if found.blank or not options.quiet else ():
                say_absence(trace, quiet=options.quiet)
            if found.missed:
                say(printable(found.missed))
            return FOUND if found.found and not options.exit_zero else ANSWERED

        helps = {"format_name": _formats(name), **({"show_all": all_help} if all_help else {})}
        return CliCommand(ask, function.__doc__, _in_order(own, _shared(without, helps)), name)

    return decorate


def _own(function: Callable[..., Any]) -> list[Argument]:
    """Return the arguments that a function lists, but for what it is told beside them."""
    defaults = _defaults(function)
    return [
        argument(name, hint, defaults.get(name, REQUIRED))
        for name, hint in _listed(function).items()
        if hint not in {Options, Original, Bar}
    ]


def _parameters_of(kind: type, function: Callable[..., Any]) -> list[str]:
    """Return the name of the parameter that gets something of a kind, if there is one."""
    return [name for name, hint in _listed(function).items() if hint is kind]


def _listed(function: Callable[..., Any]) -> dict[str, Any]:
    """Return the annotations of the parameters that a function lists: inspect takes longer to be imported."""
    code = function.__code__
    hints = get_type_hints(function, include_extras=True)
    return {name: hints[name] for name in code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]}


def _defaults(function: Callable[..., Any]) -> dict[str, Any]:
    """Return the defaults of the parameters of a function that have one."""
    behind = function.__defaults__ or ()
    names = function.__code__.co_varnames[: function.__code__.co_argcount]
    return {
        **dict(zip(names[len(names) - len(behind) :], behind, strict=True)),
        **(function.__kwdefaults__ or {}),
    }


def _formats(asks: str) -> str:
    return f"Output format: {format_help(asks)}."


def _shared(without: Collection[str], helps: Mapping[str, str]) -> list[Argument]:
    """Return the shared options of a command from the table, some with a help of its own."""
    table = (
        argument(name, annotation, Options._field_defaults[name])
        for name, annotation in Options.__annotations__.items()
        if name not in without
    )
    return [each.helping(helps[each.name]) if each.name in helps else each for each in table]


def _in_order(own: list[Argument], shared: list[Argument]) -> list[Argument]:
    """Return arguments in the order of the help: a command's own first, but for those that come after another."""
    found = [*(each for each in own if not each.after), *shared]
    for each in reversed([each for each in own if each.after]):
        place = next(at for at, other in enumerate(found, 1) if other.name == each.after)
        found.insert(place, each)
    return found
