"""Routes: what `ip route` prints, and which route a packet takes."""

from __future__ import annotations

import json

import pytest

from iptviz.engine.marks import known_mark
from iptviz.errors import DumpError
from iptviz.supplied.routes import Routes, read_routes
from iptviz.supplied.routing_rules import (
    USUAL_RULES,
    Sought,
    no_mark_known,
    read_routing_rules,
    rules_among,
)
from iptviz.xtables.address import Network, parse_network
from iptviz.xtables.values.addresses import show_network

ALL = """\
default via 192.0.2.1 dev eth0 proto static metric 100\x20
default via 192.0.2.9 dev eth9 metric 600\x20
192.0.2.0/24 dev eth0 proto kernel scope link src 192.0.2.2\x20
blackhole 10.7.0.0/16 metric 3\x20
unreachable 10.8.0.0/16\x20
prohibit 10.6.0.0/16\x20
throw 10.5.0.0/16\x20
10.4.0.0/16\x20
\tnexthop via 10.1.1.5 dev d0 weight 1\x20
\tnexthop via 10.1.1.6 dev d0 weight 2\x20
10.3.0.0/16\x20
\tnexthop via 10.1.1.5 dev d0 weight 1\x20
\tnexthop via 10.1.1.6 dev d1 weight 2\x20
10.2.0.0/16 via inet6 fe80::1 dev d0\x20
10.1.0.0/16 dev d1 scope link dead linkdown\x20
10.9.0.0/16 via 10.1.1.5 dev d0 table 100\x20
local 127.0.0.0/8 dev lo table local proto kernel scope host src 127.0.0.1\x20
local 192.0.2.2 dev eth0 table local proto kernel scope host src 192.0.2.2\x20
broadcast 192.0.2.255 dev eth0 table local proto kernel scope link src 192.0.2.2\x20
fd00::/64 dev eth0 proto kernel metric 256 pref medium
default via fd00::1 dev eth0 metric 1024 pref medium
fd01::/64 via fe80::5 dev d0 metric 1024 pref medium
fd01::/64 via fe80::6 dev d0 metric 1024 pref medium
local fd00::2 dev eth0 table local proto kernel metric 0 pref medium
multicast ff00::/8 dev eth0 table local proto kernel metric 256 pref medium
"""

# address, and kind, device, gateway and table of its route.
CASES = {
    "8.8.8.8": ("unicast", "eth0", "192.0.2.1", "main"),
    "192.0.2.7": ("unicast", "eth0", None, "main"),
    "192.0.2.2": ("local", "eth0", None, "local"),
    "192.0.2.255": ("broadcast", "eth0", None, "local"),
    "127.9.9.9": ("local", "lo", None, "local"),
    "10.7.0.1": ("blackhole", None, None, "main"),
    "10.8.0.1": ("unreachable", None, None, "main"),
    "10.6.0.1": ("prohibit", None, None, "main"),
    "10.5.0.1": None,
    "10.4.0.1": ("unicast", "d0", None, "main"),
    "10.3.0.1": ("unicast", None, None, "main"),
    "10.2.0.1": ("unicast", "d0", "fe80::1", "main"),
    "10.1.0.1": ("unicast", "eth0", "192.0.2.1", "main"),
    "10.9.0.1": ("unicast", "eth0", "192.0.2.1", "main"),
    "10.4.7.0/24": ("unicast", "d0", None, "main"),
    "192.0.2.0/24": None,
    "192.0.2.64/26": ("unicast", "eth0", None, "main"),
    "0.0.0.0/0": None,
    "fd00::7": ("unicast", "eth0", None, "main"),
    "fd00::2": ("local", "eth0", None, "local"),
    "fd01::7": ("unicast", "d0", None, "main"),
    "ff02::1": ("multicast", "eth0", None, "local"),
    "2001:db8::1": ("unicast", "eth0", "fd00::1", "main"),
}


@pytest.mark.parametrize(("address", "expected"), CASES.items(), ids=CASES)
def test_a_packet_takes_the_route_that_the_kernel_takes(
    address: str, expected: tuple[str, str | None, str | None, str] | None
) -> None:
    network = parse_network(address)
    assert network is not None
    found = Routes(read_routes(ALL, "routes").routes, USUAL_RULES).lookup(Sought(network))
    assert (found and (found.kind, found.device, found.gateway, found.table)) == expected


