"""What trace, services and packet find of a dump is what check finds: of no other id."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

import pytest

import iptviz
from tests.conftest import FIXTURES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from iptviz.checks.finding import Finding
    from iptviz.dump.model import Dump
    from iptviz.kube.frontends import Frontend

_ALL = sorted([*(FIXTURES / "ways").rglob("*.rules"), *(FIXTURES / "checks").rglob("*.rules")])
_TELLING = tuple(
    FIXTURES / f"{name}.rules"
    for name in (
        "checks/connections-lost/fault-local-jump",  # what one frontend lacks, another has
        "checks/hostport-preempts/fault-node-port",  # a rule of others that is a kind of its own
        "checks/mark-chain-missing/fault",  # a cause that explains others
        "checks/nat-unreadable/fault",
        "checks/proxy-leftover/fault-refused",
        "checks/services-asked-if/near-excerpt",  # of an excerpt that is not known
        "ways/reported/02b-healthcheck-1.29",  # one cause of several services
        "ways/reported/61-hostport-takes-services",
    )
)
_EVERY = 24
"""One of so many others is asked, each time the same ones: all of them take minutes, and agree."""

_MOST_FRONTENDS = 4


@pytest.mark.parametrize(
    "path", dict.fromkeys((*_TELLING, *_ALL[::_EVERY])), ids=lambda path: str(path.relative_to(FIXTURES))
)
def test_answers_find_what_check_finds(path: Path) -> None:
    dump = iptviz.load(path)
    checked = {finding.id for finding in iptviz.check(dump).findings}
    for asked, findings in _answers(dump):
        found = {finding.id for finding in findings if finding.severity != "info"}
        assert found <= checked, asked


def _answers(dump: Dump) -> Iterator[tuple[str, Iterable[Finding]]]:
    """Yield the findings of each question about a dump and some of its frontends."""
    listed = iptviz.services(dump)
    yield "services", listed.findings
    frontends = (
        answer.frontend for one in listed.answers for port in one.services for answer in port.answers
    )
    for frontend in islice(filter(_is_known, frontends), _MOST_FRONTENDS):
        yield f"trace {frontend.text}", iptviz.trace(dump, frontend.text).findings
        if frontend.address:
            packet = iptviz.packet(
                dump, dst=frontend.address, dport=frontend.port, protocol=frontend.protocol
            )
            yield f"packet {frontend.text}", packet.findings


def _is_known(frontend: Frontend) -> bool:
    return frontend.port is not None and not frontend.is_malformed


def test_a_trace_of_one_frontend_finds_what_a_trace_of_its_service_finds() -> None:
    dump = iptviz.load(FIXTURES / "ways/reported/61-hostport-takes-services.rules")
    for target in ("shop/web", "10.97.20.77:443", "192.0.2.10:443", ":30443"):
        (finding,) = [one for one in iptviz.trace(dump, target).findings if one.severity != "info"]
        assert finding.id == "hostport-preempts"
