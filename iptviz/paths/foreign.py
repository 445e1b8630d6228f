"""Rules of others that take services' connections before kube-proxy is asked, each with all that it takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from iptviz.kube.preempt import HOOKS, Preemption, preemptions
from iptviz.kube.service import first_packet

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from iptviz.dump.rule import Rule
    from iptviz.dump.table import Table
    from iptviz.engine.condition import When
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
    """A rule that takes the connections to all of `taken`: `hooks` ask it, where all of `when` hold."""

    rule: Rule
    hooks: tuple[str, ...]
    when: When
    taken: tuple[Taken, ...]

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
    made: dict[Rule, tuple[dict[str, None], dict[Taken, None], When]] = {}
    for port, each in zip(ports, reached, strict=True):
        for one in each:
            for taking in _taking(nat, one, host):
                hooks, taken, _ = made.setdefault(taking.rule, ({}, {}, taking.when))
                hooks[taking.hook] = None
                taken[Taken(one.frontend.text, port.name, port.service)] = None
    found = (Taker(rule, tuple(hooks), when, tuple(taken)) for rule, (hooks, taken, when) in made.items())
    return sorted(found, key=lambda taker: taker.rule.line)


def _taking(nat: Table, reached: Reached, host: Host) -> Iterator[Preemption]:
    """Yield the rules that take what comes to a frontend, by hook, where clients suffer from that."""
    hooks = {hook for fare in reached.fares if _is_taken(fare) for hook in map(_hook_of, fare.clients)}
    if hooks:
        for found in preemptions(nat, _packet(reached.frontend, host)):
            if found.hook in hooks and all(one.condition.kind in _SOURCES for one in found.when):
                yield found


def _packet(frontend: Frontend, host: Host) -> Packet:
    """Return a new client's first packet to a frontend, with what is known of whose address it is."""
    packet = first_packet(frontend)
    local = packet.to_this_node is None and host.is_local(packet.destination)
    return packet._replace(to_this_node=True) if local else packet


def _hook_of(client: str) -> str:
    return HOOKS[client == "node"]


def _is_taken(fare: Fare) -> bool:
    """Whether most connections of some clients go elsewhere, or on as they are: all but those of some sources."""
    return any(
        failure.cause.why in {"redirected", "not DNATed"}
        and all(
            one.condition.kind in _LATER or (one.condition.kind in _SOURCES and not one.holds)
            for one in failure.when
        )
        for failure in fare.failures
    )


_SOURCES = {"in-interface", "source-cidr"}
_LATER = {"sysctl", "endpoint-local"}
"""What is asked when nat has decided."""