JSON = """\
[{"dst":"default","gateway":"192.0.2.1","dev":"eth0","flags":[]},
 {"type":"local","dst":"192.0.2.2","dev":"eth0","table":"local","flags":[]},
 {"dst":"fd00::/64","dev":"eth0","metric":256,"flags":[],"pref":"medium"},
 {"dst":"10.2.0.0/16","via":{"family":"inet6","host":"fe80::1"},"dev":"d0","flags":[]},
 {"dst":"10.3.0.0/16","flags":[],"nexthops":[{"gateway":"10.1.1.5","dev":"d0"},{"gateway":"10.1.1.6","dev":"d0"}]},
 {"type":"blackhole","dst":"10.7.0.0/16","metric":3,"flags":["dead"]}]
"""
TEXT = """\
default via 192.0.2.1 dev eth0
local 192.0.2.2 dev eth0 table local
fd00::/64 dev eth0 metric 256 pref medium
10.2.0.0/16 via inet6 fe80::1 dev d0
10.3.0.0/16
\tnexthop via 10.1.1.5 dev d0
\tnexthop via 10.1.1.6 dev d0
blackhole 10.7.0.0/16 metric 3 dead
"""


def test_json_says_the_same_as_text() -> None:
    assert read_routes(JSON, "routes").routes == read_routes(TEXT, "routes").routes


# Of `ip -o route` and `ip -6 -o route`, and the same as the usual form.
ONE_LINE = """\
default proto bgp \\\tnexthop via 192.0.2.253 dev vp0 weight 1 \\\tnexthop via 198.51.100.9 dev vp1 weight 1\x20
192.0.2.0/24 dev vp0 proto kernel scope link src 192.0.2.1\x20
10.4.0.0/16 linkdown \\\tnexthop via 192.0.2.9 dev vp0 weight 1 linkdown \\\tnexthop via 198.51.100.9 dev vp1 weight 1 dead linkdown\x20
10.5.0.0/16 \\\tnexthop via 192.0.2.8 dev a\\b weight 1 \\\tnexthop via 192.0.2.9 dev a\\b weight 1\x20
2001:db8::/32 metric 1024 pref medium\\\tnexthop via fd00::9 dev vp0 weight 1 \\\tnexthop via fd01::9 dev vp1 weight 1\x20
"""


def test_next_hops_on_the_line_of_their_route_are_all_read() -> None:
    usual = ONE_LINE.replace("\\\t", "\n\t")
    routes = read_routes(ONE_LINE, "routes").routes
    assert routes == read_routes(usual, "routes").routes
    assert [(route.device, route.gateway) for route in routes] == [
        (None, None),
        ("vp0", None),
        ("vp0", "192.0.2.9"),
        ("a\\b", None),
        (None, None),
    ]
    assert read_routes(ONE_LINE.replace("\t", "    "), "routes").routes == routes  # as a terminal shows it


def test_lines_count_as_they_are_where_next_hops_stand_on_one() -> None:
    with pytest.raises(DumpError, match='routes:6: invalid route destination "nonsense"'):
        read_routes(ONE_LINE + "nonsense dev lo\n", "routes")


def test_the_local_table_is_known_without_its_name() -> None:
    routes = read_routes("local 10.0.0.1 dev lo proto kernel\nlocal 0.0.0.0/0 dev lo table 100\n", "routes")
    assert [route.table for route in routes.routes] == ["local", "100"]


def test_a_default_route_of_ipv6_is_known_by_its_gateway_or_its_preference() -> None:
    text = "default via fe80::1 dev d0\ndefault dev d0 metric 1024 pref medium\ndefault dev d0 scope link\n"
    assert [route.network.version for route in read_routes(text, "routes").routes] == [6, 6, 4]


WRONG = {
    "word": ("default dev lo\nnonsense dev lo\n", 'routes:2: invalid route destination "nonsense"'),
    "kind alone": ("blackhole\n", 'routes:1: route without a destination: "blackhole"'),
    "metric": ("default dev lo metric 99999999999\n", "invalid metric"),
    "other digits": ("default dev lo metric \u0661\n", "invalid metric"),
    "hop first": ("nexthop via 10.0.0.1 dev lo\n", "routes:1: nexthop without a route"),
    "hop first on a line": ("\\\tnexthop via 10.0.0.1 dev lo\n", "routes:1: nexthop without a route"),
    "zero byte": ("10.0.0.0\0/8 dev lo\n", "invalid route destination"),
    "JSON without destination": ('[{"dev":"lo"}]', 'routes:1: invalid route destination "None"'),
    "JSON of numbers": ("[7]", 'routes:1: cannot parse "ip -j route" output: "7" is not an object'),
}


