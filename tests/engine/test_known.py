"""What is told of a client among all is what is told where the client is known."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st

from iptviz.engine.journey import Fate, fate_of
from iptviz.engine.marks import UNKNOWN_MARK
from tests.engine.clients import Client, clients, meets_all
from tests.engine.test_journey import ask

if TYPE_CHECKING:
    from random import Random

    from iptviz.questions.packet import PacketResult

UNKNOWN: dict[str, Any] = {
    "src": None, "dst": "10.9.0.9", "in_iface": None, "mark": None, "dport": None, "local_ips": ("10.9.0.1",),
}  # fmt: skip
CLIENTS = [
    *clients(
        source=("10.0.0.1", "10.1.0.1", "10.1.2.1", "9.9.9.9"), interface=("eth0", "eth1", "lo"), mark=(0, 1, 2, 3, 5),
        port=(80, 85, 8080),
    )
]  # fmt: skip
RANDOM = "-m statistic --mode random --probability"
MATCHES = (
    "-s 10.0.0.0/8", "! -s 10.0.0.0/8", "-s 10.1.0.0/16", "-s 10.1.2.0/24", "-i eth0", "! -i eth+", "-m mark --mark 0x1/0x1",
    "-m mark --mark 0x1", "-m mark ! --mark 0x0/0x6", "-m mark --mark 0x2/0x3", "-p tcp -m tcp --dport 80",
    "-p tcp -m tcp ! --dport 80:90", "-p tcp -m multiport --dports 80,8080", "-d 10.9.0.0/16", "-d 10.8.0.8/32",
    f"{RANDOM} 0.5", f"{RANDOM} 0.25", "-m iprange --src-range 10.0.0.0-10.1.1.255",
)  # fmt: skip
MARKS = (
    "-j MARK --set-mark 0x1",
    "-j MARK --set-xmark 0x2/0x2",
    "-j MARK --xor-mark 0x1",
    "-j CONNMARK --save-mark",
)
ACTIONS = {
    "raw PREROUTING": ("-j DROP", "-j ACCEPT"),
    "mangle PREROUTING": ("-j DROP", "-j ACCEPT", "-j C", "-g C", *MARKS),
    "mangle C": ("-j RETURN", "-j QUEUE", "-j ACCEPT", *MARKS),
    "nat PREROUTING": (
        "-j DNAT --to-destination 10.8.0.8:80",
        "-p tcp -j DNAT --to-destination 10.8.0.9:81",
        "-j RETURN",
    ),
    "filter FORWARD": ("-j DROP", "-j REJECT", "-j ACCEPT", "-j QUEUE"),
    "nat POSTROUTING": ("-j MASQUERADE", "-j SNAT --to-source 10.7.0.7", "-j ACCEPT"),
}


def random_rules(random: Random) -> str:
    lines = ["mangle|:C -"]
    for where, actions in ACTIONS.items():
        table, chain = where.split()
        for _ in range(random.randint(0, 3)):
            matches = random.sample(MATCHES, random.randint(0, 2))
            lines.append(" ".join((f"{table}|-A {chain}", *matches, random.choice(actions))))
    return "\n".join(lines)


def fates(result: PacketResult, client: Client) -> dict[Fate, Fraction]:
    """What becomes of a client, with its share."""
    found: dict[Fate, Fraction] = {}
    for outcome in result.outcomes:
        if meets_all([need for need in outcome.when if need.condition.kind != "tracking"], client):
            fate = fate_of(outcome.verdict, outcome.packet)
            found[fate] = found.get(fate, Fraction(0)) + outcome.share
    return found


def marks(result: PacketResult, client: Client) -> dict[Fate, set[int]]:
    """The marks that a client has in the end, as far as anything is said of them."""
    found: dict[Fate, set[int]] = {}
    for outcome in result.outcomes:
        mark = outcome.packet.mark
        if mark != UNKNOWN_MARK and meets_all(
            [need for need in outcome.when if need.condition.kind != "tracking"], client
        ):
            assert mark.origin == UNKNOWN_MARK.origin
            fate = fate_of(outcome.verdict, outcome.packet)
            found.setdefault(fate, set()).add((client.mark & mark.keep) ^ mark.value)
    return found


@settings(max_examples=25)
@given(st.randoms(use_true_random=True))
def test_a_client_fares_among_all_as_alone(random: Random) -> None:
    rules = random_rules(random)
    among_all = ask(rules, **UNKNOWN, assume=("this node tracks connections",))
    for client in random.sample(CLIENTS, 5):
        about = {
            "src": client.source,
            "in_iface": client.interface,
            "mark": client.mark,
            "dport": client.port,
        }
        alone = ask(rules, **UNKNOWN | about, assume=("this node tracks connections",))
        assert fates(among_all, client) == fates(alone, client), (client, rules)
        assert sum(fates(alone, client).values()) == 1
        ends = marks(alone, client)
        for fate, said in marks(among_all, client).items():
            assert said == ends.get(fate, said), (client, rules)
