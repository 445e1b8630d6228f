"""The kernel judges where marked packets leave: rules of `ip rule` choose their table when they are routed."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pytest

import iptviz
from tests.kernel.frames import Sent
from tests.kernel.lab import BACKENDS
from tests.kernel.test_packets import asked, matched, predicted
from tests.kernel.wire import wire

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("kernel")]

SET_UP = ("rule add fwmark 0x40/0x40 lookup 100", "route add default via 10.1.0.2 dev cli table 100")
COUNTING = """
*mangle
-A FORWARD -o cli -p udp
-A FORWARD -o srv -p udp
-A POSTROUTING -o cli -p udp
-A POSTROUTING -o srv -p udp
COMMIT
*filter
-A OUTPUT -o cli -p udp
-A OUTPUT -o srv -p udp
-A OUTPUT -m conntrack --ctstate NEW
COMMIT
*nat
-A POSTROUTING -o cli -p udp
-A POSTROUTING -o srv -p udp
COMMIT
"""


class Case(NamedTuple):
    """Rules `table|rule`, and whether the router itself sends the packet."""

    rules: tuple[str, ...]
    sends: bool = False


MARK = "-j MARK --set-xmark 0x40/0x40"
CASES = {
    "no mark": Case(("mangle|-A PREROUTING -j MARK --set-mark 0x1",)),
    "mangle PREROUTING": Case((f"mangle|-A PREROUTING {MARK}",)),
    "nat PREROUTING": Case((f"nat|-A PREROUTING {MARK}", "nat|-A PREROUTING -p udp -j DNAT --to-destination 10.2.0.6")),
    "mangle FORWARD": Case((f"mangle|-A FORWARD {MARK}",)),
    "sent without a mark": Case((), sends=True),
    "mangle OUTPUT": Case((f"mangle|-A OUTPUT {MARK}",), sends=True),
    "nat OUTPUT": Case((f"nat|-A OUTPUT {MARK}",), sends=True),
    "nat OUTPUT with DNAT": Case((f"nat|-A OUTPUT {MARK}", "nat|-A OUTPUT -p udp -j DNAT --to-destination 10.2.0.6"), sends=True),
    "filter OUTPUT": Case((f"filter|-A OUTPUT {MARK}",), sends=True),
}  # fmt: skip


def rules_of(case: Case) -> str:
    """Return the rules, those of a case in front of those that count."""
    text = COUNTING
    for rule in reversed(case.rules):
        table, _, line = rule.partition("|")
        before = f"*{table}\n"
        text = (
            text.replace(before, f"{before}{line}\n") if before in text else f"{text}{before}{line}\nCOMMIT\n"
        )
    return text


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_packet_leaves_by_the_table_of_its_mark(backend: str, tmp_path: Path) -> None:
    troubles = []
    for number, (name, case) in enumerate(CASES.items()):
        with wire(backend) as lab:
            for command in SET_UP:
                lab.router.run("ip", *command.split())
            lab.router.load(rules_of(case))
            before = iptviz.load(lab.router.save("-c").encode())
            sent = Sent("10.2.0.5", "udp", 4000 + number, 80)
            if case.sends:
                sent = sent._replace(source="10.2.0.1")
                lab.send_out(sent)
            else:
                lab.send(sent)
            after = iptviz.load(lab.router.save("-c").encode())
            shown = lab.router.run("ip", "route", "show", "table", "all") + lab.router.run("ip", "rule")
            (tmp_path / "routes").write_text(shown)
        outcomes = iptviz.packet(
            after, **asked(sent, out_iface=None, routes=str(tmp_path / "routes"))
        ).outcomes
        counted = matched(before, after)
        if len(outcomes) != 1 or predicted(outcomes[0]) != counted:
            troubles.append(
                f"{name}: predicted {[sorted(predicted(one)) for one in outcomes]}, counted {sorted(counted)}"
            )
    assert not troubles, "\n".join(troubles)
