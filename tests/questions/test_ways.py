"""Whose connections a trace follows, what it takes for granted, and what settles its conditions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

import iptviz
from iptviz.cli.app import app
from iptviz.errors import PacketError
from tests.conftest import FIXTURES

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

DOCKER = str(FIXTURES / "ways" / "reported" / "22-docker-forward-drop.rules")
DEPENDS = "input interface is docker0"
ADDRESSES = """1: lo    inet 127.0.0.1/8 scope host lo
2: eth0    inet 192.0.2.10/24 brd 192.0.2.255 scope global eth0
3: cni0    inet 10.244.1.1/24 brd 10.244.1.255 scope global cni0
"""


def entries(**asked: Any) -> list[tuple[str, tuple[str, ...], str]]:
    """Return for each entry its clients, its conditions, and what becomes of the first endpoint's connections."""
    paths, _ = iptviz.trace(iptviz.load(DOCKER), "shop/web", **asked).paths
    return [
        (" ".join(entry.clients), tuple(one.text for one in entry.when), entry.endpoints[0].outcome)
        for entry in paths.entries
    ]


def assumed(**asked: Any) -> Iterable[str]:
    return [one.text for one in iptviz.trace(iptviz.load(DOCKER), "shop/web", **asked).paths[0].assumed]


def test_all_kinds_of_clients_are_followed_and_one_alone_where_it_is_asked_for() -> None:
    found = entries()
    assert {clients for clients, *_ in found} == {"outside", "pod", "node"}
    for client in ("outside", "pod", "node"):
        assert entries(client=client) == [one for one in found if one[0] == client]


def test_an_address_is_a_client_of_its_own() -> None:
    assert {clients for clients, *_ in entries(client="10.244.1.9")} == {"10.244.1.9"}
    (paths, _) = iptviz.trace(iptviz.load(DOCKER), "shop/web", client="10.244.1.5").paths
    own, *others = paths.entries[0].endpoints
    assert (own.address, own.snat) == ("10.244.1.5", "MASQUERADE")
    assert {row.snat for row in others} == {None}


@pytest.mark.parametrize(
    ("client", "said"),
    [
        ("nowhere", 'invalid client "nowhere"'),
        ("10.0.0.0/8", 'invalid client "10.0.0.0/8"'),
        ("fd00::1", "is IPv6, the dump is ipv4"),
    ],
)
def test_no_other_client_is_there(client: str, said: str) -> None:
    with pytest.raises(PacketError, match=said.replace("(", r"\(").replace(")", r"\)")):
        entries(client=client)


def test_what_is_assumed_settles_a_condition() -> None:
    assert ("pod", (DEPENDS,), "ACCEPT") in entries()
    assert entries(client="pod", assume=[DEPENDS]) == [("pod", (), "ACCEPT")]
    assert entries(client="pod", assume=[f"not {DEPENDS}"]) == [("pod", (), "DROP")]


def test_what_is_taken_for_granted_can_be_said_otherwise() -> None:
    assert "mark is 0x0" in assumed()
    marked = "mark is 0x4000/0x4000"
    assert "mark is 0x0" not in assumed(assume=[marked])
    assert entries(client="pod", assume=[marked]) == [
        ("pod", (), "ACCEPT")
    ]  # KUBE-FORWARD accepts what is marked


def test_a_client_of_whom_it_cannot_be_so_is_left_out() -> None:
    assert {clients for clients, *_ in entries(assume=["source in 10.244.1.9"])} == {"pod", "node"}
    with pytest.raises(PacketError, match="contradicts the packet or another"):
        entries(client="outside", assume=["source in 10.244.1.9"])


@pytest.mark.parametrize("state", ["ESTABLISHED", "NEW,RELATED"])
def test_connections_that_nat_may_have_rewritten_before_are_refused(state: str) -> None:
    with pytest.raises(PacketError, match="trace follows new connections"):
        entries(assume=[f"connection state is {state}"])


def test_the_nodes_addresses_tell_which_endpoints_are_its_own(tmp_path: Path) -> None:
    file = tmp_path / "addresses"
    file.write_text(ADDRESSES)
    dump = iptviz.load(DOCKER)

    def asked(**beside: Any) -> set[str]:
        (paths,) = iptviz.trace(dump, "default/kubernetes", client="pod", **beside).paths
        return {one.condition.kind for entry in paths.entries for row in entry.endpoints for one in row.when}

    assert "endpoint-local" in asked()
    assert "endpoint-local" not in asked(addresses=str(file))


def test_settings_of_the_kernel_settle_conditions(tmp_path: Path) -> None:
    file = tmp_path / "sysctl"
    file.write_text("net.ipv4.conf.all.route_localnet = 1\n")

    def settings(**beside: Any) -> set[str]:
        paths, *_ = iptviz.trace(iptviz.load(DOCKER), ":32745", client="node", **beside).paths
        whens = (one for entry in paths.entries for one in entry.when)
        return {one.text for one in whens if one.condition.kind == "sysctl"}

    assert "net.ipv4.conf.all.route_localnet is not 1" in settings()
    assert settings(sysctl=str(file)) == set()


def test_the_command_line_takes_all_of_it(tmp_path: Path) -> None:
    (tmp_path / "addresses").write_text(ADDRESSES)
    arguments = ["trace", "shop/web", DOCKER, "--from", "pod", "--assume", f"not {DEPENDS}"]
    done = CliRunner().invoke(app, [*arguments, "--addresses", str(tmp_path / "addresses")])
    assert done.exit_code == 0
    assert "NOT REACHED  cluster IP from pod: DROP by the policy of filter FORWARD" in done.stdout
    assert "outside" not in done.stdout
    failing = CliRunner().invoke(app, ["services", DOCKER, "--addresses", str(tmp_path / "addresses")])
    assert "depends: pod" in failing.stdout


@pytest.mark.parametrize(
    ("name", "noted"),
    [
        ("w-no-kube-postrouting-jump", True),
        ("w-no-masq-rule", True),
        ("w-mark-masq-foreign-clears", True),
        ("w-post-masq-all", False),
        ("w-filter-rejects-same-address", False),
    ],
)
def test_a_mark_that_nothing_masquerades_is_noted(name: str, noted: bool) -> None:
    dump = iptviz.load(FIXTURES / "ways" / "exact" / f"{name}.rules")
    notes = [note.id for note in iptviz.trace(dump, "10.97.13.198").notes]
    assert ("mark-not-masqueraded" in notes) is noted
