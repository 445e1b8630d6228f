"""The records that a summary is made of, with the kind of each field: what may be kept, and nothing else."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

from iptviz.checks.against_api import Differing
from iptviz.checks.between_nodes import Otherwise
from iptviz.checks.finding import Evidence, Finding, Withheld
from iptviz.checks.host_ports import HostPort
from iptviz.checks.lost_sources import Rewritten
from iptviz.checks.services import Places
from iptviz.checks.traffic import Stopped
from iptviz.checks.unreached import Unreached
from iptviz.compare.ports.form import FrontendForm, PortForm
from iptviz.engine.condition import Assumption, Condition
from iptviz.fleets.summary import NodeFacts
from iptviz.intake.remark import LineNote, Remark
from iptviz.kube.balance import Balance
from iptviz.kube.endpoint_form import EndpointForm
from iptviz.kube.names import ServiceName
from iptviz.paths.model import Decider

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Kind = Callable[[Any], bool]
    """Whether a value is of some kind."""


def text(value: Any) -> bool:
    """Whether it is a text."""
    return type(value) is str


def number(value: Any) -> bool:
    """Whether it is a whole number."""
    return type(value) is int


def flag(value: Any) -> bool:
    """Whether it is true or false."""
    return type(value) is bool


def real(value: Any) -> bool:
    """Whether it is a number."""
    return type(value) in {int, float}


def fraction(value: Any) -> bool:
    """Whether it is a fraction, in any form."""
    return isinstance(value, Fraction)


def nothing(value: Any) -> bool:
    """Whether there is none."""
    return value is None


def anything(_value: Any) -> bool:
    """Whatever can be kept at all."""
    return True


def of(kind: type) -> Kind:
    """Return the kind of a record."""
    return lambda value: type(value) is kind


def maybe(kind: Kind) -> Kind:
    """Return the kind of what there may be none of."""
    return lambda value: value is None or kind(value)


def many(kind: Kind) -> Kind:
    """Return the kind of a tuple all of whose items are of a kind."""
    return lambda value: type(value) is tuple and all(map(kind, value))


def some(kind: Kind) -> Kind:
    """Return the kind of a set all of whose items are of a kind."""
    return lambda value: type(value) is frozenset and all(map(kind, value))


def pair(first: Kind, second: Kind) -> Kind:
    """Return the kind of a tuple of two."""
    return lambda value: type(value) is tuple and len(value) == 2 and first(value[0]) and second(value[1])


_texts, _needs = many(text), many(of(Assumption))

_OF_FINDINGS: tuple[Any, ...] = (
    Balance, Decider, Differing, HostPort, LineNote, Otherwise, Places, Remark, Rewritten, Stopped, Unreached,
    Withheld,
)  # fmt: skip
"""Records among the values of findings: whoever words them looks at what is in them."""

RECORDS: Mapping[type, tuple[Kind, ...]] = {
    ServiceName: (text, text, text, text),
    EndpointForm: (text, maybe(number), maybe(fraction)),
    FrontendForm: (
        text, maybe(text), maybe(number), text, many(of(EndpointForm)), maybe(fraction), maybe(text), maybe(flag),
        maybe(many(_needs)), maybe(pair(flag, _texts)), nothing, some(text), many(some(text)), flag, maybe(text),
        nothing, nothing, _texts, flag, text,
    ),
    PortForm: (
        of(ServiceName), text, many(of(FrontendForm)), maybe(number), maybe(text), maybe(text), maybe(_texts),
        maybe(number), text, flag,
    ),
    Condition: (text, text, text, maybe(number), text, maybe(number)),
    Assumption: (of(Condition), flag),
    NodeFacts: (
        maybe(text), text, text, text, many(number), text, _texts, maybe(real), flag, number, _texts, _texts,
        _texts, _texts, many(pair(text, text)),
    ),
    Evidence: (number, text, text),
    Finding: (
        text, text, text, many(of(Evidence)), maybe(of(ServiceName)), many(pair(text, anything)), number, number,
        number,
    ),
} | {kind: (anything,) * len(kind._fields) for kind in _OF_FINDINGS}  # fmt: skip
"""The kinds of the fields of each record, in their order. Rules, and how clients fare, are never kept: None."""

NAMES: Mapping[str, type] = {kind.__name__: kind for kind in RECORDS}
"""The records by the names that they have in what is kept."""
