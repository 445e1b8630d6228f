"""The kernel judges which address MASQUERADE takes: of `ip addr` and `ip route` as the router itself prints them."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

import pytest

import iptviz
from tests.kernel.frames import Sent
from tests.kernel.lab import BACKENDS
from tests.kernel.namespaces import inside
from tests.kernel.test_packets import asked
from tests.kernel.universe import in_family
from tests.kernel.wire import ROUTER, wire

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("kernel")]

RULES = "*nat\n-A POSTROUTING -o srv -j MASQUERADE\nCOMMIT\n"
# What the router gets beside 10.2.0.1/24, and whether that leaves a doubt.
CASES = {
    "its address": ((), False),
    "another one of its network": (("addr add 10.2.0.9/24 dev srv",), False),
    "one of another network": (("addr add 10.3.0.9/24 dev srv",), True),
    "one of the link alone": (("addr add 10.3.0.9/24 dev srv scope link",), False),
    "a route with a source": (("addr add 10.3.0.9/32 dev lo", "route replace default via 10.2.0.2 dev srv src 10.3.0.9"), False),
}  # fmt: skip
CASES_6 = {
    "its address": ((), False),
    "one of the link": (("addr add fe80::9/64 dev srv nodad",), False),
    "another one": (("addr add 10.3.0.9/24 dev srv nodad",), True),
    "one not to be used": (("addr add 10.3.0.9/24 dev srv nodad preferred_lft 0",), True),
}


@pytest.mark.parametrize("form", [(), ("-o",), ("-j",)])
@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("backend", BACKENDS)
def test_the_address_is_the_one_that_the_kernel_takes(
    backend: str, family: int, form: tuple[str, ...], tmp_path: Path
) -> None:
    cases = CASES if family == 4 else CASES_6
    for number, (name, (commands, doubtful)) in enumerate(cases.items()):
        with wire(backend, family) as lab:
            lab.router.load(RULES)
            for command in commands:
                lab.router.run("ip", f"-{family}", *in_family(command, family).split())
            (tmp_path / "addresses").write_text(lab.router.run("ip", *form, "addr"))
            (tmp_path / "routes").write_text(lab.router.run("ip", f"-{family}", "route"))
            source, destination = (in_family(one, family) for one in ("10.1.0.2", "10.8.0.5"))
            sent = Sent(destination, "udp", 4000 + number, 80, source=source)
            there, _ = lab.send(sent)
            about = asked(
                sent, out_iface=None, local_ips=(),
                addresses=str(tmp_path / "addresses"), routes=str(tmp_path / "routes"),
            )  # fmt: skip
            (outcome,) = iptviz.packet(iptviz.load(lab.router.save().encode()), **about).outcomes
        assert there is not None, name
        assert outcome.packet.snat == ("MASQUERADE" if doubtful else there.source), name


def test_to_its_own_address_of_ipv6_a_node_sends_from_that_itself(tmp_path: Path) -> None:
    """Whatever other addresses it has, those of the interface by which it sends too."""
    own, other = (in_family(one, 6) for one in ROUTER)
    with wire("nft", 6) as lab:
        lab.router.load("*nat\n-A POSTROUTING -o lo -j MASQUERADE\nCOMMIT\n")
        lab.router.run("ip", "-6", "addr", "add", in_family("10.3.0.9/32", 6), "dev", "lo", "nodad")
        with inside(lab.router.name), udp(own, 80) as server, udp(other, 4000) as client:
            client.sendto(b"word", (own, 80))
            seen = server.recvfrom(64)[1][0]
        told = {"addresses": "addr", "routes": "-6 route show table all"}
        for name, command in told.items():
            (tmp_path / name).write_text(lab.router.run("ip", *command.split()))
        about: dict[str, Any] = asked(
            Sent(own, "udp", 4000, 80, source=other), hook="output", in_iface=None, out_iface=None, local_ips=(),
            **{name: str(tmp_path / name) for name in told},
        )  # fmt: skip
        (outcome,) = iptviz.packet(iptviz.load(lab.router.save().encode()), **about).outcomes
    assert seen == own
    assert outcome.packet.snat == own


def udp(address: str, port: int) -> socket.socket:
    made = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    made.settimeout(2)
    made.bind((address, port))
    return made
