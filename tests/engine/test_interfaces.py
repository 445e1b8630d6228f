"""Where all interfaces of a node are listed, there is no other: no case is about one, and none can be assumed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from iptviz.errors import PacketError
from tests.engine.test_journey import ask

if TYPE_CHECKING:
    from pathlib import Path

UNKNOWN: dict[str, Any] = {"src": None, "in_iface": None, "out_iface": None, "local_ips": ()}
LINK = "    link/ether be:bc:e0:c2:2d:b4 brd ff:ff:ff:ff:ff:ff\n"
LISTED = f"""\
1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue state UNKNOWN group default qlen 1000
    link/loopback 00:00:00:00:00:00 brd 00:00:00:00:00:00
    inet 127.0.0.1/8 scope host lo
2: eth0@if7: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc noqueue state UP group default qlen 1000
{LINK}    inet 10.1.0.1/24 scope global eth0
3: eth1: <BROADCAST,MULTICAST> mtu 1500 qdisc noop state DOWN group default qlen 1000
{LINK}"""
SOME = LISTED.replace(LINK, "")
"""As `ip -4 addr` prints it: interfaces without an address may be missing."""


@pytest.fixture
def addresses(tmp_path: Path, request: pytest.FixtureRequest) -> str:
    path = tmp_path / "addresses"
    path.write_text(getattr(request, "param", LISTED), encoding="utf-8")
    return str(path)


def verdicts(rule: str, addresses: str, **about: Any) -> set[str]:
    result = ask(f"{rule} -j DROP", **UNKNOWN | about, addresses=addresses)
    assert (len({outcome.when for outcome in result.outcomes}) == 1) == (len(result.outcomes) == 1)
    return {outcome.verdict for outcome in result.outcomes}


IN, OUT = "mangle|-A PREROUTING", "filter|-A FORWARD"


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (f"{IN} -i cali+", "ACCEPT"),
        (f"{IN} -i eth2", "ACCEPT"),
        (f"{IN} -i eth", "ACCEPT"),
        (f"{IN} ! -i cali+", "DROP"),
        (f"{IN} -i eth0", "ACCEPT DROP"),
        (f"{IN} -i eth+", "ACCEPT DROP"),
        (f"{IN} ! -i eth+", "ACCEPT DROP"),
        (f"{IN} -i lo", "ACCEPT DROP"),
        (f"{OUT} -o cali+", "ACCEPT"),
        (f"{OUT} ! -o cali+", "DROP"),
        (f"{OUT} -o eth1", "ACCEPT DROP"),
    ],
)
def test_no_case_is_about_an_interface_that_is_not_listed(rule: str, expected: str, addresses: str) -> None:
    assert verdicts(rule, addresses) == {*expected.split()}


def test_rules_that_name_all_interfaces_leave_none(addresses: str) -> None:
    rules = "\n".join(f"{IN} -i {name} -j A" for name in ("lo", "eth0", "eth1"))
    assert verdicts(f"{rules}\nmangle|-A A", addresses) == {"DROP"}


@pytest.mark.parametrize("addresses", [SOME, "10.1.0.1\n"], indirect=True)
def test_where_some_are_listed_there_may_be_others(addresses: str) -> None:
    assert verdicts(f"{IN} -i cali+", addresses) == {"ACCEPT", "DROP"}
    assert verdicts(f"{IN} -i cali+", addresses, assume=("input interface is cali+",)) == {"DROP"}


def test_an_interface_that_a_packet_is_said_to_come_in_by_is_there(addresses: str) -> None:
    assert verdicts(f"{IN} -i cali+", addresses, in_iface="cali7") == {"DROP"}
    assert verdicts(f"{OUT} -o cali+", addresses, out_iface="cali7") == {"DROP"}


@pytest.mark.parametrize(
    "text",
    [
        "input interface is cali+",
        "input interface is cali1, cali2",
        "input interface is not lo, eth+",
        "output interface is cali+",
        "output interface is not lo, eth0, eth1",
    ],
)
def test_an_interface_that_is_not_listed_is_not_assumed(text: str, addresses: str) -> None:
    with pytest.raises(PacketError, match="contradicts the packet or another"):
        verdicts(f"{IN} -i eth0", addresses, assume=(text,))


def test_one_that_is_listed_may_be_assumed(addresses: str) -> None:
    for text, verdict in (
        ("input interface is eth0", "DROP"),
        ("input interface is eth0, cali1", "DROP"),
        ("input interface is not eth0", "ACCEPT"),
        ("input interface is not cali+, eth1, lo", "DROP"),
    ):
        assert verdicts(f"{IN} -i eth0", addresses, assume=(text,)) == {verdict}
