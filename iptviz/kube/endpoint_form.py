"""An endpoint of a service port, whoever tells it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, overload

from iptviz.records import NamedTuple
from iptviz.xtables.address import join_endpoint

if TYPE_CHECKING:
    from collections.abc import Iterator
    from fractions import Fraction

    PortShare = tuple[int | None, Fraction | None]


class EndpointForm(NamedTuple):
    """An endpoint and the share (in [0, 1]) of new connections that it gets, None where that is not told."""

    address: str
    port: int | None
    share: Fraction | None

    @property
    def text(self) -> str:
        """The endpoint as people write it."""
        return join_endpoint(self.address, self.port)


class AlikeEndpoints(Sequence[EndpointForm]):
    """Endpoints whose ports and shares are those of others: one is made when it is asked for, all would be much.

    They are equal to a tuple of the same. `joined` are addresses with blanks between them, `places` where those
    of the endpoints stand among them, `shares` the ports and shares of these: several may have them in common.
    """

    __slots__ = ("_joined", "_places", "_shares")

    def __init__(self, joined: str, places: tuple[int, ...], shares: tuple[PortShare, ...]) -> None:
        self._joined = joined
        self._places = places
        self._shares = shares

    @property
    def shares(self) -> list[Fraction | None]:
        """The share of each."""
        return [share for _, share in self._shares]

    def __iter__(self) -> Iterator[EndpointForm]:
        addresses = self._joined.split(" ")
        pairs = zip(self._places, self._shares, strict=True)
        return iter([EndpointForm(addresses[place], port, share) for place, (port, share) in pairs])

    def __len__(self) -> int:
        return len(self._places)

    @overload
    def __getitem__(self, place: int) -> EndpointForm: ...

    @overload
    def __getitem__(self, place: slice) -> tuple[EndpointForm, ...]: ...

    def __getitem__(self, place: int | slice) -> EndpointForm | tuple[EndpointForm, ...]:
        return tuple(self)[place]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, (AlikeEndpoints, tuple)):
            return NotImplemented
        return len(self) == len(other) and tuple(self) == tuple(other)

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __repr__(self) -> str:
        return repr(tuple(self))


def shares_of(endpoints: Sequence[EndpointForm]) -> list[Fraction | None]:
    """Return the share of each endpoint."""
    if isinstance(endpoints, AlikeEndpoints):
        return endpoints.shares
    return [end.share for end in endpoints]
