"""Frontends of one form are followed once: what is said of the others is what is found of them alone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import iptviz
from iptviz.kube.dispatching import DispatchingRules
from iptviz.kube.naming import Naming
from iptviz.kube.service_ports import service_ports
from iptviz.node.load import load_all
from iptviz.node.snapshot import as_snapshot
from iptviz.paths.many_fares import reached_in
from iptviz.questions.ways import Beside, evidence_of
from tests.conftest import ROOT, SHARED, part_of
from tests.fleetmaker import Setup, fleet_with
from tests.kubeproxy import ERAS, numbered, saved

if TYPE_CHECKING:
    from iptviz.dump.model import Dump

FILES = sorted([
    *SHARED.rglob("*.rules"), *SHARED.parent.joinpath("cases").rglob("*.rules"), *ROOT.glob("fixtures/*/*.rules"),
])  # fmt: skip
MOST = 12
"""Of a dump with more service ports so many are followed one by one, spread over all."""


def check(dump: Dump) -> None:
    """Each service port fares alone as it does among all."""
    rules = DispatchingRules(dump)
    ports = service_ports(rules, Naming(dump, ()))
    known = evidence_of(as_snapshot(dump), dump.family, Beside())
    together = reached_in(rules, ports, known)
    for port, reached in list(zip(ports, together, strict=True))[:: len(ports) // MOST + 1]:
        for place, answer in enumerate(port.answers):
            alone = reached_in(rules, [port._replace(answers=(answer,))], known)
            assert alone[0][0] == reached[place], answer.frontend.text


@pytest.mark.parametrize("path", part_of(FILES, 5), ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_frontend_fares_alone_as_among_others(path: Path) -> None:
    for dump in load_all(path)[0]:
        check(dump)


@pytest.mark.parametrize("era", part_of(ERAS, 2))
def test_many_services_of_an_era_fare_alike(era: str) -> None:
    check(iptviz.load(saved(numbered(30, 3, era=era)).encode()))


DROPPING = (
    "-d 10.244.2.0/24", "-p tcp -m tcp --dport 8080", "-s 10.244.3.0/24", "-d 10.244.1.0/24 -p tcp -m tcp --sport 80",
)  # fmt: skip
"""What a rule of others drops: endpoints elsewhere, at a port, that ask a service, answers of local ones."""


@pytest.mark.parametrize("detect", ["cidr", "none"])
@pytest.mark.parametrize("dropping", ["", *DROPPING])
def test_endpoints_of_all_kinds_fare_in_company_as_they_do(
    detect: str, dropping: str, tmp_path: Path
) -> None:
    """Endpoints here and elsewhere, in networks of pods and outside, in services of several policies."""
    (node, *_) = fleet_with([], 5, 3, Setup(own_network=detect == "cidr", detect=detect), 20).write(tmp_path)
    rule = f"-A FORWARD {dropping} -j DROP\n-A FORWARD " if dropping else "-A FORWARD "
    check(iptviz.load(Path(node).read_text(encoding="utf-8").replace("-A FORWARD ", rule, 1).encode()))
