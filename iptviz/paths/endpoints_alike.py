"""Which endpoints of services rules treat alike: those of as many, whose addresses no rule tells apart."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from iptviz.kube.endpoint_form import addresses_of, shares_of
from iptviz.records import NamedTuple
from iptviz.xtables.address import parse_network

if TYPE_CHECKING:
    from collections.abc import Sequence

    from iptviz.kube.endpoint_form import EndpointForm, PortShares
    from iptviz.kube.outcome import Needs
    from iptviz.paths.alike import Alike
    from iptviz.xtables.address import Network

_BYTES = frozenset(map(str, range(256)))


Kind = tuple[int, int, bool]
"""Of some endpoints the place of their addresses, that of their ports, and whether it is one alone."""


class Company(NamedTuple):
    """What is equal for frontends whose connections all go to endpoints of the same kinds.

    `networks` are those of pods, `place` where address and port of the frontend lie among those that rules tell
    apart. `masquerade` is as answers have it; `any_time`: no affinity keeps clients where they were. `others` is
    what other clients meet than those whom a policy Local sends to this node's endpoints.
    """

    kind: str
    protocol: str
    networks: tuple[Network, ...]
    place: tuple[int, int]
    masquerade: tuple[Needs, ...]
    any_time: bool
    kinds: frozenset[Kind]
    others: OtherCompany | None = None


class OtherCompany(NamedTuple):
    """The same of endpoints to which other clients go; `ways` tell who they are, as `External` does."""

    ways: tuple[tuple[str, bool, str], ...]
    masquerade: tuple[Needs, ...]
    any_time: bool
    kinds: frozenset[Kind]


class AlikeForm(NamedTuple):
    """The addresses of endpoints, these each once, and the `key`, which is equal where rules treat them alike.

    `company` is equal where endpoints are of the same kinds, whatever their order, how many there are of a kind
    beyond one, and what each gets. None where one address has several ports.
    """

    addresses: tuple[str, ...]
    distinct: tuple[str, ...]
    key: object
    company: frozenset[Kind] | None


class EndpointsAlike:
    """Tells the form of endpoints by the places of their addresses, which `alike` knows."""

    def __init__(self, alike: Alike) -> None:
        self._alike = alike
        self._blocks: dict[str, int | None] = {}
        self._companies: dict[tuple[tuple[int, ...], PortShares], frozenset[Kind]] = {}
        self._known: dict[int, tuple[Sequence[EndpointForm], AlikeForm | None]] = {}

    def form(self, endpoints: Sequence[EndpointForm]) -> AlikeForm | None:
        """Return the form of a frontend's endpoints; None where one's address is none.

        Frontends of one chain have the very same endpoints, which are looked at once.
        """
        known = self._known.get(id(endpoints))
        if known is None:
            known = self._known[id(endpoints)] = endpoints, self._form(endpoints)
        return known[1]

    def _form(self, endpoints: Sequence[EndpointForm]) -> AlikeForm | None:
        addresses, shares = tuple(addresses_of(endpoints)), shares_of(endpoints)
        places = tuple([place for address in addresses if (place := self._place(address)) is not None])
        if len(places) < len(addresses):
            return None
        distinct = tuple(dict.fromkeys(addresses))
        repeated = () if len(distinct) == len(addresses) else tuple(map(distinct.index, addresses))
        company = None if repeated else self._company(places, shares)
        return AlikeForm(addresses, distinct, (repeated, places, shares), company)

    def _company(self, places: tuple[int, ...], shares: PortShares) -> frozenset[Kind]:
        """Return of what kinds endpoints are, and of which there is one alone: it has no other to send to."""
        key = places, shares
        if key not in self._companies:
            kinds = Counter(
                (place, self._alike.port(port)) for place, (port, _) in zip(places, shares, strict=True)
            )
            self._companies[key] = frozenset((*kind, count == 1) for kind, count in kinds.items())
        return self._companies[key]

    def _place(self, address: str) -> int | None:
        """Return the place of an address among those that rules tell apart; None where it is none."""
        begin, _, last = address.rpartition(".")
        if last in _BYTES:
            if begin not in self._blocks:
                self._blocks[begin] = self._place_of_block(begin)
            if (place := self._blocks[begin]) is not None:
                return place
        network = parse_network(address)
        return None if network is None else self._alike.endpoint(network)

    def _place_of_block(self, begin: str) -> int | None:
        """Return the place of all 256 addresses that begin so; None where they have several."""
        block = parse_network(f"{begin}.0/24")
        if block is None or block.version != 4:
            return None
        is_one = self._alike.is_one(block, block._replace(value=block.value | 0xFF))
        return self._alike.endpoint(block) if is_one else None
