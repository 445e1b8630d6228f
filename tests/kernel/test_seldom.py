"""The kernel judges what is seldom asked: links of what the node sends to itself, counters with a quota."""

from __future__ import annotations

import pytest

import iptviz
from tests.engine.test_interpreter import dump_of
from tests.kernel.frames import Sent
from tests.kernel.lab import BACKENDS
from tests.kernel.netlink import make_counter
from tests.kernel.random_tables import in_other_family
from tests.kernel.rare_frames import FOR_DESTINATION, Rare
from tests.kernel.test_packets import asked, matched
from tests.kernel.test_truths import send
from tests.kernel.universe import in_family
from tests.kernel.wire import wire

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("kernel")]

# What comes in by lo has no address of a link and no bridge port; what the node sends neither.
BY_LO = """filter|-A OUTPUT -m physdev --physdev-is-in -j DROP;filter|-A OUTPUT -m physdev --physdev-is-bridged -j DROP;
filter|-A OUTPUT -m physdev ! --physdev-is-in;filter|-A INPUT -i lo -m mac --mac-source 02:00:00:00:00:09 -j DROP;
filter|-A INPUT -i lo -m mac ! --mac-source 02:00:00:00:00:09 -j DROP;filter|-A INPUT -m physdev --physdev-in eth0 -j DROP;
filter|-A INPUT -m physdev ! --physdev-in eth0 -j DROP""".replace("\n", "")


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("backend", BACKENDS)
def test_what_comes_in_by_lo_has_no_link(backend: str, family: int) -> None:
    sent = Sent("10.1.0.1", "udp", 3000, 9, source="10.2.0.1")
    sent = in_other_family(sent) if family == 6 else sent
    with wire(backend, family) as lab:
        lab.router.load(in_family(dump_of(BY_LO), family))
        before = iptviz.load(lab.router.save("-c").encode())
        lab.send_out(sent)
        counts = matched(before, iptviz.load(lab.router.save("-c").encode()))
    assert counts == {("filter", "OUTPUT", 3): 1, ("filter", "INPUT", 4): 1}
    (outcome,) = iptviz.packet(before, **asked(sent, out_iface=None)).outcomes
    assert (outcome.verdict, outcome.by and outcome.by.number) == ("DROP", 4)


COUNTED = "filter|-A FORWARD -m nfacct --nfacct-name {} -j DROP"


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_counter_with_a_quota_matches_once_it_is_used_up(backend: str) -> None:
    sents = [Sent("10.2.0.2", "udp", 3000 + number, 9) for number in range(4)]
    with wire(backend) as lab:
        make_counter(lab.router.name, "some", quota=2)
        make_counter(lab.router.name, "ct_state_invalid_dropped_pkts")
        lab.router.load(dump_of(COUNTED.format("some")))
        assert [lab.send(sent)[0] is None for sent in sents] == [False, False, True, True]
        told = iptviz.packet(iptviz.load(lab.router.save().encode()), **asked(sents[0])).outcomes
        lab.router.load(dump_of(COUNTED.format("ct_state_invalid_dropped_pkts")))
        assert lab.send(sents[0]._replace(sport=3100))[0] is None
        (known,) = iptviz.packet(iptviz.load(lab.router.save().encode()), **asked(sents[0])).outcomes
    assert {outcome.verdict for outcome in told} == {"ACCEPT", "DROP"}
    assert told[0].when[0].text == "packet matches -m nfacct --nfacct-name some"
    assert known.verdict == "DROP"


BEHIND = "filter|-A FORWARD -p 60 -j DROP;filter|-A FORWARD ! -p 60;filter|-A FORWARD -p udp"


@pytest.mark.parametrize("backend", BACKENDS)
def test_protocols_of_ipv6_are_those_behind_extension_headers(backend: str) -> None:
    sent = Rare(6, "fd10:1::2", "fd10:2::2", "udp", 3000, 80, extensions=(FOR_DESTINATION,))
    with wire(backend, 6) as lab:
        lab.router.load(dump_of(BEHIND))
        before = iptviz.load(lab.router.save("-c").encode())
        send(lab, sent)
        counts = matched(before, iptviz.load(lab.router.save("-c").encode()))
    assert counts == {("filter", "FORWARD", 2): 1, ("filter", "FORWARD", 3): 1}
    for question in (sent.asked(), {"dst": sent.destination}):
        (outcome,) = iptviz.packet(before, **question, local_ips=("fd10:1::1",), out_iface="srv").outcomes
        assert outcome.verdict == "ACCEPT"