@pytest.mark.parametrize(("text", "message"), WRONG.values(), ids=WRONG)
def test_what_is_no_route_is_told(text: str, message: str) -> None:
    with pytest.raises(DumpError) as raised:
        read_routes(text, "routes")
    assert message in str(raised.value)


# --- rules that choose between tables ------------------------------------------------------------------------

TABLES = """\
default via 192.0.2.1 dev eth0
10.9.0.0/16 dev d0 table 100
default dev d1 table 200
local 192.0.2.2 dev eth0 table local
"""
RULES = """\
0:\tfrom all lookup local
100:\tfrom all fwmark 0x1/0x1 lookup 100
200:\tnot from all fwmark 0xca6c lookup {second}
32766:\tfrom all lookup main
32767:\tfrom all lookup default
"""


def device(address: str, mark: int | None, rules: str) -> str | None:
    network = parse_network(address)
    assert network is not None
    routes = Routes(read_routes(TABLES, "routes").routes, read_routing_rules(rules, "rules"))

    def has_mark(value: int, mask: int) -> bool | None:
        return None if mark is None else mark & mask == value

    found = routes.lookup(Sought(network, has_mark=has_mark))
    return found.device if found else None


@pytest.mark.parametrize(
    ("address", "mark", "second", "expected"),
    [
        ("10.9.0.1", 1, "200", "d0"),
        ("10.9.0.1", 2, "200", "d1"),
        ("8.8.8.8", 1, "200", "d1"),
        ("8.8.8.8", 0xCA6C, "200", "eth0"),
        ("8.8.8.8", None, "200", None),
        ("192.0.2.2", None, "200", "eth0"),
        ("8.8.8.8", 0, "300", None),
        ("8.8.8.8", 0xCA6C, "300", "eth0"),
    ],
)
def test_a_mark_chooses_the_table(address: str, mark: int | None, second: str, expected: str | None) -> None:
    assert device(address, mark, RULES.format(second=second)) == expected


@pytest.mark.parametrize(
    "rule",
    [
        "from 10.0.0.5 lookup 100",
        "from all iif eth0 fwmark 0x0/0x1 lookup 100",
        "from all lookup [l3mdev-table]",
        "from all lookup 100 suppress_ifgroup default",
        "from all tun_id 5 lookup 100",
        "from all lookup 300",
    ],
)
def test_what_nobody_tells_of_a_packet_is_not_known(rule: str) -> None:
    rules = f"0:\tfrom all lookup local\n9:\t{rule}\n32766:\tfrom all lookup main\n"
    assert device("10.9.0.1", 0, rules) is None
    assert device("192.0.2.2", 0, rules) == "eth0"


