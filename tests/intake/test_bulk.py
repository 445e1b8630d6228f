"""The forms of rules in bulk: what has them is found, and what they cannot hold is in none of them."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iptviz.intake.bulk import STRETCH, may_hold

_STRETCH = re.compile(rb"()" + STRETCH, re.VERBOSE)

names = st.text("ABYZ0189", min_size=1, max_size=4)
numbers = st.integers(0, 70000).map(str)
ipv4 = st.ip_addresses(v=4).map(str).filter(lambda text: text[0] != "0")
ipv6 = st.ip_addresses(v=6).map(str).filter(lambda text: text[0] not in "0:")
counters = st.one_of(st.just(""), st.tuples(numbers, numbers).map(lambda pair: "[{}:{}] ".format(*pair)))


@st.composite
def endpoints(draw: st.DrawFn) -> str:
    """Both rules of an endpoint."""
    chain = f"-A KUBE-SEP-{draw(names)}"
    of_v6 = draw(st.booleans())
    address = draw(ipv6 if of_v6 else ipv4)
    source, socket = (f"{address}/128", f"[{address}]") if of_v6 else (f"{address}/32", address)
    to = f"-p tcp -m tcp -j DNAT --to-destination {socket}:{draw(numbers)}"
    return f"{draw(counters)}{chain} -s {source} -j KUBE-MARK-MASQ\n{draw(counters)}{chain} {to}\n"


@st.composite
def services(draw: st.DrawFn) -> str:
    """The rules of a service's chain."""
    chain = f"-A KUBE-SVC-{draw(names)}"
    comment = f'-m comment --comment "team-0/web.v1:{draw(numbers)} cluster IP"'
    to = f"-d {draw(ipv4)}/32 -p tcp {comment} -m tcp --dport {draw(numbers)}"
    outside = f"{chain} ! -s 10.0.0.0/8 {to} -j KUBE-MARK-MASQ"
    chance = "-m statistic --mode random --probability 0.33333333349 "
    choices = [
        f"{chain} {draw(st.sampled_from(('', chance)))}-j KUBE-SEP-{draw(names)}"
        for _ in range(draw(st.integers(1, 3)))
    ]
    lines = choices if draw(st.booleans()) else [outside, *choices]
    return "".join(f"{draw(counters)}{line}\n" for line in lines)


in_bulk = st.lists(st.one_of(endpoints(), services()), min_size=1, max_size=4).map("".join)


@given(in_bulk)
def test_what_has_the_forms_is_found(text: str) -> None:
    found = _STRETCH.match(text.encode())
    assert found is not None
    assert found.end() == len(text)


@given(in_bulk, st.data())
def test_no_text_that_stands_in_such_a_rule_is_ruled_out(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    assert may_hold(text[start:end].encode())


@pytest.mark.parametrize(
    "text",
    [
        "-j TTL", "-m ttl", "-m hl", "-j DNAT --random", "-j DNAT\n", "--to-destination 0.0.0.0:0",
        "--to-destination [::]:0", "--to-destination :0", "KUBE-SERVICES", "KUBE-MARK-DROP", "--match-set KUBE-",
        "-j MARK", "-j RETURN", " -g ", "[unsupported revision]", "-A PREROUTING",
    ],
)  # fmt: skip
def test_most_texts_that_are_looked_for_are_ruled_out(text: str) -> None:
    assert not may_hold(text.encode())


@pytest.mark.parametrize(
    "text",
    [
        "-A KUBE-SEP-A -s 10.0.0.1/32 -j KUBE-MARK-MASQ\n",
        "-A KUBE-SEP-A -s 10.0.0.1/32 -j KUBE-MARK-MASQ\n-A KUBE-SEP-B -p tcp -m tcp -j DNAT --to-destination 10.0.0.1:1\n",
        "-A KUBE-SEP-A -p tcp -m tcp -j DNAT --to-destination 10.0.0.1:1\n",
        "-A KUBE-SVC-A -j KUBE-SEP-B",
        "-A KUBE-SVC-A -j KUBE-SEP-B -m ttl\n",
        "-A KUBE-SVC-A -m comment --comment \"-j LOG\" -j KUBE-SEP-B\n",
        "-A KUBE-SVC-A -g KUBE-SEP-B\n",
        "-A KUBE-SVC-\u00c4 -j KUBE-SEP-B\n",
    ],
)  # fmt: skip
def test_what_is_different_is_not_in_bulk(text: str) -> None:
    assert _STRETCH.match(text.encode()) is None
