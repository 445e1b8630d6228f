"""What is told of the options and arguments of commands: how they are typed, and what the help says of them.

It is told here without typer, for which a command line that is plain does not wait: see `iptviz.cli.plain`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from iptviz.records import NamedTuple

if TYPE_CHECKING:
    from iptviz.redact.named import Named

REQUIRED: Any = ...
"""The default of what must be given."""


class Told(NamedTuple):
    """What is told of an option, which has flags, or of an argument, which has none.

    `default` is that of an argument for which a function has none of its own; `minimum` is the least number that
    an option takes.
    """

    flags: tuple[str, ...]
    metavar: str | None
    help: str
    default: Any
    show_default: bool
    minimum: int | None


class Argument(NamedTuple):
    """An argument or option of a command.

    `hint` is the type of what is typed, `info` what is told of it; `default` is `REQUIRED` where it must be
    given. `named` is what it names of a dump: None, that nobody has said it. `after` is the argument that the
    help tells before it, where it is not told before all that is shared.
    """

    name: str
    hint: Any
    info: Told
    default: Any
    named: Named | None
    after: str = ""

    def helping(self, text: str) -> Argument:
        """Return it with another help; what is in the table stays as it is."""
        return self._replace(info=self.info._replace(help=text))


def option(
    *flags: str, text: str, metavar: str | None = None, show_default: bool = True, minimum: int | None = None
) -> Told:
    """Tell of an option: its flags, and the text of its help."""
    return Told(flags, metavar, text, REQUIRED, show_default, minimum)


def positional(*, metavar: str, text: str, default: Any = REQUIRED, show_default: bool = True) -> Told:
    """Tell of an argument, which is known by its place, and the text of its help."""
    return Told((), metavar, text, default, show_default, None)