ADDRESSES = {
    name: Network(4, value << 24 | 5, 0xFFFFFFFF) for name, value in {"ten": 10, "eleven": 11}.items()
}
ELEVEN = Sought(
    ADDRESSES["eleven"], (ADDRESSES["ten"],), "cli", "", known_mark(0x40).told, 0x13, "udp", 1500, 53, 7
)  # fmt: skip
LATER = "100:\tfrom all to 11.0.0.0/8 lookup 300\n200:\tfrom all lookup 200\n"
FOUND = {"first": "d2", "next": "d3", "last": "d1"}
ENDS = "10.0.0.0/8 dev d2 table 100\n11.0.0.5 dev d2 table 100\n11.0.0.0/8 dev d3 table 300\ndefault dev d1 table 200\n"


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("from 10.0.0.0/8 lookup 100", "first"),
        ("from 11.0.0.0/8 lookup 100", "next"),
        ("not from 11.0.0.0/8 lookup 100", "first"),
        ("from all to 11.0.0.0/8 lookup 100", "first"),
        ("from all to 10.0.0.0/8 lookup 100", "next"),
        ("from all iif cli lookup 100", "first"),
        ("from all iif lo lookup 100", "next"),
        ("from all iif gone [detached] lookup 100", "next"),
        ("from all oif cli lookup 100", "next"),
        ("not from all oif cli lookup 100", "first"),
        ("from all tos 0x10 lookup 100", "first"),
        ("from all dsfield 0x10 lookup 100", "first"),
        ("from all tos 0x14 lookup 100", "next"),
        ("from all fwmark 0x40/0x40 lookup 100", "first"),
        ("from all fwmark 0x41/0x40 lookup 100", "first"),
        ("from all fwmark 0x41 lookup 100", "next"),
        ("from all ipproto udp lookup 100", "first"),
        ("from all ipproto 17 sport 1000-2000 dport 53 lookup 100", "first"),
        ("from all ipproto tcp lookup 100", "next"),
        ("from all sport 1600-2000 lookup 100", "next"),
        ("from all uidrange 0-7 lookup 100", "first"),
        ("from all uidrange 8-9 lookup 100", "next"),
        ("from all lookup 100 suppress_prefixlength 31", "first"),
        ("from all lookup 100 suppress_prefixlength 32", "next"),
        ("from all lookup 100 realms 3/4", "first"),
        ("from all nop", "next"),
        ("from all goto 200", "last"),
        ("from all fwmark 0x40 goto 200", "last"),
        ("from all goto 300 [unresolved]", "next"),
        ("from all unreachable", "unreachable"),
        ("from all prohibit", "prohibit"),
        ("from all to 11.0.0.0/8 blackhole", "blackhole"),
        ("from 11.0.0.0/8 blackhole", "next"),
        ("from all to 10.0.0.0/8 tun_id 5 lookup 100", "next"),
    ],
)  # fmt: skip
def test_a_rule_selects_by_all_that_it_says(rule: str, expected: str) -> None:
    rules = f"0:\tfrom all lookup local\n9:\t{rule}\n{LATER}"
    routes = Routes(read_routes(ENDS, "routes").routes, read_routing_rules(rules, "rules"))
    found = routes.lookup(ELEVEN)
    assert found is not None
    assert (found.device or found.kind) == FOUND.get(expected, expected)


def test_of_rules_that_may_be_asked_those_that_come_to_the_same_decide() -> None:
    rules = f"9:\tfrom all fwmark 0x80/0x80 lookup 100\n{LATER}"
    routes = Routes(read_routes(ENDS, "routes").routes, read_routing_rules(rules, "rules"))
    ends = routes.ends(ELEVEN._replace(has_mark=no_mark_known))
    assert ends is not None
    assert {route.device for route in ends if route} == {"d2", "d3"}
    assert routes.lookup(ELEVEN._replace(has_mark=no_mark_known)) is None
    same = Routes(
        read_routes(ENDS.replace("dev d2", "dev d3"), "routes").routes,
        read_routing_rules(rules.replace("300", "100"), "rules"),
    )
    found = same.lookup(ELEVEN._replace(has_mark=no_mark_known))
    assert found is not None
    assert found.device == "d3"


@pytest.mark.parametrize(
    ("source", "expected"), [("fd00:1::5", "d1"), ("fd00:2::5", "d2"), ("fd00:3::5", "d0"), ("", None)]
)
def test_routes_of_ipv6_may_be_for_some_sources_alone(source: str, expected: str | None) -> None:
    text = (
        "default from fd00:1::/64 via fe80::1 dev d1 metric 1024 pref medium\n"
        "fd00:9::/64 from fd00:2::/64 dev d2 metric 1024 pref medium\n"
        "default via fe80::2 dev d0 metric 1024 pref medium\n"
        "fd00:9::/64 dev hidden metric 1024 pref medium\n"
    )
    objects = [
        {"dst": words[0], **({"from": words[2]} if words[1] == "from" else {}), "dev": words[words.index("dev") + 1], "metric": 1024, "pref": "medium"}
        for words in map(str.split, text.splitlines())
    ]  # fmt: skip
    address, own = parse_network("fd00:9::7"), parse_network(source)
    assert address is not None
    for form in (text, json.dumps(objects)):
        found = read_routes(form, "routes").lookup(Sought(address, (own,) if own else ()))
        assert (found.device if found else None) == expected


def test_rules_of_json_say_the_same() -> None:
    text = '[{"priority":9,"src":"all","fwmark":"0x1","fwmask":"0x1","table":"100"},{"priority":10,"src":"all","table":"main"}]'
    assert device("10.9.0.1", 1, text) == "d0"
    assert device("10.9.0.1", 0, text) == "eth0"
    assert device("10.9.0.1", None, text) is None


