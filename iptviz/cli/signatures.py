"""What typer is told of the arguments of a command."""

from __future__ import annotations

from inspect import Parameter, Signature
from typing import TYPE_CHECKING, Annotated, Any

import typer

from iptviz.cli.told import REQUIRED

if TYPE_CHECKING:
    from collections.abc import Iterable

    from iptviz.cli.told import Argument, Told


def signature_of(arguments: Iterable[Argument]) -> Signature:
    """Return the signature of a function that takes some arguments, as typer reads it."""
    return Signature([_parameter(each) for each in arguments])


def _parameter(argument: Argument) -> Parameter:
    default = Parameter.empty if argument.default is REQUIRED else argument.default
    hint: Any = argument.hint
    annotation = Annotated[hint, _info(argument.info)]
    return Parameter(argument.name, Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def _info(told: Told) -> Any:
    said: dict[str, Any] = {"metavar": told.metavar, "help": told.help, "show_default": told.show_default}
    return typer.Option(*told.flags, min=told.minimum, **said) if told.flags else typer.Argument(**said)
