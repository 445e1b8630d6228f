"""Rules of others that take services' connections before kube-proxy is asked, each with all that it takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.kube.preempt import HOOKS, Preemption, preemptions
from iptviz.kube.service import first_packet
from iptviz.paths.usual import leads_outward
from iptviz.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from iptviz.dump.rule import Rule
    from iptviz.dump.table import Table
    from iptviz.engine.condition import Assumption, When
    from iptviz.engine.host import Host
    from iptviz.engine.packet import Packet
    from iptviz.kube.frontends import Frontend
    from iptviz.kube.names import ServiceName
    from iptviz.kube.service_ports import ServicePort
    from iptviz.paths.fares import Fare, Reached


class Taken(NamedTuple):
    """A frontend whose connections a rule takes, the name of its service port, and the service."""

    frontend: str
    name: str
    service: ServiceName

    @property
    def text(self) -> str:
        """Both: `10.96.0.1:443/tcp (default/kubernetes:https)`."""
        return self.frontend if self.name == self.frontend else f"{self.frontend} ({self.name})"


class Taker(NamedTuple):
    """A rule that takes the connections to all of `taken`: `hooks` ask it, where all of `when` hold.

    `certain`: not only of those that come in by an interface of which it is likely that others' clients use it.
    """

    rule: Rule
    hooks: tuple[str, ...]
    when: When
    taken: tuple[Taken, ...]
    certain: bool = True

    @property
    def service(self) -> ServiceName | None:
        """The service, where all are of one."""
        services = {one.service for one in self.taken}
        return services.pop() if len(services) == 1 else None


def takers(
    nat: Table | None, ports: Iterable[ServicePort], reached: Iterable[Sequence[Reached]], host: Host
) -> list[Taker]:
    """Return the rules above KUBE-SERVICES that take connections of clients, in the order of the dump.

    `reached` is how clients fare at the frontends of `ports`. A rule is none of these that takes nothing, since
    another is asked first or nothing comes to it; nor one that takes what a few clients send alone.
    """
    if nat is None:
        return []
    made: dict[Rule, list[tuple[Preemption, Taken, bool]]] = {}
    for port, each in zip(ports, reached, strict=True):
        for one in each:
            for taking, certain in _taking(nat, one, host):
                taken = Taken(one.frontend.text, port.name, port.service)
                made.setdefault(taking.rule, []).append((taking, taken, certain))
    return sorted((_taker(rule, each) for rule, each in made.items()), key=lambda taker: taker.rule.line)


def _taker(rule: Rule, found: Sequence[tuple[Preemption, Taken, bool]]) -> Taker:
    """Return a rule with what it surely takes; where that is nothing, with what it may."""
    certain = any(sure for _, _, sure in found)
    meant = [(taking, taken) for taking, taken, sure in found if sure is certain]
    hooks = dict.fromkeys(taking.hook for taking, _ in meant)
    when = min((taking.when for taking, _ in meant), key=len)
    return Taker(rule, tuple(hooks), when, tuple(dict.fromkeys(taken for _, taken in meant)), certain)


def _taking(nat: Table, reached: Reached, host: Host) -> Iterator[tuple[Preemption, bool]]:
    """Yield the rules that take what comes to a frontend, where clients suffer, and whether they do for sure."""
    kind = reached.frontend.kind
    sure = {
        hook
        for fare in reached.fares
        if _is_taken(fare, _usual(kind))
        for hook in map(_hook_of, fare.clients)
    }
    outside = kind != "cluster-ip" and any(
        "outside" in fare.clients and _is_taken(fare, _usual_outside(kind)) for fare in reached.fares
    )
    hooks = sure | ({_hook_of("outside")} if outside else set())
    if hooks:
        asked = _SOURCES | ({"destination-cidr"} if kind == "node-port" else set())
        for found in preemptions(nat, _packet(reached.frontend, host)):
            if found.hook in hooks and all(one.condition.kind in asked for one in found.when):
                yield found, found.hook in sure


def _packet(frontend: Frontend, host: Host) -> Packet:
    """Return a new client's first packet to a frontend, with what is known of whose address it is."""
    packet = first_packet(frontend)
    local = packet.to_this_node is None and host.is_local(packet.destination)
    return packet._replace(to_this_node=True) if local else packet


def _hook_of(client: str) -> str:
    return HOOKS[client == "node"]


def _is_taken(fare: Fare, is_usual: Callable[[Assumption], bool]) -> bool:
    """Whether most connections of some clients go elsewhere, or on as they are: all but those of some sources."""
    return any(
        failure.cause.why in {"redirected", "not DNATed"} and all(map(is_usual, failure.when))
        for failure in fare.failures
    )


def _usual(kind: str) -> Callable[[Assumption], bool]:
    """Return what tells whether something is so of most clients: node ports are at nodes' own addresses."""
    left_out = _SOURCES | ({"destination-cidr"} if kind == "node-port" else set())
    return lambda one: one.condition.kind in _LATER or (one.condition.kind in left_out and not one.holds)


def _usual_outside(kind: str) -> Callable[[Assumption], bool]:
    """Return the same of outside clients, who come in by an interface that leads outward."""
    usual = _usual(kind)
    return lambda one: (
        usual(one) or (one.condition.kind == "in-interface" and all(map(leads_outward, one.condition.values)))
    )


_SOURCES = {"in-interface", "source-cidr"}
_LATER = {"sysctl", "endpoint-local"}
"""What is asked when nat has decided."""