IN_TEXT = """\
0:\tfrom all lookup local
10:\tfrom 10.1.0.0/24 to 10.2.0.0/16 tos 0x10 fwmark 0x40/0x40 iif cli lookup 100
11:\tnot from 10.1.0.0/24 lookup 101
12:\tfrom all oif cli lookup main suppress_prefixlength 0
13:\tfrom all ipproto udp sport 1000-2000 dport 53 goto 20
14:\tfrom all uidrange 0-10 unreachable
15:\tfrom all iif lo prohibit
17:\tfrom all lookup [l3mdev-table]
18:\tfrom all lookup 100 suppress_ifgroup 3
20:\tfrom all nop
21:\tfrom all tun_id 5 lookup 5
22:\tfrom all fwmark 0x7 goto 30 [unresolved]
"""
IN_JSON = """[{"priority":0,"src":"all","table":"local"},
{"priority":10,"src":"10.1.0.0","srclen":24,"dst":"10.2.0.0","dstlen":16,"tos":"0x10","fwmark":"0x40","fwmask":"0x40","iif":"cli","table":"100"},
{"priority":11,"not":null,"src":"10.1.0.0","srclen":24,"table":"101"},
{"priority":12,"src":"all","oif":"cli","table":"main","suppress_prefixlen":0},
{"priority":13,"src":"all","ipproto":"udp","sport_start":1000,"sport_end":2000,"dport":53,"goto":20},
{"priority":14,"src":"all","uid_start":0,"uid_end":10,"action":"unreachable"},
{"priority":15,"src":"all","iif":"lo","action":"prohibit"},
{"priority":17,"src":"all","l3mdev":null},
{"priority":18,"src":"all","table":"100","suppress_ifgroup":"3"},
{"priority":20,"src":"all","nop":null},
{"priority":21,"src":"all","tun_id":5,"table":"5"},
{"priority":22,"src":"all","fwmark":"0x7","goto":30,"unresolved":null}]"""


def test_text_and_json_of_iproute2_are_the_same_rules() -> None:
    assert read_routing_rules(IN_JSON, "rules") == read_routing_rules(IN_TEXT, "rules")


def test_tables_may_stand_as_numbers() -> None:
    rules = read_routing_rules("0:\tfrom all lookup 255 proto kernel\n9:\tfrom all lookup 254\n", "rules")
    assert [rule.leads_to for rule in rules if rule.usual] == ["local", "main"]
    (route,) = read_routes("10.0.0.0/8 dev d0 table 254\n", "routes").routes
    assert route.table == "main"


def test_rules_may_stand_among_routes() -> None:
    text = TABLES + RULES.format(second="200")
    assert read_routes(text, "routes").routes == read_routes(TABLES, "routes").routes
    assert rules_among(text, "routes") == read_routing_rules(RULES.format(second="200"), "rules")
    assert rules_among(TABLES, "routes") == ()


def test_routes_of_other_tables_may_be_asked_by_rules_that_nobody_shows() -> None:
    eight = parse_network("8.8.8.8")
    assert eight is not None
    routes = read_routes(TABLES, "routes")
    assert routes.lookup(Sought(eight)) is None
    assert not routes.leads_nowhere(Sought(eight))
    assert {route.table for route in routes.by_precedence()} == {"local"}
    usual = Routes(routes.routes, USUAL_RULES)
    assert {route.table for route in usual.by_precedence()} == {"local", "main"}
    assert (
        Routes(routes.routes[1:], USUAL_RULES).leads_nowhere(Sought(eight)) is False
    )  # nobody knows the main table
    assert read_routes("10.0.0.0/8 dev d0\n", "routes").leads_nowhere(Sought(eight))


def test_where_all_tables_are_named_what_names_none_is_of_the_main_one() -> None:
    alone = "local 10.9.0.0/16 dev lo\n"
    named = "local 192.0.2.2 dev eth0 table local\n"
    objects = '[{"type":"local","dst":"10.9.0.0/16","dev":"lo"},{"type":"local","dst":"192.0.2.2","dev":"eth0","table":"local"}]'
    assert [route.table for route in read_routes(alone, "routes").routes] == ["local"]
    for text in (alone + named, objects):
        assert [route.table for route in read_routes(text, "routes").routes] == ["main", "local"]


