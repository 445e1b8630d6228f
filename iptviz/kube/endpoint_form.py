"""An endpoint of a service port, whoever tells it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, overload

from iptviz.records import NamedTuple
from iptviz.xtables.address import join_endpoint

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
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


class PortShares(tuple["PortShare", ...]):  # noqa: SLOT001 - a tuple takes none
    """The port and the share of each of some endpoints, whose hash is found once: many services have the same.

    Nothing else is different from a tuple of the same.
    """

    _hash: int

    def __hash__(self) -> int:
        try:
            return self._hash
        except AttributeError:
            self._hash = super().__hash__()
            return self._hash


class AlikeEndpoints(Sequence[EndpointForm]):
    """Endpoints whose ports and shares are those of others: one is made when it is asked for, all would be much.

    They are equal to a tuple of the same. `joined` are addresses with blanks between them, `places` where those
    of the endpoints stand among them, `shares` the ports and shares of these: several may have them in common.
    """

    __slots__ = ("_joined", "_places", "shares")

    def __init__(self, joined: str, places: Sequence[int], shares: PortShares) -> None:
        self._joined = joined
        self._places = places
        self.shares = shares

    @property
    def addresses(self) -> list[str]:
        """The address of each."""
        addresses = self._joined.split(" ")
        return [addresses[place] for place in self._places]

    def __iter__(self) -> Iterator[EndpointForm]:
        pairs = zip(self.addresses, self.shares, strict=True)
        return iter([EndpointForm(address, port, share) for address, (port, share) in pairs])

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


def addresses_of(endpoints: Iterable[EndpointForm]) -> list[str]:
    """Return the address of each endpoint."""
    if isinstance(endpoints, AlikeEndpoints):
        return endpoints.addresses
    return [end.address for end in endpoints]


def shares_of(endpoints: Iterable[EndpointForm]) -> PortShares:
    """Return port and share of each endpoint."""
    if isinstance(endpoints, AlikeEndpoints):
        return endpoints.shares
    return PortShares(end[1:] for end in endpoints)
