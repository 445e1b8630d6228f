"""What dumps of unprinted rules are measured by is what a node does; native rules are printed cut short."""

from __future__ import annotations

import shutil

import pytest

import iptviz
from tests.kernel.lab import node, tables_of
from tests.kernel.save_fixtures import FIXTURES
from tests.kernel.statistics import LEVEL, chi_square_p

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("kernel")]
WHOLE = (FIXTURES / "unprinted/whole.rules").read_text()


def test_the_whole_dump_is_what_a_node_has_and_does() -> None:
    with node("nft") as lab:
        lab.load(WHOLE)
        saved = lab.save()
    assert {table: sorted(lines) for table, lines in tables_of(saved).items()} == {
        table: sorted(lines) for table, lines in tables_of(WHOLE).items()
    }
    with node("legacy") as lab:
        lab.load(WHOLE)
        lab.connect(("10.43.0.10", 53), 2_000, source="198.51.100.7")
        lab.connect(("10.43.0.10", 9153), 10, source="198.51.100.7")
        dump = iptviz.load(lab.save("-c").encode())
    ends = {
        port: iptviz.trace(dump, f"10.43.0.10:{port}/tcp").services[0].usual.endpoints for port in (53, 9153)
    }
    counts = {
        port: [end.counters.packets if end.counters else 0 for end in those] for port, those in ends.items()
    }
    assert counts[9153] == [10]
    assert chi_square_p(counts[53], [end.share for end in ends[53]]) > LEVEL


@pytest.mark.skipif(shutil.which("nft") is None, reason="nft is not installed")
@pytest.mark.parametrize(
    ("native", "printed"),
    [
        ("ip saddr @banned drop", "-A FORWARD -j DROP"),
        ("iifname { eth0, eth1 } drop", "-A FORWARD -j DROP"),
        ("tcp dport { 80, 443 } drop", "-A FORWARD -p tcp -j DROP"),
    ],
)
def test_a_native_rule_is_printed_cut_short_and_told(native: str, printed: str) -> None:
    with node("nft") as lab:
        lab.load(WHOLE)
        lab.run("nft", "add set ip filter banned { type ipv4_addr; }")
        lab.run("nft", f"insert rule ip filter FORWARD {native}")
        saved = lab.save()
    assert printed in saved.splitlines()
    found = {one.id: one for one in iptviz.check(iptviz.load(saved.encode())).findings}
    assert [piece.text for piece in found["native-rule-cut"].evidence] == [printed]