NEXT_HOPS = """\
10.5.0.0/16 nhid 1 via 10.2.0.2 dev srv
10.6.0.0/16 nhid 9
\tnexthop via 10.2.0.2 dev srv weight 1
\tnexthop via 10.2.0.3 dev srv weight 1
blackhole 10.7.0.0/16 nhid 3 dev lo
10.8.0.0/16 via 10.99.0.1 dev srv onlink
10.9.0.0/16  encap ip id 5 src 0.0.0.0 dst 10.2.0.2 ttl 0 tos 0 dev srv scope link
"""
NEXT_HOPS_JSON = """[{"dst":"10.5.0.0/16","nhid":1,"gateway":"10.2.0.2","dev":"srv","flags":[]},
{"dst":"10.6.0.0/16","nhid":9,"flags":[],"nexthops":[{"gateway":"10.2.0.2","dev":"srv","weight":1,"flags":[]},{"gateway":"10.2.0.3","dev":"srv","weight":1,"flags":[]}]},
{"type":"blackhole","dst":"10.7.0.0/16","nhid":3,"dev":"lo","flags":[]},
{"dst":"10.8.0.0/16","gateway":"10.99.0.1","dev":"srv","flags":["onlink"]},
{"dst":"10.9.0.0/16","encap":"ip","id":5,"src":"0.0.0.0","dst":"10.2.0.2","ttl":0,"tos":0,"dev":"srv","scope":"link","flags":[]}]"""


@pytest.mark.parametrize("text", [NEXT_HOPS, NEXT_HOPS_JSON])
def test_next_hops_of_their_own_and_tunnels_are_read_as_iproute2_prints_them(text: str) -> None:
    found = [
        (show_network(one.network), one.kind, one.device, one.gateway)
        for one in read_routes(text, "routes").routes
    ]
    assert found == [
        ("10.5.0.0/16", "unicast", "srv", "10.2.0.2"), ("10.6.0.0/16", "unicast", "srv", None), ("10.7.0.0/16", "blackhole", "lo", None),
        ("10.8.0.0/16", "unicast", "srv", "10.99.0.1"), ("10.9.0.0/16", "unicast", "srv", None),
    ]  # fmt: skip


def test_rules_of_one_family_choose_nothing_for_the_other() -> None:
    text = "default via 192.0.2.1 dev eth0\ndefault via fe80::1 dev eth6 metric 1024 pref medium\n"
    four = read_routing_rules("0:\tfrom all lookup local\n9:\tfrom all unreachable\n", "rules", 4)
    routes = Routes(read_routes(text, "routes").routes, four)
    assert routes.has_rules == {4}
    found = [
        routes.lookup(Sought(network)) for network in map(parse_network, ("8.8.8.8", "fd00::1")) if network
    ]
    assert [(one.kind, one.device) for one in found if one] == [("unreachable", None), ("unicast", "eth6")]


BY_TOS = """default via 10.3.0.77 dev e2
10.5.0.0/16 tos 0x10 via 10.1.0.77 dev e0
10.6.0.0/16 tos minimize-delay via 10.1.0.77 dev e0
"""
BY_TOS_JSON = """[{"dst":"default","gateway":"10.3.0.77","dev":"e2","flags":[]},
{"dst":"10.5.0.0/16","tos":"0x10","gateway":"10.1.0.77","dev":"e0","flags":[]},
{"dst":"10.6.0.0/16","tos":"minimize-delay","gateway":"10.1.0.77","dev":"e0","flags":[]}]"""


@pytest.mark.parametrize("text", [BY_TOS, BY_TOS_JSON])
@pytest.mark.parametrize(
    ("destination", "tos", "device"),
    [("10.5.0.9", 0x10, "e0"), ("10.5.0.9", 0, "e2"), ("10.5.0.9", None, None), ("10.5.0.9", 0xB0, "e0"),
     ("10.6.0.9", 0x10, None), ("10.7.0.9", None, "e2")],
)  # fmt: skip
def test_routes_may_be_for_one_type_of_service(
    text: str, destination: str, tos: int | None, device: str | None
) -> None:
    to = parse_network(destination)
    assert to is not None
    route = read_routes(text, "routes").lookup(Sought(to, tos=tos))
    assert (route and route.device) == device
