"""What one dump does not show is not said to have come or gone."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

import iptviz
from iptviz.compare.ports.compared import compared
from iptviz.compare.ports.hiding import Hiding
from iptviz.compare.ports.of_rules import forms_of
from iptviz.kube.dispatching import DispatchingRules
from iptviz.kube.naming import Naming
from iptviz.kube.service_ports import service_ports
from iptviz.node.snapshot import as_snapshot
from tests import kubeproxy
from tests.kubeproxy import Cluster

if TYPE_CHECKING:
    from iptviz.compare.ports.differences import PortChanges
    from iptviz.compare.ports.form import PortForm

LOCAL: dict[str, Any] = {"local_only": True, "load_balancer_ips": ("203.0.113.1",), "health_check": 32000}


def saved(local: int = 1) -> str:
    """A dump with a service without endpoints, and one of policy Local with so many on the node."""
    services = kubeproxy.numbered(1, 3, local=local, **LOCAL).services
    empty = (
        replace(one, name="empty", cluster_ip="10.96.9.9", node_port=31999)
        for one in kubeproxy.numbered(1, 0).services
    )
    return kubeproxy.saved(Cluster((*kubeproxy.basics(), *services, *empty)))


def table(text: str, name: str) -> str:
    begin = text.index(f"*{name}")
    return text[begin : text.index("COMMIT", begin)] + "COMMIT\n"


def side(text: str) -> tuple[tuple[PortForm, ...], Hiding]:
    dump = iptviz.load(text.encode())
    ports = service_ports(DispatchingRules(dump), Naming(dump))
    return forms_of(dump, ports), Hiding(dump, as_snapshot(dump).unseen_tables(dump))


def changes(old: str, new: str) -> PortChanges:
    (before, hidden_before), (after, hidden_after) = side(old), side(new)
    return compared(before, after, (hidden_before, hidden_after))


def untold(found: PortChanges) -> dict[str, int]:
    return {what: count for what, count in found.not_compared.items() if what != "reached"}


@pytest.mark.parametrize("turned", [False, True])
def test_a_table_that_is_not_shown_may_hold_what_refuses(turned: bool) -> None:
    whole, nat = saved(), table(saved(), "nat")
    found = changes(*((nat, whole) if turned else (whole, nat)))
    assert not found.differ
    assert untold(found) == {"services": 1, "health check": 1}


def test_a_refusal_may_stand_where_nobody_looks() -> None:
    found = changes(saved(local=0), table(saved(local=0), "nat"))
    assert not found.differ
    assert untold(found)["endpoints"] == 2


def test_what_both_show_and_one_lacks_differs() -> None:
    text = saved()
    less = "".join(line for line in text.splitlines(keepends=True) if "has no endpoints" not in line)
    found = changes(text, less)
    assert [port.name for port in found.removed] == ["team-0/empty:http"]
    assert "services" not in found.not_compared


def test_behind_a_cut_services_may_stand() -> None:
    text = saved()
    cut = text[: text.index('-m comment --comment "team-0/service-0:http cluster IP"')]
    found = changes(text, cut)
    assert not found.differ
    assert {"services", "frontends"} & found.not_compared.keys(), found.not_compared


def test_before_a_cut_nothing_is_hidden() -> None:
    text = saved().replace("team-0/empty", "team-0/other").replace("10.96.9.9", "10.96.9.8")
    cut = text[: text.rindex("COMMIT")]
    names = [[port.name for port in ports] for ports in changes(saved(), cut)[:2]]
    assert names == [["team-0/other:http"], ["team-0/empty:http"]]
