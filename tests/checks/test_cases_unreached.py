"""What is found of services that clients do not reach, in experiments whose cause is known: told once, by one finding."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import iptviz
from iptviz.checks.wording import sentence
from iptviz.errors import DumpError
from iptviz.paths.fares import fails_unduly
from tests.conftest import FIXTURES, SHARED, part_of

if TYPE_CHECKING:
    from pathlib import Path

CASES = SHARED.parent / "cases"
OURS = {"service-not-reached", "services-asked-if"}
FOUND: dict[str, set[str]] = {
    "exact/conditional-jump-to-kube-services.rules": {"medium services-asked-if"},
    "exact/w-cond-jump-iface.rules": {"medium services-asked-if"},
    "exact/w-svc-accept-by-source.rules": {"medium service-not-reached"},
    "exact/w-svc-return-by-source.rules": {"medium service-not-reached"},
    "exact/w-vip-rule-after-nodeports.rules": {"high service-not-reached"},
    "exact/w-vip-two-services.rules": {"high service-not-reached"},
}
INTENDED = {"partial-dump", "source-ranges", "policy-drops-services"}
"""What tells that nothing can be said, or that somebody wants connections to fail."""


def texts() -> list[Path]:
    """Every file that may be a dump, and every folder that is a node."""
    return [path for path in sorted(CASES.glob("*/*")) if path.is_dir() or path.suffix in {".rules", ".txt"}]


NAMED = {CASES / name for name in FOUND}


@pytest.mark.parametrize(
    "path", part_of(texts(), 4, NAMED), ids=lambda path: f"{path.parent.name}-{path.name}"
)
def test_who_does_not_reach_a_service_is_told_once(path: Path) -> None:
    try:
        node = iptviz.load_node(str(path))
    except DumpError:
        pytest.skip("holds no dump")
    findings = iptviz.check(node).findings
    found = {f"{one.severity} {one.id}" for one in findings if one.id in OURS}
    assert found == FOUND.get(f"{path.parent.name}/{path.name}", set())
    failing = any(fails_unduly(port) for one in iptviz.services(node).answers for port in one.reached)
    told = any(one.severity != "info" or one.id in INTENDED for one in findings)
    assert told or not failing


def said(name: str, **beside: str) -> list[str]:
    node = iptviz.load_node(str(FIXTURES / f"checks/{name}.rules"))
    return [sentence(one) for one in iptviz.check(node, **beside).findings if one.severity != "info"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (
            "fault",
            (
                "10.97.20.77:80/tcp of shop/web:http is not reached by pods when input interface is not eth0, and the "
                "node: no rule sends these connections to an endpoint"
            ),
        ),
        (
            "fault-accept-by-source",
            (
                "10.97.20.77:80/tcp, :30080/tcp of shop/web:http are not reached by pods when source in 10.244.2.0/24: "
                "rule 1 of nat KUBE-SVC-67NZLRHBNDSAWJRO ends nat before an endpoint is chosen"
            ),
        ),
    ],
)
def test_it_is_said_who_what_and_why(name: str, words: str) -> None:
    assert said(f"service-not-reached/{name}") == [words]


def test_where_routing_decides_it_says_so() -> None:
    path = FIXTURES / "checks/service-not-reached/fault-route"
    (found,) = said("service-not-reached/fault-route", routes=f"{path}.routes", addresses=f"{path}.addresses")
    assert found.endswith(": DROP by routing (route is blackhole)")
