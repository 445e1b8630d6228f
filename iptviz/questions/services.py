"""The question `services` asks: which service ports does the dump hold, and how do they balance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from iptviz.checks import leftovers, reading
from iptviz.checks.finding import findings_among
from iptviz.checks.services import collision, service_findings, shares_unevenly
from iptviz.errors import TargetError
from iptviz.kube.era import Era, era_of
from iptviz.kube.frontends import DispatchingRules
from iptviz.kube.naming import Naming
from iptviz.kube.published import PublishedPort, published_ports
from iptviz.kube.service_ports import ServicePort, service_ports
from iptviz.questions.document import document_of
from iptviz.supplied.files import Supplied, read_file
from iptviz.supplied.service_names import read_service_names
from iptviz.xtables.address import parse_network, split_endpoint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from iptviz.checks.finding import Finding, Item
    from iptviz.dump.model import Dump


class ServicesResult(NamedTuple):
    """The service ports that were asked for; `total` counts those that the dump has.

    `era` is when the dump was written; `published` are ports that others than kube-proxy publish, where they
    were asked for.
    """

    dump: Dump
    services: tuple[ServicePort, ...]
    total: int
    notes: tuple[Item, ...]
    era: Era
    published: tuple[PublishedPort, ...] = ()

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What is wrong with the dump as far as the notes say it, and with each of the service ports."""
        own = (found for service_port in self.services for found in findings_of(self.dump, service_port))
        return (*findings_among(self.notes), *own)

    def to_dict(self) -> dict[str, Any]:
        """Return the result as the document `iptviz.services.v1`."""
        return document_of("services", self)


def _name_key(service_port: ServicePort) -> tuple[object, ...]:
    """Sort by name; those without one come last."""
    name = service_port.service
    return not name.text, name.namespace, name.name, name.port_name, service_port.name, service_port.protocol


def _address_key(service_port: ServicePort) -> tuple[object, ...]:
    address = service_port.usual.frontend.address
    network = parse_network(address) if address else None
    return network is None, network, service_port.usual.frontend.port or 0


def _unevenness(service_port: ServicePort) -> tuple[object, ...]:
    balance = service_port.balance
    return (-balance.deviation if balance else 1, *_name_key(service_port))


SORTS: dict[str, Callable[[ServicePort], tuple[object, ...]]] = {
    "name": _name_key,
    "address": _address_key,
    "endpoints": lambda service_port: (-len(service_port.endpoints), *_name_key(service_port)),
    "uneven": _unevenness,
    "line": lambda service_port: (min(answer.frontend.rule.line for answer in service_port.answers),),
}
"""What services can be sorted by: the key to each word."""


def services(
    dump: Dump,
    *,
    namespace: str | None = None,
    uneven: bool = False,
    no_endpoints: bool = False,
    endpoint: str | None = None,
    sort: str = "name",
    published: bool = False,
    names: str | Supplied | None = None,
) -> ServicesResult:
    """Return the service ports of `dump`: all, or those to which all that is asked for applies.

    `uneven`: the endpoints share less evenly than kube-proxy's rounding explains, or some connections get none.
    `no_endpoints`: no frontend leads to an endpoint. `endpoint` is an address, or address:port, of an endpoint.
    `published` adds the ports that others than kube-proxy publish: host ports, Docker's. `names` is the path of
    a list of services, which names those whose comments are lost.

    Raises:
        TargetError: `endpoint` is no address, or there is no such way to sort.
        DumpError: the list of services cannot be read.
    """
    if sort not in SORTS:
        raise TargetError(f"cannot sort by {sort!r}", hint=f"sort by {', '.join(SORTS)}")
    rules = DispatchingRules(dump)
    found = service_ports(rules, Naming(dump, read_file(names, read_service_names) or ()))
    wanted = [
        service_port
        for service_port in found
        if namespace in {None, service_port.service.namespace}
        and (not uneven or is_uneven(service_port))
        and (not no_endpoints or not (service_port.all_endpoints or service_port.usual.unseen))
    ]
    if endpoint is not None:
        wanted = list(_leading_to(wanted, endpoint))
    wanted.sort(key=SORTS[sort])
    others = tuple(published_ports(dump)) if published else ()
    return ServicesResult(dump, tuple(wanted), len(found), tuple(_notes(rules, found)), era_of(dump), others)


def is_uneven(service_port: ServicePort) -> bool:
    """Whether the endpoints share less evenly than kube-proxy's rounding explains, or not all connections."""
    return shares_unevenly(service_port.usual)


def findings_of(dump: Dump, service_port: ServicePort) -> Iterator[Finding]:
    """Yield what is wrong with a service port of `dump`."""
    return service_findings(service_port.service, service_port.answers, complete=dump.complete)


def _leading_to(found: list[ServicePort], endpoint: str) -> Iterator[ServicePort]:
    address, port = split_endpoint(endpoint)
    network = parse_network(address)
    if network is None:
        raise TargetError(
            f"{endpoint!r} is no endpoint", hint="write its address, or its address and port: 10.244.1.17:80"
        )
    for service_port in found:
        ends = service_port.all_endpoints
        if any(parse_network(end.address) == network and port in {None, end.port} for end in ends):
            yield service_port


def _notes(rules: DispatchingRules, found: list[ServicePort]) -> Iterator[Item]:
    dump = rules.dump
    yield from reading.check(dump)
    yield from (collision(first, other) for first, other in rules.contested())
    yield from leftovers.check(dump)
    if not found:
        from iptviz.checks.absence import emptiness

        yield from emptiness(dump)
