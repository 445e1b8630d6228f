"""The kernel judges packets of connections that exist: what nat makes of them, and which rules see them how.

Each story makes a connection, then sends the packet in question. The answer is asked three times: with what is known
here of the connection, with the kernel's own list of connections, and with nothing: then one case is what happened.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

import iptviz
from iptviz.xtables.address import parse_network
from tests.engine.test_interpreter import dump_of
from tests.kernel.frames import Sent, packet
from tests.kernel.lab import BACKENDS, NOTHING
from tests.kernel.test_packets import asked, matched, predicted
from tests.kernel.universe import in_family
from tests.kernel.wire import ROUTER, wire

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from iptviz.engine.outcome import Outcome
    from tests.kernel.frames import Seen
    from tests.kernel.wire import Wire

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("kernel")]

CLIENT, SERVICE, POD, OTHER, FAR = "10.1.0.2", "10.3.0.1", "10.2.0.2", "10.2.0.3", "10.2.0.9"
NEAR_SIDE, FAR_SIDE = ROUTER
ROUTES = "default via 10.2.0.2 dev srv\n10.1.0.0/24 dev cli\n10.2.0.0/24 dev srv\n"

# What other rules see of the packets, at each place where they may look.
SEEING = ";".join((
    *(f"{table}|-A {chain} -d {host}/32" for table, chain in (("mangle", "PREROUTING"), ("mangle", "POSTROUTING"), ("filter", "FORWARD"),
      ("filter", "INPUT"), ("filter", "OUTPUT")) for host in (CLIENT, SERVICE, POD, OTHER, NEAR_SIDE, FAR_SIDE)),
    *(f"{table}|-A {chain} -s {host}/32" for table, chain in (("mangle", "PREROUTING"), ("filter", "FORWARD"), ("mangle", "POSTROUTING"))
      for host in (CLIENT, SERVICE, POD)),
    *(f"filter|-A {chain} -m conntrack {words}" for chain in ("FORWARD", "INPUT", "OUTPUT") for words in (
        "--ctstate DNAT", "--ctstate SNAT", "--ctstate ESTABLISHED", "--ctstate RELATED", "--ctstatus SEEN_REPLY")),
    f"filter|-A FORWARD -o cli;filter|-A FORWARD -o srv;filter|-A FORWARD -m conntrack --ctorigdst {SERVICE}",
))  # fmt: skip

DNAT = f"nat|-A PREROUTING -d {SERVICE}/32 -p udp -j DNAT --to-destination {POD}:8080"
SPREAD = f"nat|-A PREROUTING -d {SERVICE}/32 -p udp -m statistic --mode random --probability 0 -j DNAT --to-destination {OTHER}:9090;{DNAT}"
DNAT_SENT = f"nat|-A OUTPUT -d {SERVICE}/32 -p udp -j DNAT --to-destination {POD}:8080"
REDIRECT = "nat|-A PREROUTING -p udp -m udp --dport 80 -j REDIRECT --to-ports 8080"
MASQUERADE = "nat|-A POSTROUTING -o srv -j MASQUERADE"
SNAT = f"nat|-A POSTROUTING -s {CLIENT}/32 -j SNAT --to-source {FAR}"


def udp(source: str, sport: int, destination: str, dport: int) -> Sent:
    return Sent(destination, "udp", sport, dport, source=source)


class Story(NamedTuple):
    """Rules, the packets that make the connection, and the one that is asked about, with what nat made of it.

    The router sends what comes from its addresses; what comes from the client's side is in `10.1.0.0/24`.
    """

    rules: str
    before: tuple[Sent, ...]
    then: Sent
    assume: tuple[str, ...]
    state: str = "ESTABLISHED"
    error: Sent | None = None
    answered: bool = False


_SERVED = udp(CLIENT, 4000, SERVICE, 80)
_ANSWER = udp(POD, 8080, CLIENT, 4000)
_TO_POD = udp(CLIENT, 4000, POD, 80)
_OWN = udp(NEAR_SIDE, 4000, SERVICE, 80)
_DNATED, _MASKED = f"the connection was DNATed to {POD}:8080", f"the connection was SNATed to {FAR_SIDE}"
_SEEN = "packet matches -m conntrack --ctstatus SEEN_REPLY"
_UNANSWERED = _SEEN.replace("matches", "does not match")
UNREACHABLE, EXPIRED = (3, 3), (11, 0)

STORIES = {
    "DNAT: another packet": Story(DNAT, (_SERVED, _ANSWER), _SERVED, (_DNATED,)),
    "DNAT: a reply": Story(DNAT, (_SERVED,), _ANSWER, (_DNATED,)),
    "DNAT by chance: another packet": Story(SPREAD, (_SERVED, _ANSWER), _SERVED, (_DNATED,)),
    "MASQUERADE: another packet": Story(
        MASQUERADE, (_TO_POD, udp(POD, 80, FAR_SIDE, 4000)), _TO_POD, ("the connection was masqueraded",)),
    "MASQUERADE: a reply": Story(
        MASQUERADE, (_TO_POD,), udp(POD, 80, FAR_SIDE, 4000),
        (_MASKED, f"destination in {CLIENT}/32 (as line {{}} left it)")),
    "MASQUERADE: a reply to this node": Story(
        MASQUERADE, (udp(NEAR_SIDE, 4000, POD, 80),), udp(POD, 80, FAR_SIDE, 4000),
        (_MASKED, f"destination in {NEAR_SIDE}/32 (as line {{}} left it)")),
    "DNAT and MASQUERADE: a reply": Story(
        f"{DNAT};{MASQUERADE}", (_SERVED,), udp(POD, 8080, FAR_SIDE, 4000),
        (_DNATED, _MASKED, f"destination in {CLIENT}/32 (as line {{}} left it)")),
    "DNAT and MASQUERADE: another packet": Story(
        f"{DNAT};{MASQUERADE}", (_SERVED, udp(POD, 8080, FAR_SIDE, 4000)), _SERVED, (_DNATED,)),
    "SNAT: another packet": Story(
        SNAT, (_TO_POD, udp(POD, 80, FAR, 4000)), _TO_POD, (f"the connection was SNATed to {FAR}",)),
    "SNAT: a reply": Story(
        SNAT, (_TO_POD,), udp(POD, 80, FAR, 4000),
        (f"the connection was SNATed to {FAR}", f"destination in {CLIENT}/32 (as line {{}} left it)")),
    "REDIRECT: another packet": Story(
        REDIRECT, (_TO_POD, udp(NEAR_SIDE, 8080, CLIENT, 4000)), _TO_POD, ("the connection was DNATed to this node:8080", f"destination in {NEAR_SIDE}/32 (as line {{}} left it)")),
    "REDIRECT: a reply": Story(
        REDIRECT, (_TO_POD,), udp(NEAR_SIDE, 8080, CLIENT, 4000), (f"the connection was DNATed to {NEAR_SIDE}:8080",)),
    "DNAT of this node's: another packet": Story(
        DNAT_SENT, (_OWN, udp(POD, 8080, NEAR_SIDE, 4000)), _OWN, (_DNATED,)),
    "DNAT of this node's: a reply": Story(
        DNAT_SENT, (_OWN,), udp(POD, 8080, NEAR_SIDE, 4000), (_DNATED,)),
    "nothing rewritten": Story(
        DNAT, (_TO_POD, udp(POD, 80, CLIENT, 4000)), _TO_POD, ("nat has not rewritten the connection",)),
    "nothing rewritten: a reply": Story(
        f"{DNAT};{MASQUERADE.replace('srv', 'cli')}", (_TO_POD,), udp(POD, 80, CLIENT, 4000),
        ("nat has not rewritten the connection",)),
    "DNAT: another packet before any answer": Story(DNAT, (_SERVED,), _SERVED, (), "NEW"),
    "DNAT to another port of the same host": Story(
        f"nat|-A PREROUTING -d {POD}/32 -p udp -j DNAT --to-destination {POD}:8080", (_TO_POD, _ANSWER), _TO_POD, (_DNATED,)),
    "DNAT of a range": Story(
        f"nat|-A PREROUTING -d {SERVICE}/32 -p udp -j DNAT --to-destination {POD}-{POD}:8080-8080", (_SERVED,), _ANSWER, (_DNATED,)),
    "NETMAP: another packet": Story(
        "nat|-A PREROUTING -d 10.3.0.0/24 -j NETMAP --to 10.2.0.0/24", (udp(CLIENT, 4000, "10.3.0.3", 80), udp(OTHER, 80, CLIENT, 4000)),
        udp(CLIENT, 4000, "10.3.0.3", 80), (f"the connection was DNATed to {OTHER}:80",)),
    "NETMAP: a reply": Story(
        "nat|-A PREROUTING -d 10.3.0.0/24 -j NETMAP --to 10.2.0.0/24", (udp(CLIENT, 4000, "10.3.0.3", 80),),
        udp(OTHER, 80, CLIENT, 4000), (f"the connection was DNATed to {OTHER}:80",)),
    "TCP: an acknowledgement": Story(
        f"{DNAT.replace('udp', 'tcp')};{MASQUERADE}",
        (Sent(SERVICE, "tcp", 4000, 80), Sent(FAR_SIDE, "tcp", 8080, 4000, "SYN,ACK", source=POD, seq=(1, 2))),
        Sent(SERVICE, "tcp", 4000, 80, "ACK", seq=(2, 2)), (_DNATED,)),
    "not tracked": Story(f"{DNAT};raw|-A PREROUTING -p udp -j NOTRACK", (_SERVED,), _SERVED, ("nat has not rewritten the connection",)),
    "DNAT of this node's to itself: another packet": Story(
        f"nat|-A OUTPUT -d {SERVICE}/32 -p udp -j DNAT --to-destination {FAR_SIDE}:8080",
        (_OWN, udp(FAR_SIDE, 8080, NEAR_SIDE, 4000)), _OWN, (f"the connection was DNATed to {FAR_SIDE}:8080",)),
    "DNAT of this node's to itself: a reply": Story(
        f"nat|-A OUTPUT -d {SERVICE}/32 -p udp -j DNAT --to-destination {FAR_SIDE}:8080",
        (_OWN,), udp(FAR_SIDE, 8080, NEAR_SIDE, 4000), (f"the connection was DNATed to {FAR_SIDE}:8080",)),
    "DNAT: an error of the endpoint's": Story(
        DNAT, (_SERVED,), Sent(CLIENT, "icmp", 0, 0, icmp=UNREACHABLE, source=POD),
        (f"the connection was DNATed to {POD}", _UNANSWERED),
        "RELATED", udp(CLIENT, 4000, POD, 8080)),
    "MASQUERADE: an error of a router's": Story(
        MASQUERADE, (_TO_POD,), Sent(FAR_SIDE, "icmp", 0, 0, icmp=EXPIRED, source=OTHER),
        (_MASKED, f"destination in {CLIENT}/32 (as line {{}} left it)", _UNANSWERED), "RELATED", udp(FAR_SIDE, 4000, POD, 80)),
    "DNAT: an error of the client's": Story(
        DNAT, (_SERVED, _ANSWER), Sent(SERVICE, "icmp", 0, 0, icmp=UNREACHABLE, source=CLIENT),
        (f"the connection was DNATed to {POD}", _SEEN), "RELATED", udp(SERVICE, 80, CLIENT, 4000)),
}  # fmt: skip


def place(lab: Wire, sent: Sent) -> tuple[Seen | None, Seen | None]:
    """Send a packet from where it comes."""
    side = sent.source.replace("fd10:", "10.").replace("::", ":").replace(":", ".")
    if sent.source in {in_family(one, sent.family) for one in ROUTER}:
        return lab.send_out(sent)
    return lab.send(sent) if side.startswith("10.1.") else lab.send_back(sent)


def told(sent: Sent, family: int) -> Sent:
    """The packet in a family; the errors of ICMPv6 have other types."""
    kinds = {UNREACHABLE: (1, 4), EXPIRED: (3, 0)} if family == 6 else {}
    return sent._replace(
        source=in_family(sent.source, family),
        destination=in_family(sent.destination, family),
        icmp=kinds.get(sent.icmp, sent.icmp),
    )


def fits(outcome: Outcome, sent: Sent, seen: Seen | None) -> bool:
    """Whether what came out, if anything did, is what the outcome says, as far as that is known."""
    if outcome.verdict != "ACCEPT" or outcome.route == "INPUT":
        return seen is None
    if seen is None:
        return False
    end = outcome.packet
    pairs = [(end.source_port, seen.sport), (end.destination_port, seen.dport)]
    hosts = [(end.source, seen.source), (end.destination, seen.destination)]
    return all(known in {None, own} for known, own in pairs if sent.protocol != "icmp") and all(
        known is None or known == parse_network(own) for known, own in hosts
    )


def as_asked(sent: Sent, **more: object) -> dict[str, Any]:
    """The packet in the words of the question, with the interface by which it comes."""
    question = asked(sent, out_iface=None, **more)
    if question["hook"] == "prerouting":
        near = sent.source.startswith(("10.1.", "fd10:1:"))
        question |= {"in_iface": "cli" if near else "srv", "mac": None}
    return question


def one_trouble(outcomes: Sequence[Outcome], sent: Sent, counts: object, seen: Seen | None) -> str:
    """What disagrees between the outcome that there must be and the kernel."""
    if len(outcomes) != 1:
        return f"{len(outcomes)} outcomes: {[(one.verdict, one.route, [w.text for w in one.when]) for one in outcomes]}"
    (outcome,) = outcomes
    if predicted(outcome) == counts and fits(outcome, sent, seen):
        return ""
    return f"predicted {outcome.verdict} {outcome.route} {outcome.packet.dnat} {outcome.packet.snat} {sorted(predicted(outcome))}"


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("backend", BACKENDS)
def test_what_nat_made_of_a_connection_it_makes_of_each_packet(
    backend: str, family: int, tmp_path: Path
) -> None:
    routes, listed = tmp_path / "routes", tmp_path / "connections"
    routes.write_text(in_family(ROUTES, family))
    troubles = []
    with wire(backend, family) as lab:
        for number, (name, story) in enumerate(STORIES.items()):
            rules = in_family(f"{story.rules};{SEEING};raw|-A OUTPUT -p icmp -j DROP", family)
            lab.router.load(NOTHING + dump_of(rules))
            lab.router.run("conntrack", "-F")
            for sent in story.before:
                place(lab, told(sent, family))
            sent = told(story.then, family)
            if story.error is not None:
                sent = sent._replace(carried=packet(told(story.error, family)))
            listed.write_text(
                lab.router.run("conntrack", "-L", "-f", f"ipv{family}", *(["-o", "extended"] * (number % 2)))
            )
            before = iptviz.load(lab.router.save("-c").encode())
            there, back = place(lab, sent)
            after = iptviz.load(lab.router.save("-c").encode())
            counts, seen = matched(before, after), there or back
            del counts["raw", "OUTPUT", 1]  # what the router itself answers
            line = list(after.tables["nat"].rules())[-1].line
            question = as_asked(sent, routes=str(routes), ctstate=story.state)
            assume = tuple(in_family(one, family).format(line) for one in story.assume)
            answers = {"listed": iptviz.packet(after, **question, conntrack=str(listed)).outcomes}
            if story.state != "NEW":
                answers["assumed"] = iptviz.packet(after, **question, assume=assume).outcomes
            if story.state == "ESTABLISHED":
                answers["found"] = iptviz.packet(
                    after, **question | {"ctstate": "NEW"}, conntrack=str(listed)
                ).outcomes
            for how, outcomes in answers.items():
                trouble = one_trouble(outcomes, sent, counts, seen)
                troubles += (
                    [f"{name}, {how}: {trouble}\n   the kernel {seen} {sorted(counts)}"] if trouble else []
                )
            open_ = iptviz.packet(after, **question).outcomes
            if not any(fits(one, sent, seen) for one in open_):
                troubles.append(
                    f"{name}: in none of {len(open_)} cases\n   the kernel {seen} {sorted(counts)}"
                )
    assert not troubles, "\n".join(troubles)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_syn_begins_another_connection_where_one_is_over(backend: str, tmp_path: Path) -> None:
    there = Sent(SERVICE, "tcp", 4000, 80)
    back = Sent(CLIENT, "tcp", 8080, 4000, source=POD)
    listed = tmp_path / "connections"
    with wire(backend) as lab:
        lab.router.load(dump_of(f"{DNAT.replace('udp', 'tcp')};filter|-A FORWARD -m conntrack --ctstate NEW"))
        for sent, flags, seq in (
            (there, "SYN", (1, 0)), (back, "SYN,ACK", (1, 2)), (there, "ACK", (2, 2)),
            (there, "FIN,ACK", (2, 2)), (back, "FIN,ACK", (2, 3)), (there, "ACK", (3, 3)),
        ):  # fmt: skip
            place(lab, sent._replace(flags=flags, seq=seq))
        listed.write_text(lab.router.run("conntrack", "-L"))
        before = iptviz.load(lab.router.save("-c").encode())
        sent = there._replace(seq=(100, 0))
        seen, _ = lab.send(sent)
        after = iptviz.load(lab.router.save("-c").encode())
    counts = matched(before, after)
    assert counts["nat", "PREROUTING", 1] == counts["filter", "FORWARD", 1] == 1
    outcomes = iptviz.packet(after, **as_asked(sent), conntrack=str(listed)).outcomes
    assert not one_trouble(outcomes, sent, counts, seen)


# --- connections that a helper expected -------------------------------------------------------------------------

HELPER = "raw|-A PREROUTING -p tcp -m tcp --dport 21 -j CT --helper ftp"
EXPECTED_NAT = (
    f"nat|-A PREROUTING -i srv -p tcp -m tcp --sport 20 -j DNAT --to-destination {CLIENT}:6001;"
    f"nat|-A POSTROUTING -o cli -p tcp -m tcp --sport 20 -j SNAT --to-source {NEAR_SIDE}"
)
SEEING_RELATED = (
    "mangle|-A PREROUTING -i srv -m conntrack --ctstate RELATED;mangle|-A FORWARD -m conntrack --ctstatus EXPECTED;"
    "filter|-A FORWARD -m conntrack --ctdir ORIGINAL;filter|-A FORWARD -p tcp -m conntrack --ctorigdstport 5001;"
    "filter|-A FORWARD -m conntrack --ctstate DNAT;filter|-A FORWARD -m conntrack --ctstate NEW;"
    f"filter|-A FORWARD -d {CLIENT}/32 -p tcp -m tcp --dport 6001;filter|-A FORWARD -d {CLIENT}/32 -p tcp -m tcp --dport 5001;"
    f"mangle|-A POSTROUTING -s {POD}/32 -p tcp"
)


def talk_ftp(lab: Wire, family: int, server: str) -> None:
    """Open a control connection to a server, which is `POD` for itself, and tell it to connect to port 5001."""
    client = in_family(CLIENT, family)
    command = "PORT 10,1,0,2,19,137\r\n" if family == 4 else f"EPRT |2|{client}|5001|\r\n"
    there = Sent(in_family(server, family), "tcp", 4100, 21, source=client)
    back = Sent(client, "tcp", 21, 4100, "SYN,ACK", source=in_family(POD, family), seq=(1, 2))
    lab.send(there)
    lab.send_back(back)
    for seq, said in ((2, b""), (2, b"USER me\r\n"), (11, command.encode())):
        lab.send(there._replace(flags="ACK", seq=(seq, 2), carried=said))


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("backend", BACKENDS)
def test_nat_is_asked_about_the_first_packet_of_an_expected_connection(backend: str, family: int) -> None:
    with wire(backend, family) as lab:
        lab.router.load(dump_of(in_family(f"{HELPER};{EXPECTED_NAT};{SEEING_RELATED}", family)))
        talk_ftp(lab, family, POD)
        sent = told(Sent(CLIENT, "tcp", 20, 5001, source=POD), family)
        before = iptviz.load(lab.router.save("-c").encode())
        there, back = lab.send_back(sent)
        after = iptviz.load(lab.router.save("-c").encode())
    counts, seen = matched(before, after), there or back
    assert counts["nat", "PREROUTING", 1] == counts["nat", "POSTROUTING", 1] == 1
    assert seen is not None
    assert (seen.source, seen.dport) == (in_family(NEAR_SIDE, family), 6001)
    question = as_asked(sent, ctstate="RELATED") | {"out_iface": "cli"}
    trouble = one_trouble(iptviz.packet(after, **question).outcomes, sent, counts, seen)
    assert not trouble, f"{trouble}\n   the kernel {seen} {sorted(counts)}"


@pytest.mark.parametrize("backend", BACKENDS)
def test_what_a_helper_chose_is_told_under_a_condition(backend: str) -> None:
    served = f"nat|-A PREROUTING -d {SERVICE}/32 -j DNAT --to-destination {POD}"
    with wire(backend) as lab:
        lab.router.load(dump_of(f"{HELPER};{served};{EXPECTED_NAT};{SEEING_RELATED}"))
        talk_ftp(lab, 4, SERVICE)
        sent = Sent(CLIENT, "tcp", 20, 5001, source=POD)
        before = iptviz.load(lab.router.save("-c").encode())
        _, seen = lab.send_back(sent)
        after = iptviz.load(lab.router.save("-c").encode())
    assert seen is not None
    assert (seen.source, seen.dport) == (SERVICE, 5001)  # as the client knows the server
    assert not [rule for rule in matched(before, after) if rule[0] == "nat"]
    question = as_asked(sent, ctstate="RELATED") | {"out_iface": "cli"}
    outcomes = iptviz.packet(after, **question).outcomes
    assert all(
        ("nat-helper", True) in {(need.condition.kind, need.holds) for need in one.when} for one in outcomes
    )


# --- flags of TCP -----------------------------------------------------------------------------------------------

_THERE, _BACK = Sent(SERVICE, "tcp", 0, 80), Sent(CLIENT, "tcp", 8080, 0, source=POD)
_CLOSED = tuple(
    way._replace(flags=flags, seq=seq)
    for way, flags, seq in (
        (_THERE, "SYN", (1000, 0)), (_BACK, "SYN,ACK", (5000, 1001)), (_THERE, "ACK", (1001, 5001)),
        (_THERE, "FIN,ACK", (1001, 5001)), (_BACK, "ACK", (5001, 1002)), (_BACK, "FIN,ACK", (5001, 1002)),
        (_THERE, "ACK", (1002, 5002)),
    )
)  # fmt: skip
_OPENED = _CLOSED[:3]
TALKS = {
    "SYN_SENT": _OPENED[:1], "SYN_RECV": _OPENED[:2], "ESTABLISHED": _OPENED, "FIN_WAIT": _CLOSED[:4],
    "CLOSE_WAIT": _CLOSED[:5], "LAST_ACK": _CLOSED[:6], "TIME_WAIT": _CLOSED,
    "SYN_SENT2": (*_OPENED[:1], _BACK._replace(seq=(5000, 0))),
    "CLOSE": (*_OPENED, _THERE._replace(flags="RST", seq=(1001, 0))),
    "CLOSE by the server": (*_OPENED, _BACK._replace(flags="RST", seq=(5001, 0))),
}  # fmt: skip
"""What is said until a connection is in a state, with the numbers of TCP."""
PROBES = ("SYN", "SYN,ACK", "ACK", "FIN,ACK", "RST", "RST,ACK", "SYN,FIN", "FIN", "")
SHOWN = {"NEW": 4, "ESTABLISHED": 8, "INVALID": 12}
"""The type of service by which what comes out shows the state in which the rules saw it."""


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("backend", BACKENDS)
def test_flags_tell_what_is_invalid_in_a_connection(backend: str, family: int, tmp_path: Path) -> None:
    shown = ";".join(
        f"mangle|-A FORWARD -m conntrack --ctstate {state} -j TOS --set-tos {tos}/0xff"
        for state, tos in SHOWN.items()
    )
    rules = in_family(f"{DNAT.replace('udp', 'tcp')};{shown}", family)
    routes, listed = tmp_path / "routes", tmp_path / "connections"
    routes.write_text(in_family(ROUTES, family))
    cases = [(talk, way, flags) for talk in TALKS for way in (_THERE, _BACK) for flags in PROBES]
    troubles = []
    with wire(backend, family) as lab:
        lab.router.load(dump_of(rules))
        for port, (talk, _, _) in enumerate(cases, 4000):
            for sent in TALKS[talk]:
                place(lab, told(_from_port(sent, port), family))
        listed.write_text(lab.router.run("conntrack", "-L", "-f", f"ipv{family}"))
        other = rules.replace(in_family(POD, family), in_family(OTHER, family))  # for what is new
        lab.router.load(dump_of(other))
        dump = iptviz.load(lab.router.save().encode())
        for port, (talk, way, flags) in enumerate(cases, 4000):
            seq = _next_number(talk, way, flags)
            sent = told(_from_port(way, port)._replace(flags=flags, seq=seq), family)
            there, back = place(lab, sent)
            seen = there or back
            assert seen is not None
            question = as_asked(sent, routes=str(routes))
            outcomes = iptviz.packet(dump, **question, conntrack=str(listed)).outcomes
            told_right = [
                one
                for one in outcomes
                if fits(one, sent, seen) and SHOWN[one.packet.state or "NEW"] == seen.tos
            ]
            if len(told_right) != 1 or len(outcomes) != (2 if _is_open(talk, way, flags) else 1):
                answers = [(one.packet.state, one.packet.dnat, one.packet.snat) for one in outcomes]
                troubles.append(f"{talk}, from {sent.source}, {flags}: {answers}\n   the kernel {seen}")
    assert not troubles, "\n".join(troubles)


def _from_port(way: Sent, port: int) -> Sent:
    """The packet of the connection that the client has from a port."""
    return way._replace(sport=port) if way.source == CLIENT else way._replace(dport=port)


def _is_open(talk: str, way: Sent, flags: str) -> bool:
    """Whether a packet begins another connection or not by who has reset the old one."""
    return talk in {"CLOSE", "CLOSE by the server"} and way is _THERE and flags == "SYN"


def _next_number(talk: str, way: Sent, flags: str) -> tuple[int, int]:
    """The numbers of the packet that would come next from one side; 0 where nothing is to be acknowledged."""
    if (talk, flags) == ("SYN_SENT", "RST,ACK") and way is _THERE:
        return 1001, 0
    ended = talk in {"TIME_WAIT", "CLOSE"}
    if way is _THERE:
        return (1003 if ended else 1001), 5001
    return (5002 if talk in {"LAST_ACK", "TIME_WAIT"} else 5001), 1001
