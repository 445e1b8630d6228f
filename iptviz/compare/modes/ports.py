"""Differences of service ports between a dump and a listing of nft, without those that the modes mean to have.

What decides stands in other rules on either side: why connections fail is compared by the reason alone. Source of
what is meant: pkg/proxy/nftables/proxier.go and README.md, KEP-3866.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from iptviz.compare.ports.differences import PropertyDifference, ReachedDifference
from iptviz.compare.ports.reach import when_key, whys_of
from iptviz.paths.fares import OF_SERVICES, WELL, Rewrite, is_own_masquerade
from iptviz.records import NamedTuple
from iptviz.xtables.address import parse_network

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from iptviz.compare.ports.differences import ChangedPort, PortChanges, PortDifference, Value
    from iptviz.compare.ports.reach import Why
    from iptviz.paths.fares import Fare

Meant = Literal["node port addresses", "loopback", "health checks", "refused from node"]
"""What the modes mean to do otherwise of a service port: see `iptviz.compare.modes.expected`."""


class AcrossPorts(NamedTuple):
    """What really differs, and what was set aside: of each thing that is meant the service ports.

    `meant` has with each the values of the iptables side and of the nftables side.
    """

    changes: PortChanges
    meant: dict[Meant, list[tuple[ChangedPort, Value, Value]]]


class _Case(NamedTuple):
    """A difference of a service port: `old` and `new` are those of iptables mode and of nftables mode."""

    port: ChangedPort
    one: PortDifference
    iptables: int

    def value(self, place: int) -> Value:
        """Return the value of a property in iptables mode (0) or nftables mode (1)."""
        assert isinstance(self.one, PropertyDifference)  # noqa: S101 - asked of such alone
        return (self.one.old, self.one.new)[place ^ self.iptables]

    def fare(self, place: int) -> Fare:
        """Return how clients fare in iptables mode (0) or nftables mode (1)."""
        assert isinstance(self.one, ReachedDifference)  # noqa: S101 - asked of such alone
        return (self.one.old, self.one.new)[place ^ self.iptables]


def across(changes: PortChanges, iptables: Literal[0, 1]) -> AcrossPorts:
    """Return what really differs of service ports; `iptables` is the side in that mode, 0 the old one."""
    meant: dict[Meant, list[tuple[ChangedPort, Value, Value]]] = {}
    kept = []
    for port in changes.changed:
        left = []
        for one in port.differences:
            case = _Case(port, one, iptables)
            ids = list(_meant(case))
            values = (case.value(0), case.value(1)) if isinstance(one, PropertyDifference) else (None, None)
            for each in ids:
                meant.setdefault(each, []).append((port, *values))
            if not ids and not _is_same(case):
                left.append(one)
        if left:
            kept.append(port._replace(differences=tuple(left)))
    return AcrossPorts(changes._replace(changed=tuple(kept)), meant)


def _meant(case: _Case) -> Iterator[Meant]:
    """Yield what the modes mean by a difference; nothing where it is none of theirs."""
    test = _TESTS.get(case.one.kind)
    if test is not None:
        yield from test(case)


def _of_addresses(case: _Case) -> Iterator[Meant]:
    """In nftables mode --nodeport-addresses is `primary` where nobody says otherwise, in iptables mode all."""
    everywhere, few = case.value(0), case.value(1)
    if _is_everywhere(everywhere) and isinstance(few, tuple) and few and few[0] is True:
        yield "node port addresses"
        if everywhere is None:
            yield "loopback"


def _is_everywhere(value: Value) -> bool:
    """Whether node ports answer at all addresses, be it but for those of the loopback."""
    if value is None:
        return True
    if not isinstance(value, tuple) or len(value) != 2 or value[0] is not False:
        return False
    networks = (parse_network(text) for text in value[1] if isinstance(text, str))
    return all(network is not None and _is_loopback(network.value, network.version) for network in networks)


def _is_loopback(value: int, version: int) -> bool:
    return value >> 24 == 127 if version == 4 else value == 1


def _of_health_checks(case: _Case) -> Iterator[Meant]:
    """In nftables mode no rule accepts what asks for a node's health: it would decide for no other table."""
    if case.value(1) is None:
        yield "health checks"


def _of_clients(case: _Case) -> Iterator[Meant]:
    """In iptables mode no rule refuses what the node itself sends to an external IP without endpoints."""
    before, after = case.fare(0), case.fare(1)
    lets_go = before.word == "no" and {_reason(why) for why in before.failures} == {("not DNATed", "")}
    if lets_go and after.word == "no endpoints" and case.one.clients == ("node",):  # type: ignore[union-attr]
        yield "refused from node"


_TESTS: dict[str, Callable[[_Case], Iterator[Meant]]] = {
    "node port addresses": _of_addresses,
    "health check": _of_health_checks,
    "reached": _of_clients,
}


# --- what is the same, though other rules say it ----------------------------------------------------------------


def _is_same(case: _Case) -> bool:
    """Whether a difference is none but for the rules that decide."""
    return isinstance(case.one, ReachedDifference) and _fare_alike(case)


def _fare_alike(case: _Case) -> bool:
    """Whether clients fare alike, for the same reasons.

    A node port that answers at fewer addresses is asked at these alone: who is well served there counts.
    """
    old, new = case.fare(0), case.fare(1)
    if old.word != new.word or _reasons(old) != _reasons(new):
        return False
    ports = {form.kind for form in case.one.frontends} == {"node-port"}
    return old[2:4] == new[2:4] or (ports and old.word in WELL)


def _reasons(fare: Fare) -> frozenset[object]:
    return frozenset(_told(why) for why in whys_of(fare) if not _is_own(why))


def _is_own(why: Why) -> bool:
    return isinstance(why, Rewrite) and is_own_masquerade(why.by)


def _told(why: Why) -> object:
    """Return why connections fail, whichever rule of which language says so.

    Of source ranges the networks are compared as a property of the service port.
    """
    if isinstance(why, Rewrite):
        return "rewrite", when_key(why.when)
    reason = _reason(why)
    return reason if why.cause.why in OF_SERVICES else (*reason, why.cause.to, when_key(why.when))


def _reason(why: Why) -> tuple[str, str]:
    if isinstance(why, Rewrite):
        return "rewrite", ""
    return why.cause.why, "" if why.cause.why == "not DNATed" else why.cause.outcome
