"""What is compared of service ports: all that their normal form tells, but for where a dump says it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import iptviz
from iptviz.compare.ports.of_rules import forms_of
from iptviz.kube.dispatching import DispatchingRules
from iptviz.kube.naming import Naming
from iptviz.kube.service_ports import service_ports

if TYPE_CHECKING:
    from iptviz.compare.ports.form import FrontendForm, PortForm
    from iptviz.paths.fares import Cause, Fare

Facts = dict[str, Any]


def forms(text: str) -> tuple[PortForm, ...]:
    """The forms of a dump's service ports; how clients fare is not looked at."""
    dump = iptviz.load(text.encode())
    return forms_of(dump, service_ports(DispatchingRules(dump), Naming(dump, ())))


def facts(text: str) -> dict[tuple[str, ...], Facts]:
    """What a dump tells of each service port and of how clients fare there, by its key."""
    return facts_of(iptviz.services(iptviz.load(text.encode())).forms)


def facts_of(ports: tuple[PortForm, ...]) -> dict[tuple[str, ...], Facts]:
    """What is told of each service port, by its key."""
    found = {port.key: _port(port) for port in ports}
    assert len(found) == len(ports)
    return found


def _port(port: PortForm) -> Facts:
    frontends = {(one.kind, one.at, one.protocol): _frontend(one) for one in port.frontends}
    return port._asdict() | {"frontends": frontends}


def _frontend(frontend: FrontendForm) -> Facts:
    told = frontend._asdict()
    for place in ("rule", "refusing"):
        del told[place]
    return told | {"reached": [_fare(fare) for fare in frontend.reached or ()]}


def _fare(fare: Fare) -> Facts:
    failures = [(one.share, _cause(one.cause), one.when) for one in fare.failures]
    rewrites = [(one.by.table, one.by.chain, one.when, one.endpoints) for one in fare.rewrites]
    return fare._asdict() | {"failures": failures, "rewrites": rewrites}


def _cause(cause: Cause) -> tuple[object, ...]:
    """A cause; of the rule or policy that decides not its line, nor its text, in which a policy has counters."""
    by = cause.by
    return cause.why, cause.outcome, cause.to, by and (by.table, by.chain, by.number, by.others)
