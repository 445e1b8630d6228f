"""The kernel judges where marked packets leave: rules of `ip rule` choose their table when they are routed."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pytest

import iptviz
from tests.kernel.frames import CLIENT, Sent
from tests.kernel.lab import BACKENDS
from tests.kernel.random_tables import in_other_family
from tests.kernel.test_delivery import SETTINGS, by_a_program
from tests.kernel.test_packets import asked, matched, predicted
from tests.kernel.wire import wire

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from iptviz.engine.outcome import Outcome
    from tests.kernel.test_packets import Rules
    from tests.kernel.wire import Wire

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


def disagreements(name: str, outcomes: Sequence[Outcome], counted: Rules) -> list[str]:
    """Return what disagrees between the one outcome that there must be and the rules that counted."""
    if len(outcomes) == 1 and predicted(outcomes[0]) == counted:
        return []
    return [f"{name}: predicted {[sorted(predicted(one)) for one in outcomes]}, counted {sorted(counted)}"]


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
        troubles += disagreements(name, outcomes, matched(before, after))
    assert not troubles, "\n".join(troubles)


# Rules of which each may send packets to table 100, by cli; the others leave by the main table, by srv.
SELECTING = (
    "from {client} lookup 100", "from {other} lookup 100", "not from {other} lookup 100", "to {far} lookup 100",
    "to {other} lookup 100", "iif cli lookup 100", "iif srv lookup 100", "iif lo lookup 100", "oif cli lookup 100",
    "not oif cli lookup 100", "tos 0x10 lookup 100", "tos 0x08 lookup 100", "tos 0x04 lookup 100",
    "fwmark 0x9/0x9 lookup 100", "fwmark 0x2/0x3 lookup 100", "not fwmark 0x9 lookup 100", "ipproto udp lookup 100",
    "ipproto tcp lookup 100", "ipproto udp sport 4000-4999 lookup 100", "ipproto udp sport 5000-5999 lookup 100",
    "ipproto udp dport 80 lookup 100", "dport 81 lookup 100", "uidrange 0-0 lookup 100", "uidrange 1-9 lookup 100",
    "to {far} iif cli fwmark 0x9 lookup 100", "to {far} iif cli fwmark 0x8 lookup 100", "goto 600", "goto 700",
    "lookup 100 suppress_prefixlength 0", "lookup 100 suppress_prefixlength 16", "lookup 100 suppress_prefixlength 24",
    "unreachable", "from {other} prohibit", "to {far} blackhole", "iif lo unreachable", "fwmark 0x9 prohibit", "not fwmark 0x9 unreachable", "lookup 200",
    "fwmark 0x9 lookup 300", "fwmark 0x8 lookup 300",
)  # fmt: skip
NAMES = {
    4: {"client": "10.1.0.0/24", "other": "10.9.0.0/24", "far": "10.2.0.0/16"},
    6: {"client": "fd10:1::/112", "other": "fd10:9::/112", "far": "fd10:2::/64"},
}
"""Networks by which rules select, and the family's words for them."""
OF_TABLES = {
    4: ("10.2.0.0/24 via 10.1.0.2 dev cli table 100", "throw 10.2.0.0/24 table 200", "local default dev lo table 300"),
    6: ("fd10:2::/112 via fd10:1::2 dev cli table 100", "throw fd10:2::/112 table 200", "local default dev lo table 300"),
}  # fmt: skip
BEHIND = ("lookup 100 priority 600", "lookup main priority 550")


MARKING = COUNTING.replace(
    "*mangle\n",
    """*mangle
-A PREROUTING -p udp -j MARK --set-mark 0x9
-A OUTPUT -p udp -m udp ! --dport 82 -j MARK --set-mark 0x9
-A INPUT -i lo -p udp
-A INPUT -p udp -m addrtype ! --dst-type LOCAL
-A POSTROUTING -o lo -p udp
""",
)
UNTOLD = {"oif cli lookup 100", "not oif cli lookup 100"}
"""To what a sender is bound no question about a packet tells; what arrives is bound to nothing."""


@pytest.mark.parametrize(("backend", "family"), [("nft", 4), ("legacy", 6)])
def test_each_way_to_select_does_what_the_kernel_does(backend: str, family: int, tmp_path: Path) -> None:
    troubles = []
    with wire(backend, family) as lab:
        lab.router.load(MARKING)
        for command in (
            *(f"route add {one}" for one in OF_TABLES[family]),
            *(f"rule add {one}" for one in BEHIND),
        ):
            lab.router.run("ip", f"-{family}", *command.split())
        before = iptviz.load(lab.router.save("-c").encode())
        for number, rule in enumerate(SELECTING if family == 4 else SELECTING[::2]):
            selecting = rule.format(**NAMES[family])
            lab.router.run("ip", f"-{family}", "rule", "add", *selecting.split(), "priority", "500")
            (tmp_path / "routes").write_text(shown(lab))
            (tmp_path / "sysctl").write_text(SETTINGS.format(0))
            for sent, mark in packets(family, 4000 + number, rule):
                lab.send(sent) if mark is None else by_a_program(lab, sent, mark)
                after = iptviz.load(lab.router.save("-c").encode())
                question = asked(
                    sent,
                    out_iface=None,
                    mark=mark or 0,
                    **{name: str(tmp_path / name) for name in ("routes", "sysctl")},
                )
                outcomes = iptviz.packet(after, **question).outcomes
                if mark is None or rule not in UNTOLD:
                    name = f"{selecting}, {'arriving' if mark is None else f'sent with mark {mark} to {sent.dport}'}"
                    troubles += disagreements(name, outcomes, matched(before, after))
                before = after
            lab.router.run("ip", f"-{family}", "rule", "del", "priority", "500")
    assert not troubles, "\n".join(troubles)


class Sending(NamedTuple):
    """A packet, with which mark a program of the router sends it; None: it arrives."""

    sent: Sent
    mark: int | None


def packets(family: int, port: int, rule: str) -> Iterator[Sending]:
    """Yield a packet that arrives, and what the router sends: mangle marks what does not go to port 82."""
    for mark, dport in ((None, 80), (0, 80), *([(8, 82)] if "fwmark" in rule else [])):
        source = CLIENT if mark is None else "10.2.0.1"
        sent = Sent(
            "10.2.0.5", "udp", port + 100 * (dport - 80) + (mark or 0) * 10, dport, tos=0x10, source=source
        )
        yield Sending(sent if family == 4 else in_other_family(sent), mark)


def shown(lab: Wire) -> str:
    """What is handed in: all routes, and the rules."""
    of = ("ip", f"-{lab.router.family}")
    return lab.router.run(*of, "route", "show", "table", "all") + lab.router.run(*of, "rule")
