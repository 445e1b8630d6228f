"""A command line that is plain: it is read by the table of the command's arguments, and waits for nothing else.

What is plain here, typer reads alike. It reads all else, and says what is wrong with it.
"""

from __future__ import annotations

from types import UnionType
from typing import TYPE_CHECKING, Any, NoReturn, get_args, get_origin

from iptviz.cli.commands import COMMANDS
from iptviz.cli.ending import tell, tell_version
from iptviz.cli.told import REQUIRED
from iptviz.view.registry import function_at

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from iptviz.cli.told import Argument


def _tell_overview() -> NoReturn:
    from iptviz.cli.overview import overview_here  # nobody waits for it who asks a question

    tell(overview_here)


_OF_THE_PROGRAM = {"--version": tell_version, "--help": _tell_overview, "-h": _tell_overview}
"""What is asked of the program itself."""


def answer_plainly(words: Sequence[str]) -> bool:
    """Run what is typed, and exit with its status; return False where that is not plain."""
    if len(words) == 1 and words[0] in _OF_THE_PROGRAM:
        _OF_THE_PROGRAM[words[0]]()
    if not words or words[0] not in COMMANDS:
        return False
    command = function_at(COMMANDS[words[0]])
    typed = read_plainly(getattr(command, "arguments"), words[1:])  # noqa: B009 - a CliCommand
    if typed is not None:
        command(**typed)
    return typed is not None


def read_plainly(arguments: Iterable[Argument], words: Iterable[str]) -> dict[str, Any] | None:
    """Return what is typed for each argument of a command, by its name; None where it is not plain.

    Plain are options by their whole flags, each with its value behind it or behind an equals sign, and words that
    are no options.
    """
    told = tuple(arguments)
    options = {flag: each for each in told for flag in each.info.flags}
    found: dict[str, Any] = {}
    others: list[str] = []
    rest = iter(words)
    try:
        for word in rest:
            if word[:1] == "-" and word != "-":
                _take_option(options, word, rest, found)
            else:
                others.append(word)
        _take_others([each for each in told if not each.info.flags], others, found)
        return {each.name: found[each.name] if each.name in found else _default(each) for each in told}
    except _NotPlainError:
        return None


class _NotPlainError(Exception):
    """Something is typed of which this cannot tell what it means."""


def _take_option(
    options: Mapping[str, Argument], word: str, rest: Iterator[str], found: dict[str, Any]
) -> None:
    """Read an option that begins with a word, and takes what it needs of the rest."""
    flag, equals, value = word.partition("=")
    option = options.get(flag)
    if option is None or (equals and (option.hint is bool or not flag.startswith("--"))):
        raise _NotPlainError
    if option.hint is bool:
        found[option.name] = True
        return
    read = _value(option, value if equals else next(rest, None))
    if _is_list(option):
        found.setdefault(option.name, []).append(read)
    else:
        found[option.name] = read


def _take_others(arguments: Iterable[Argument], words: Sequence[str], found: dict[str, Any]) -> None:
    """Give the words that are no options to the arguments in their order: a list takes all that are left."""
    left = list(words)
    for argument in arguments:
        if _is_list(argument):
            taken, left = left, []
            if taken:
                found[argument.name] = [_value(argument, word) for word in taken]
        elif left:
            found[argument.name] = _value(argument, left.pop(0))
    if left:
        raise _NotPlainError


def _default(argument: Argument) -> Any:
    if argument.default is REQUIRED:
        raise _NotPlainError
    return argument.default


def _value(argument: Argument, word: str | None) -> Any:
    if word is None:
        raise _NotPlainError
    kind = next(each for each in _kinds(argument.hint) if each is not type(None))
    try:
        value = get_args(kind)[0](word) if get_origin(kind) is list else kind(word)
    except ValueError:
        raise _NotPlainError from None
    if argument.info.minimum is not None and value < argument.info.minimum:
        raise _NotPlainError
    return value


def _is_list(argument: Argument) -> bool:
    return any(get_origin(kind) is list for kind in _kinds(argument.hint))


def _kinds(hint: Any) -> tuple[Any, ...]:
    """Return the types of a hint, which are several where None is one of them."""
    return get_args(hint) if isinstance(hint, UnionType) else (hint,)
