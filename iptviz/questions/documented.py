"""The question about a packet for who looks at its signature, which names each field."""

from __future__ import annotations

from inspect import Parameter, Signature, signature
from typing import TYPE_CHECKING

from iptviz.questions.packet import packet
from iptviz.questions.packet_fields import FIELDS

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def _with_fields(function: Callable[..., Any]) -> Signature:
    """Return the signature of a function that takes `**fields`, with each field by its name, for help()."""
    own = signature(function)
    named = [
        Parameter(name, Parameter.KEYWORD_ONLY, default=field.default, annotation=field.typed | None)
        for name, field in FIELDS.items()
    ]
    plain = [each for each in own.parameters.values() if each.kind is not Parameter.VAR_KEYWORD]
    return own.replace(parameters=[plain[0], *named, *plain[1:]])


packet.__signature__ = _with_fields(packet)  # type: ignore[attr-defined]
