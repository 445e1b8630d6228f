"""The page of the manual, made of what `--help` says: `python -m iptviz.cli.manual > man/iptviz.1`."""

from __future__ import annotations

import re
import textwrap
from typing import TYPE_CHECKING, Any

from iptviz.cli.app import app_command
from iptviz.cli.command import argument
from iptviz.cli.commands import COMMANDS
from iptviz.cli.manual_texts import DESCRIPTION, ENVIRONMENT, EXAMPLES, EXIT_STATUS, FILES, SEE_ALSO, SHARED
from iptviz.cli.options import Options
from iptviz.version import __version__

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_DATE = "2026-11-29"
"""When somebody last read the texts beside those of the help."""

_WIDTH = 60
"""Of a line before signs and fonts are put in, which make it up to 80 wide."""

_SPOKEN = re.compile(r"`(?P<code>[^`]+)`|(?P<option>(?<![\w-])--?[A-Za-z][\w-]*)")
_SIGNS = {"\\": "\\e", "'": "\\(aq", "`": "\\(ga", "^": "\\(ha", "~": "\\(ti"}


def manual() -> str:
    """Return the page in roff, as man(7) has it."""
    return "".join(f"{line}\n" for line in _page())


def _page() -> Iterator[str]:
    program = app_command()
    yield f'.TH IPTVIZ 1 {_DATE} "iptviz {__version__}" "User Commands"'
    yield from (".nh", ".ad l", ".SH NAME")
    yield f"iptviz \\- {_plain(_name(program))}"
    yield ".SH SYNOPSIS"
    yield from _synopsis()
    yield ".SH DESCRIPTION"
    yield from _paragraphs((program.help, *DESCRIPTION))
    yield ".SH COMMANDS"
    for name in COMMANDS:
        yield from _command(name)
    yield ".SH OPTIONS"
    yield from _paragraphs((SHARED,))
    yield from _options(_shared_options())
    yield ".PP"
    yield from _filled("Without a command:")
    yield from _options(program.params)
    yield ".SH TARGET FORMS"
    yield from _paragraphs((f"A TARGET is one of these: {_argument('trace', 'target').help}",))
    for heading, rows in (
        ("EXIT STATUS", EXIT_STATUS),
        ("ENVIRONMENT", ENVIRONMENT),
        ("FILES", FILES),
        ("EXAMPLES", EXAMPLES),
    ):
        yield f".SH {heading}"
        for term, text in rows:
            yield from _item(term, text)
    yield ".SH SEE ALSO"
    *others, last = SEE_ALSO
    yield from (f".BR {_plain(name)} ({section})," for name, section in others)
    yield f".BR {_plain(last[0])} ({last[1]})"


def _name(program: Any) -> str:
    """Return what the page says in one line, as whatis(1) shows it."""
    first = str(program.help).partition("?")[0]
    return first[0].lower() + first[1:]


def _synopsis() -> Iterator[str]:
    yield ".nf"
    for name in COMMANDS:
        words = " ".join(_usage(name))
        yield f"\\fBiptviz {name}\\fR {_plain(words)}"
    yield ".fi"


def _usage(name: str) -> list[str]:
    """Return what is typed behind the name of a command."""
    arguments = (param for param in app_command(name).params if param.param_type_name == "argument")
    return ["[OPTIONS]", *(str(param.metavar or param.name.upper()) for param in arguments)]


def _command(name: str) -> Iterator[str]:
    """Yield what a command does, its arguments, and options that are its own, or say more than shared ones."""
    command = app_command(name)
    usage = " ".join(_usage(name))
    yield f".SS iptviz {name} {_plain(usage)}"
    yield from _paragraphs(str(command.help).split("\n\n"))
    for param in command.params:
        if param.param_type_name == "argument":
            yield from _item(str(param.metavar), param.help or "")
    shared = {param.name: param for param in _shared_options()}
    own = [one for one in command.params if one.param_type_name == "option"]
    yield from _options(one for one in own if one.name not in shared or one.help != shared[one.name].help)


def _shared_options() -> list[Any]:
    """Return the options that commands share, as most have them; not that of formats: each has its own."""
    usual = {name: argument(name, hint).info.help for name, hint in Options.__annotations__.items()}
    params = (param for command in COMMANDS for param in app_command(command).params)
    found = {param.name: param for param in params if param.help and param.help == usual.get(param.name)}
    return [found[name] for name in usual if name in found]


def _argument(command: str, name: str) -> Any:
    return next(param for param in app_command(command).params if param.name == name)


def _options(params: Iterable[Any]) -> Iterator[str]:
    for param in params:
        value = "" if param.is_flag else f" {param.metavar or '|'.join(param.type.choices)}"
        default = f" The default is {_default(param)}." if param.show_default and _default(param) else ""
        yield from _item(", ".join(param.opts) + value, (param.help or "") + default)


def _default(param: Any) -> str:
    default = getattr(param.default, "value", param.default)
    return "" if default in (None, False, "", ()) else str(default)


# --- roff --------------------------------------------------------------------------------------------------


def _paragraphs(texts: Iterable[str]) -> Iterator[str]:
    for place, text in enumerate(texts):
        if place:
            yield ".PP"
        yield from _filled(text)


def _item(term: str, text: str) -> Iterator[str]:
    yield ".TP"
    yield f"\\fB{_plain(term)}\\fR"
    yield from _filled(text or term)


def _filled(text: str) -> Iterator[str]:
    """Yield a paragraph, a line for each sentence, longer ones broken between words."""
    for sentence in re.split(r"(?<=[.:?!]) (?=[A-Z`])", " ".join(text.split())):
        broken = textwrap.wrap(sentence, _WIDTH, break_long_words=False, break_on_hyphens=False)
        yield from map(_begun, _spoken_lines(broken))


def _spoken_lines(lines: list[str]) -> Iterator[str]:
    """Yield lines with codes and options in bold; a code that goes on in the next line is parted."""
    code = False
    for line in lines:
        marked = f"`{line}" if code else line
        if marked.count("`") % 2:
            marked += "`"
            code = True
        else:
            code = False
        yield _spoken(marked)


def _spoken(text: str) -> str:
    found, at = "", 0
    for match in _SPOKEN.finditer(text):
        found += _signs(text[at : match.start()]) + f"\\fB{_plain(match['code'] or match[0])}\\fR"
        at = match.end()
    return found + _signs(text[at:])


def _begun(line: str) -> str:
    """Return a line that roff does not take for a request."""
    return f"\\&{line}" if line.startswith(".") else line


def _plain(text: str) -> str:
    """Return what is typed as it is shown: its hyphens are minus signs, which can be copied."""
    return _signs(text).replace("-", "\\-")


def _signs(text: str) -> str:
    return "".join(_SIGNS.get(sign, sign) for sign in text)


if __name__ == "__main__":
    print(manual(), end="")  # noqa: T201
