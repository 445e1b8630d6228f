"""A listing that breaks off: what it still says of a service is so, and what it lacks of one is not known."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from iptviz.kube.nftables.ports import native_ports
from iptviz.kube.nftables.table import ProxyTable
from iptviz.nft.read import read_ruleset
from tests.conftest import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from iptviz.kube.frontend_answer import FrontendAnswer

FILES = sorted(ROOT.glob("fixtures/nftables/every-*.nft"))
STEPS = 60


def answers_in(text: bytes) -> dict[str, FrontendAnswer]:
    """Return the answer for each frontend, which some element of a map still tells."""
    ruleset = read_ruleset(text)
    found = ruleset.tables.get(("ip", "kube-proxy"))
    ports = native_ports(ProxyTable(found, "ipv4")) if found is not None else []
    return {answer.frontend.text: answer for port in ports for answer in port.answers}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_no_service_has_fewer_endpoints_because_its_listing_was_cut(path: Path) -> None:
    whole = path.read_bytes()
    begin = whole.index(b"map service-ips")
    full = answers_in(whole)
    said, open_ones = 0, 0
    for end in range(begin, len(whole), (len(whole) - begin) // STEPS):
        for text, answer in answers_in(whole[:end]).items():
            if answer.unseen:
                open_ones += 1
                assert answer.verdict is None
                continue
            assert answer.endpoints == full[text].endpoints
            assert answer.verdict is None or full[text].verdict is not None
            said += bool(answer.endpoints)
    assert said
    assert open_ones
