"""What differs between two forms of a service port, and between two lists of them: as data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

from iptviz.records import NamedTuple

if TYPE_CHECKING:
    from fractions import Fraction

    from iptviz.compare.ports.form import EndpointForm, FrontendForm, PortForm
    from iptviz.kube.outcome import Needs
    from iptviz.paths.fares import Fare

    AddressesAt = tuple[bool, tuple[str, ...]]
    Value = Fraction | str | bool | int | tuple[Needs, ...] | AddressesAt | frozenset[str] | None
    """A value of a property, as the form has it; None: there is none (no affinity, no verdict, all addresses)."""

EndpointKind = Literal["endpoint added", "endpoint removed", "endpoint port", "share"]
FrontendKind = Literal["frontend added", "frontend removed", "frontend kind"]
FrontendProperty = Literal["leftover", "verdict", "local only", "masquerade", "node port addresses"]
PortProperty = Literal["affinity", "internal policy", "external policy", "source ranges", "health check"]
PropertyKind = FrontendProperty | PortProperty

FRONTEND_CHANGES: frozenset[str] = frozenset(get_args(FrontendKind))
"""The kinds of differences that are a frontend which came, went, or is of another kind."""

PROPERTY_CHANGES: frozenset[str] = frozenset((*get_args(FrontendProperty), *get_args(PortProperty)))
"""The kinds of differences that are two values of a property."""

NotCompared = (
    Literal["services", "frontends", "endpoints", "shares", "port", "kind", "masquerade", "reached"]
    | PortProperty
)
"""What may not be compared because one side does not tell it; of `services` it is open whether they are there."""


class EndpointDifference(NamedTuple):
    """An endpoint that came, went, has another port or another share of new connections.

    `old` is None where it came, `new` where it went. `frontends` are those concerned, all alike, as the new side
    has them; where nothing is on the new side, as the old. `even` says whether all endpoints shared evenly there
    before and after: then a share differs because endpoints came or went, and for no other reason.
    """

    kind: EndpointKind
    old: EndpointForm | None
    new: EndpointForm | None
    frontends: tuple[FrontendForm, ...]
    even: tuple[bool, bool]

    @property
    def follows(self) -> bool:
        """Whether it is a share that differs for no other reason than that endpoints came or went."""
        return self.kind == "share" and all(self.even)


class FrontendDifference(NamedTuple):
    """A frontend that came (`old` is None), went (`new` is None), or is of another kind."""

    kind: FrontendKind
    old: FrontendForm | None
    new: FrontendForm | None

    @property
    def frontends(self) -> tuple[FrontendForm, ...]:
        """The frontend, as the new side has it, or the old."""
        return tuple(form for form in (self.new or self.old,) if form is not None)


class PropertyDifference(NamedTuple):
    """A property with another value; `frontends` are those concerned as the new side has them, none: the port."""

    kind: PropertyKind
    old: Value
    new: Value
    frontends: tuple[FrontendForm, ...] = ()


class ReachedDifference(NamedTuple):
    """Kinds of clients that fare otherwise at some frontends: the word, why, or how many get through.

    `of_single` says that only those of them do whom rules name by their own address or port.
    """

    clients: tuple[str, ...]
    old: Fare
    new: Fare
    frontends: tuple[FrontendForm, ...]
    of_single: bool = False
    kind: Literal["reached"] = "reached"


PortDifference = EndpointDifference | FrontendDifference | PropertyDifference | ReachedDifference


class ChangedPort(NamedTuple):
    """A service port that both sides have, and in what it differs: at least one thing."""

    old: PortForm
    new: PortForm
    differences: tuple[PortDifference, ...]


class PortChanges(NamedTuple):
    """Service ports that came, went and differ, each in the order of its side; `compared` is how many both have.

    `not_compared` counts the frontends (of what is a frontend's) or ports of which one side does not tell what
    the key says, and the other does.
    """

    added: tuple[PortForm, ...]
    removed: tuple[PortForm, ...]
    changed: tuple[ChangedPort, ...]
    compared: int
    not_compared: dict[NotCompared, int]

    @property
    def differ(self) -> bool:
        """Whether anything differs."""
        return bool(self.added or self.removed or self.changed)
