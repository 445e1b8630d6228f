"""Differences of service ports: each that is there, and none that is not."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iptviz.compare.ports.compared import compared, differences
from iptviz.compare.ports.differences import (
    EndpointDifference,
    FrontendDifference,
    PropertyDifference,
    ReachedDifference,
)
from iptviz.compare.ports.form import EndpointForm, FrontendForm, PortForm
from iptviz.dump.single import parse_rule
from iptviz.engine.condition import Assumption, Condition
from iptviz.kube.names import NAMELESS, ServiceName
from iptviz.paths.fares import Cause, Failure, Fare
from iptviz.paths.model import Decider
from tests.kubeproxy import chain_hash, kernel_chance

if TYPE_CHECKING:
    from iptviz.compare.ports.differences import PortDifference

WEB = ServiceName("shop", "web", "http", "comment")
HALF, THIRD, QUARTER = Fraction(1, 2), Fraction(1, 3), Fraction(1, 4)


def cascade(*texts: str) -> list[Fraction]:
    """What rules with these probabilities leave to each, in the kernel; an empty text is none."""
    left, shares = Fraction(1), []
    for text in texts:
        chance = kernel_chance(text) if text else Fraction(1)
        shares.append(left * chance)
        left -= left * chance
    return shares


def ends(*shares: Fraction | None, first: int = 1, port: int = 80) -> tuple[EndpointForm, ...]:
    return tuple(EndpointForm(f"10.1.0.{first + place}", port, share) for place, share in enumerate(shares))


def even(count: int, digits: int = 10, first: int = 1) -> tuple[EndpointForm, ...]:
    """Endpoints among which kube-proxy shares connections, printed with so many digits."""
    texts = [f"{1 / remaining:.{digits}f}" for remaining in range(count, 1, -1)]
    return ends(*cascade(*texts, ""), first=first)


def frontend(*, to: tuple[EndpointForm, ...] = (), **more: Any) -> FrontendForm:
    form = FrontendForm(
        "cluster-ip", "10.96.0.1", 80, "tcp", endpoints=to, leftover=Fraction(not to),
        verdict=None if to else "REJECT", local_only=False if to else None, masquerade=() if to else None,
    )  # fmt: skip
    return form._replace(**more)


def port(*frontends: FrontendForm, **more: Any) -> PortForm:
    form = PortForm(WEB, "tcp", frontends or (frontend(to=even(2)),), None, "Cluster", None, None, None)
    return form._replace(**more)


def node_port(**more: Any) -> FrontendForm:
    return frontend(**{"to": even(2), "kind": "node-port", "address": None, "port": 30080, **more})


def told(old: PortForm, new: PortForm) -> list[str]:
    return [in_words(one) for one in differences(old, new)]


def in_words(one: PortDifference) -> str:
    places = " ".join(form.at for form in one.frontends)
    if isinstance(one, EndpointDifference):
        values = [str(end and f"{end.text} {end.share}") for end in (one.old, one.new)]
        if one.kind != "share":
            values = [value.partition(" ")[0] for value in values]
        return f"{one.kind} {' -> '.join(values)} at {places}" + " follows" * one.follows
    if isinstance(one, FrontendDifference):
        return f"{one.kind} {places}"
    if isinstance(one, ReachedDifference):
        return f"reached by {'+'.join(one.clients)} {one.old.word} -> {one.new.word} at {places}"
    return f"{one.kind} {one.old} -> {one.new}" + f" at {places}" * bool(places)


# --- endpoints -----------------------------------------------------------------------------------------------


def test_a_port_does_not_differ_from_itself() -> None:
    assert told(port(), port()) == []


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (even(2), even(2)[::-1], []),
        (even(3, 5), even(3), []),
        (even(700, 5), even(700), []),
        (even(3), ends(THIRD, THIRD, THIRD), []),
        (ends(*cascade("0.7", "")), ends(*cascade("0.7000000000", "")), []),
        (ends(*cascade("0.33333", "0.7", "")), ends(*cascade("0.3333333333", "0.7", "")), []),
        (ends(HALF, HALF), ends(*cascade("0.6", "")),
         [f"share 10.1.0.1:80 1/2 -> 10.1.0.1:80 {kernel_chance('0.6')} at 10.96.0.1:80",
          f"share 10.1.0.2:80 1/2 -> 10.1.0.2:80 {1 - kernel_chance('0.6')} at 10.96.0.1:80"]),
        (ends(Fraction(7, 10), Fraction(3, 10)), ends(Fraction(3, 10), Fraction(7, 10)),
         ["share 10.1.0.1:80 7/10 -> 10.1.0.1:80 3/10 at 10.96.0.1:80",
          "share 10.1.0.2:80 3/10 -> 10.1.0.2:80 7/10 at 10.96.0.1:80"]),
        (ends(HALF, HALF), ends(THIRD, THIRD, THIRD),
         ["endpoint added None -> 10.1.0.3:80 at 10.96.0.1:80",
          "share 10.1.0.1:80 1/2 -> 10.1.0.1:80 1/3 at 10.96.0.1:80 follows",
          "share 10.1.0.2:80 1/2 -> 10.1.0.2:80 1/3 at 10.96.0.1:80 follows"]),
        (ends(HALF, HALF), ends(Fraction(1), first=2),
         ["endpoint removed 10.1.0.1:80 -> None at 10.96.0.1:80",
          "share 10.1.0.2:80 1/2 -> 10.1.0.2:80 1 at 10.96.0.1:80 follows"]),
        (ends(HALF, HALF), ends(HALF, HALF, first=2),
         ["endpoint removed 10.1.0.1:80 -> None at 10.96.0.1:80",
          "endpoint added None -> 10.1.0.3:80 at 10.96.0.1:80"]),
        (ends(Fraction(1)), ends(Fraction(1), port=8080),
         ["endpoint port 10.1.0.1:80 -> 10.1.0.1:8080 at 10.96.0.1:80"]),
        (ends(Fraction(1)), (*ends(HALF), *ends(HALF, port=8080)),
         ["endpoint added None -> 10.1.0.1:8080 at 10.96.0.1:80",
          "share 10.1.0.1:80 1 -> 10.1.0.1:80 1/2 at 10.96.0.1:80 follows"]),
        # one endpoint that two rules lead to gets what both give it
        ((*ends(QUARTER), *ends(QUARTER), *ends(HALF, first=2)), ends(HALF, HALF), []),
    ],
)  # fmt: skip
def test_endpoints_and_shares(
    old: tuple[EndpointForm, ...], new: tuple[EndpointForm, ...], expected: list[str]
) -> None:
    assert told(port(frontend(to=old)), port(frontend(to=new))) == expected


@pytest.mark.parametrize("count", [2, 3, 7, 40, 500])
@pytest.mark.parametrize("digits", [5, 10])
def test_a_lost_probability_is_found_however_many_endpoints_there_are(count: int, digits: int) -> None:
    texts = [f"{1 / remaining:.{digits}f}" for remaining in range(count, 1, -1)]
    new = ends(*cascade("", *texts[1:], ""))
    found = list(differences(port(frontend(to=even(count))), port(frontend(to=new))))
    assert len(found) == count
    assert not any(isinstance(one, EndpointDifference) and one.follows for one in found)


@given(st.integers(2, 60), st.sampled_from([5, 10]), st.sampled_from([5, 10]), st.randoms())
def test_neither_digits_nor_order_are_a_difference(count: int, one: int, other: int, random: Any) -> None:
    new = list(even(count, other))
    shuffled = dict(zip(random.sample(range(count), count), new, strict=True))
    moved = tuple(shuffled[place]._replace(share=new[place].share) for place in range(count))
    assert told(port(frontend(to=even(count, one))), port(frontend(to=moved))) == []


@given(st.lists(st.floats(0.02, 0.9), min_size=1, max_size=12))
def test_what_five_digits_make_of_uneven_shares_is_no_difference(chances: list[float]) -> None:
    exact = ends(*cascade(*(f"{chance:.11f}" for chance in chances), ""))
    printed = ends(*cascade(*(f"{chance:.5f}" for chance in chances), ""))
    assert told(port(frontend(to=exact)), port(frontend(to=printed))) == []


@given(st.lists(st.floats(0.02, 0.9), min_size=1, max_size=12), st.data())
def test_a_changed_chance_is_found(chances: list[float], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(chances) - 1))
    changed = [chance + 0.01 * (index == place) for index, chance in enumerate(chances)]
    old, new = (ends(*cascade(*(f"{chance:.10f}" for chance in each), "")) for each in (chances, changed))
    found = told(port(frontend(to=old)), port(frontend(to=new)))
    assert any(f"10.1.0.{place + 1}:80" in one for one in found)


def test_what_is_not_told_differs_from_nothing_and_is_counted() -> None:
    unshared = frontend(to=ends(None, None), leftover=None, untold=frozenset({"shares"}))
    excerpt = frontend(to=ends(HALF), untold=frozenset({"endpoints", "shares"}))
    whole = port(frontend(to=ends(HALF, HALF)))
    for form, lacking in ((unshared, {"shares": 1}), (excerpt, {"endpoints": 1, "shares": 1})):
        for pair in ((whole, port(form)), (port(form), whole)):
            assert told(*pair) == []
            counts = compared(pair[:1], pair[1:]).not_compared
            assert {what: count for what, count in counts.items() if what != "reached"} == lacking


def test_an_excerpt_shows_endpoints_that_the_other_side_lacks() -> None:
    excerpt = port(frontend(to=ends(HALF), untold=frozenset({"endpoints", "shares"})))
    other = port(frontend(to=ends(Fraction(1), first=2)))
    assert told(excerpt, other) == ["endpoint removed 10.1.0.1:80 -> None at 10.96.0.1:80"]
    assert told(other, excerpt) == ["endpoint added None -> 10.1.0.1:80 at 10.96.0.1:80"]


def test_where_the_api_leaves_a_choice_each_is_right() -> None:
    first, second = frozenset({"10.1.0.1:80"}), frozenset({"10.1.0.2:80", "10.1.0.3:80"})
    wanted = port(frontend(to=ends(THIRD, THIRD, THIRD), choices=(first, second)))
    for right in (even(3), ends(Fraction(1)), even(2, first=2)):
        assert told(wanted, port(frontend(to=right))) == []
    assert told(wanted, port(frontend(to=even(2)))) == [
        "endpoint removed 10.1.0.3:80 -> None at 10.96.0.1:80",
        *(f"share 10.1.0.{n}:80 1/3 -> 10.1.0.{n}:80 1/2 at 10.96.0.1:80 follows" for n in (1, 2)),
    ]
    uneven = told(wanted, port(frontend(to=ends(QUARTER, Fraction(3, 4), first=2))))
    assert uneven == [
        "share 10.1.0.2:80 1/2 -> 10.1.0.2:80 1/4 at 10.96.0.1:80",
        "share 10.1.0.3:80 1/2 -> 10.1.0.3:80 3/4 at 10.96.0.1:80",
    ]


def test_where_some_are_right_none_at_all_is_so_for_policy_local_alone() -> None:
    wanted = frontend(to=ends(HALF, HALF), may_be_fewer=True)
    none = port(frontend(), internal_policy=None)
    missing = [one for one in told(port(wanted), none) if one.startswith("endpoint removed")]
    assert len(missing) == 2
    assert [one for one in told(port(wanted._replace(local_only=True)), none) if "endpoint" in one] == []


def test_a_port_is_not_said_to_differ_where_a_side_may_have_both() -> None:
    excerpt = port(frontend(to=ends(HALF), untold=frozenset({"endpoints", "shares"})))
    other = port(frontend(to=ends(Fraction(1), port=8080)))
    assert told(excerpt, other) == ["endpoint removed 10.1.0.1:80 -> None at 10.96.0.1:80"]
    assert told(other, excerpt) == ["endpoint added None -> 10.1.0.1:80 at 10.96.0.1:80"]


def test_where_some_are_right_none_is_missing_and_others_are_extra() -> None:
    wanted = port(frontend(to=ends(HALF, HALF), may_be_fewer=True))
    assert told(wanted, port(frontend(to=even(1)))) == []
    assert [one for one in told(wanted, port(frontend(to=even(1, first=3)))) if "share" not in one] == [
        "endpoint added None -> 10.1.0.3:80 at 10.96.0.1:80"
    ]


# --- frontends -----------------------------------------------------------------------------------------------


def test_frontends_that_differ_alike_are_told_together() -> None:
    old = port(frontend(to=even(2)), node_port())
    new = port(frontend(to=even(3)), node_port(to=even(3)))
    added = [one for one in differences(old, new) if one.kind == "endpoint added"]
    assert [in_words(one) for one in added] == ["endpoint added None -> 10.1.0.3:80 at 10.96.0.1:80 :30080"]


def test_frontends_come_and_go_and_change_kind() -> None:
    outside = frontend(to=even(2), kind="external-ip", address="192.0.2.1")
    other = outside._replace(kind="load-balancer-ip")
    assert told(port(frontend(to=even(2)), outside), port()) == ["frontend removed 192.0.2.1:80"]
    assert told(port(), port(frontend(to=even(2)), node_port())) == ["frontend added :30080"]
    assert told(port(outside), port(other)) == ["frontend kind 192.0.2.1:80"]
    refused = other._replace(untold=frozenset({"kind"}))
    assert told(port(outside), port(refused)) == []
    assert compared([port(outside)], [port(refused)]).not_compared == {"kind": 1, "reached": 1}
    assert compared([port(other)], [port(refused)]).not_compared == {"reached": 1}


def test_two_kinds_at_one_address_are_two_frontends() -> None:
    outside = frontend(to=even(2), kind="external-ip", address="192.0.2.1")
    other = outside._replace(kind="load-balancer-ip")
    assert told(port(outside, other), port(other, outside)) == []
    assert told(port(outside, other), port(other)) == ["frontend removed 192.0.2.1:80"]


def test_a_frontend_whose_port_is_not_printed_is_found_by_its_address() -> None:
    hidden = frontend(to=even(2), port=None, untold=frozenset({"port"}), lacks_port=True)
    assert told(port(), port(hidden)) == told(port(hidden), port()) == []
    assert told(port(), port(hidden._replace(address="10.96.0.2"))) == [
        "frontend removed 10.96.0.1:80",
        "frontend added 10.96.0.2:?",
    ]
    assert compared([port()], [port(hidden)]).not_compared == {"port": 1, "reached": 1}


def test_what_stands_for_frontends_that_are_not_shown_is_none_of_them() -> None:
    chain = frontend(to=even(2), kind="chain", address=None, port=None, unled="KUBE-SVC-A")
    assert told(port(), port(chain)) == told(port(chain), port()) == []
    assert "frontends" in compared([port()], [port(chain)]).not_compared
    assert told(port(chain), port(chain._replace(endpoints=even(1)))) != []


SOURCE = Assumption(Condition("source-cidr", "10.0.0.0/8"), holds=False)
OTHER = Assumption(Condition("source-cidr", "10.0.0.0/9"), holds=False)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ({"masquerade": ((SOURCE,), ())}, {"masquerade": ((), (SOURCE,))}, []),
        ({"masquerade": ((SOURCE,),)}, {"masquerade": ((OTHER,),)}, ["masquerade"]),
        ({"masquerade": ((),)}, {"masquerade": ()}, ["masquerade"]),
        ({"masquerade": None}, {"masquerade": ()}, []),
        ({"local_only": True}, {"local_only": False}, ["local only"]),
        ({"local_only": None}, {"local_only": False}, []),
        ({"verdict": "REJECT"}, {"verdict": "DROP"}, ["verdict"]),
        ({"to": ends(HALF, QUARTER), "leftover": QUARTER}, {"to": ends(HALF, QUARTER), "leftover": Fraction(0)}, ["leftover"]),
        ({"at_addresses": (True, ("10.0.0.1", "10.0.0.2"))}, {"at_addresses": (True, ("10.0.0.2", "10.0.0.1"))}, []),
        ({"at_addresses": None}, {"at_addresses": (True, ("10.0.0.1",))}, ["node port addresses"]),
        ({"rule": parse_rule("-A A"), "chain": "KUBE-SVC-A"}, {"rule": parse_rule("-A B"), "chain": "KUBE-SVL-A"}, []),
    ],
)  # fmt: skip
def test_properties_of_a_frontend(old: dict[str, Any], new: dict[str, Any], expected: list[str]) -> None:
    before, after = (port(frontend(**{"to": even(2), **each})) for each in (old, new))
    found = list(differences(before, after))
    assert [one.kind for one in found] == expected
    assert all(one.frontends for one in found)


def test_without_endpoints_nothing_is_said_of_the_rest() -> None:
    marking = frontend(to=even(2), masquerade=((SOURCE,),), at_addresses=(True, ("10.0.0.1",)))
    assert told(port(marking), port(frontend())) == [
        "endpoint removed 10.1.0.1:80 -> None at 10.96.0.1:80",
        "endpoint removed 10.1.0.2:80 -> None at 10.96.0.1:80",
        "verdict None -> REJECT at 10.96.0.1:80",
    ]


# --- who gets through ----------------------------------------------------------------------------------------

YES = Fare(("outside", "pod", "node"), "yes", Fraction(1), Fraction(1), ())


def dropped(text: str, *clients: str, number: int = 1, **more: Any) -> Fare:
    by = Decider("filter", "FORWARD", number, 10 + number, text)
    failure = Failure(Fraction(1), Cause("rule", "DROP", by), ())
    return Fare(clients or YES.clients, "no", Fraction(0), Fraction(0), (failure,))._replace(**more)


def reached(*fares: Fare) -> PortForm:
    return port(frontend(to=even(2), reached=fares))


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ([YES], [dropped("-A FORWARD -j DROP")], ["outside+pod+node yes -> no"]),
        ([YES], [dropped("-A FORWARD -j DROP", "pod"), YES._replace(clients=("node", "outside"))], ["pod yes -> no"]),
        ([dropped("-A FORWARD -j DROP")], [dropped("-A FORWARD -j DROP", number=4)], []),
        ([dropped("-A FORWARD -d 10.1.0.1 -j DROP")], [dropped("-A FORWARD -d 10.1.0.1/32 -j DROP")], []),
        ([dropped("-A FORWARD -d 10.1.0.1 -j DROP")], [dropped("-A FORWARD -d 10.1.0.2 -j DROP")], ["outside+pod+node no -> no"]),
        ([dropped("-A FORWARD -j DROP", word="in part", at_most=HALF)],
         [dropped("-A FORWARD -j DROP", word="in part", at_most=THIRD)], ["outside+pod+node in part -> in part"]),
        ([dropped("-A FORWARD -j DROP", word="in part", at_most=THIRD)],
         [dropped("-A FORWARD -j DROP", word="in part", at_most=Fraction(33333, 100000))], []),
        ([], [YES], []),
    ],
)  # fmt: skip
def test_who_gets_through(old: list[Fare], new: list[Fare], expected: list[str]) -> None:
    found = told(reached(*old), reached(*new))
    assert found == [f"reached by {one} at 10.96.0.1:80" for one in expected]


def in_part(failing: int, count: int, *, text: str = "-A FORWARD -d 10.1.0.1/32 -j DROP") -> PortForm:
    """So many of the endpoints are not reached."""
    share = Fraction(count - failing, count)
    fare = dropped(text, word="in part", at_least=share, at_most=share)
    return port(frontend(to=ends(*[Fraction(1, count)] * count), reached=(fare,)))


@pytest.mark.parametrize(
    ("old", "new", "differs"),
    [
        (in_part(1, 3), in_part(1, 4), False),  # one more that is reached
        (in_part(1, 3), in_part(2, 4), True),  # one more that is not
        (in_part(1, 3), in_part(2, 3), True),
        (in_part(1, 3), in_part(1, 4, text="-A FORWARD -d 10.1.0.2/32 -j DROP"), True),
        (in_part(2, 2), in_part(3, 3), False),
    ],
)
def test_shares_that_get_through_change_rightly_with_the_number_of_endpoints(
    old: PortForm, new: PortForm, differs: bool
) -> None:
    assert any(one.kind == "reached" for one in differences(old, new)) == differs


def test_clients_that_fare_alike_are_told_together() -> None:
    apart = [dropped("-A FORWARD -j DROP", client) for client in ("outside", "pod")]
    assert told(reached(YES), reached(*apart)) == ["reached by outside+pod yes -> no at 10.96.0.1:80"]


def test_conditions_count_and_their_lines_do_not() -> None:
    def asking(network: str, line: int) -> PortForm:
        fare = dropped("-A FORWARD -j DROP", word="depends", at_most=Fraction(1))
        when = (Assumption(Condition("source-cidr", network, rule=line, since=line), holds=False),)
        return reached(fare._replace(failures=tuple(one._replace(when=when) for one in fare.failures)))

    assert told(asking("10.0.0.0/8", 5), asking("10.0.0.0/8", 9)) == []
    assert len(told(asking("10.0.0.0/8", 5), asking("10.0.0.0/9", 5))) == 1


def test_what_nobody_looked_at_is_counted() -> None:
    assert compared([reached(YES)], [port()]).not_compared == {"reached": 1}
    assert compared([reached(YES)], [reached(YES)]).not_compared == {}


# --- ports ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "old", "new", "kind"),
    [
        ("affinity", None, 600, "affinity"),
        ("affinity", 600, 10800, "affinity"),
        ("internal_policy", "Cluster", "Local", "internal policy"),
        ("external_policy", "Cluster", "Local", "external policy"),
        ("external_policy", None, "Local", None),
        ("source_ranges", ("10.0.0.0/8",), ("10.0.0.0/9",), "source ranges"),
        ("source_ranges", ("10.0.0.0/8", "10.0.0.0/9"), ("10.0.0.0/9", "10.0.0.0/8"), None),
        ("source_ranges", None, ("10.0.0.0/9",), None),
        ("health_check", 32000, 32001, "health check"),
        ("suffix", "A", "B", None),
    ],
)
def test_properties_of_a_port(field: str, old: Any, new: Any, kind: str | None) -> None:
    found = list(differences(port(**{field: old}), port(**{field: new})))
    assert [one.kind for one in found] == ([] if kind is None else [kind])
    assert all(isinstance(one, PropertyDifference) and one.frontends == () for one in found)


def test_affinity_is_compared_where_a_rule_would_show_it() -> None:
    hidden = port(affinity=None, properties_told=False)
    assert told(port(affinity=600), hidden) == []
    assert compared([port(affinity=600)], [hidden]).not_compared["affinity"] == 1
    empty = hidden._replace(frontends=(frontend(),))
    assert compared([port(affinity=600)], [empty]).not_compared == {"reached": 1}


def test_a_policy_says_that_endpoints_are_local() -> None:
    old, new = port(node_port()), port(node_port(local_only=True))
    policies = (old._replace(external_policy="Cluster"), new._replace(external_policy="Local"))
    assert told(*policies) == ["external policy Cluster -> Local"]


def named(name: str, **more: Any) -> PortForm:
    return port(**{"service": ServiceName("shop", name, "http", "comment"), **more})


def test_ports_come_and_go_and_differ() -> None:
    changes = compared(
        [named("a"), named("b"), named("c", protocol="udp")],
        [named("d"), named("b", affinity=5), named("c", protocol="udp"), named("c")],
    )
    assert [[one.name for one in ports] for ports in changes[:2]] == [
        ["shop/d:http", "shop/c:http"],
        ["shop/a:http"],
    ]
    assert [(one.old.name, len(one.differences)) for one in changes.changed] == [("shop/b:http", 1)]
    assert changes.compared == 2
    assert changes.differ


def test_a_port_without_a_name_is_known_by_its_hash_or_its_place() -> None:
    suffix = chain_hash("shop/web:httptcp")
    nameless = port(service=NAMELESS, suffix=suffix)
    assert compared([port()], [nameless]).differ is False
    assert compared([nameless], [port()]).differ is False
    assert compared([nameless], [nameless._replace(affinity=5)]).changed
    stranger = nameless._replace(suffix="AAAAAAAAAAAAAAAA")
    assert compared([port()], [stranger])[:2] == ((stranger,), (port(),))
    refused = port(frontend(), service=NAMELESS)
    assert compared([port(frontend())], [refused]).differ is False
