"""No real dump leaves a question open: every service is traced, and a packet to it followed, in all cases."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import iptviz
from iptviz.kube.dispatching import all_frontends
from iptviz.node.load import load_all
from tests.conftest import ROOT, SHARED, part_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from iptviz.kube.frontends import Frontend

CASES = SHARED.parent / "cases"
FILES = sorted([*SHARED.rglob("*.rules"), *CASES.rglob("*.rules"), *ROOT.glob("fixtures/*/dump*")])
MOST_FRONTENDS = 40
"""Of a dump with more services so many are asked about, spread over all."""
CLIENTS = {"ipv4": "198.51.100.7", "ipv6": "2001:db8::7"}


def questions(dump: iptviz.Dump) -> Iterator[tuple[Frontend, dict[str, Any]]]:
    """Services of a dump, each with a packet to it."""
    frontends = all_frontends(dump)
    for frontend in frontends[:: len(frontends) // MOST_FRONTENDS + 1]:
        client = CLIENTS[dump.family]
        yield frontend, {
            "src": client, "dst": frontend.address or client, "protocol": frontend.protocol, "dport": frontend.port,
        }  # fmt: skip


@pytest.mark.parametrize("path", part_of(FILES, 4), ids=lambda path: f"{path.parent.name}/{path.name}")
def test_nothing_is_left_open(path: Path) -> None:
    dumps, _ = load_all(path)
    for dump in dumps:
        for frontend, packet in questions(dump):
            assert not iptviz.trace(dump, frontend.text).left_open
            assert iptviz.packet(dump, **packet).left_open == ()
        client = CLIENTS[dump.family]
        assert iptviz.packet(dump, src=client, dst=client, protocol="tcp", dport=80).left_open == ()
