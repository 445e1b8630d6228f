"""Whatever is supplied, the answer is a result or an error that names the line."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iptviz.errors import DumpError
from iptviz.ipset.saved import read_ipsets
from iptviz.supplied.addresses import read_addresses
from iptviz.supplied.recent import read_recent_lists
from iptviz.supplied.routes import read_routes

if TYPE_CHECKING:
    from collections.abc import Callable

READERS: dict[str, Callable[[str], object]] = {
    "addresses": lambda text: read_addresses(text, "given"),
    "routes": lambda text: read_routes(text, "given"),
    "sets": lambda text: read_ipsets(text, "given"),
    "recent": lambda text: read_recent_lists(text, "given", "name"),
}
TEXT = """
create add s t hash:ip hash:net,iface hash:ip,port hash:ip,mark bitmap:port list:set family inet inet6 netmask 24
10.0.0.1 10.0.0.0/8 fd00::1 fd00::/64 10.0.0.1,80 10.0.0.1,udp:1-9 10.0.0.0/8,eth0 80-90 nomatch wildcard comment "
Name: Type: Header: Members: default via dev metric table nexthop local blackhole pref src= ttl: [ { ] } : , [{}] 1:
==> <== # 99999999999999999999 -1 \0 \u0661 \ud800 physdev: / -
"""
TEXTS = st.lists(st.sampled_from([*TEXT.split(), " ", "\n", "\n", " "]) | st.text(max_size=3), max_size=40)


@pytest.mark.parametrize("name", READERS)
@given(pieces=TEXTS, glue=st.sampled_from(["", " "]))
def test_no_text_raises_another_error(name: str, pieces: list[str], glue: str) -> None:
    try:
        READERS[name](glue.join(pieces))
    except DumpError as error:
        assert re.fullmatch("given:[0-9]+", error.where)
        assert error.hint
        assert "\n" not in error.what


DEEP = 900


@pytest.mark.parametrize("name", ["addresses", "routes"])
@pytest.mark.parametrize("value", ["[" * DEEP + "]" * DEEP, "1e999", "true", '"x"', "{}", "-5", "null"])
@pytest.mark.parametrize(
    "key", ["addr_info", "local", "dst", "dev", "flags", "metric", "nexthops", "via", "table"]
)
def test_json_of_an_odd_shape_raises_no_other_error(name: str, key: str, value: str) -> None:
    objects = [f'{{"dst":"10.0.0.0/8","{key}":{value}}}', f'{{"addr_info":[{{"{key}":{value}}}]}}']
    for text in objects:
        try:
            READERS[name](f"[{text}]")
        except DumpError as error:
            assert error.where == "given:1"
