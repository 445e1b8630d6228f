"""What is found in a text: tables, chains, sets; commands; what is open at its end; what is none of it."""

from __future__ import annotations

import pytest

from iptviz.errors import NothingError
from iptviz.intake.remark import LineNote, remark
from iptviz.nft.expressions import Value
from iptviz.nft.model import Base, Chain, NamedObject, Ruleset, Table
from iptviz.nft.positions import Numbered
from iptviz.nft.text_model import ChainPieces
from tests.nft.told import listing, ruleset_of, told


def chain_of(ruleset: Ruleset, name: str) -> Chain:
    return next(table.chains[name] for table in ruleset.tables.values() if name in table.chains)


def texts(chain: Chain) -> list[str]:
    return [rule.text for rule in chain.rules]


def table_of(ruleset: Ruleset, family: str, name: str) -> Table:
    table = ruleset.table(family, name)
    assert table is not None
    return table


WRITTEN = """\
#!/usr/sbin/nft -f
# braces in a comment {
flush ruleset
table inet fw {
  flags dormant; comment "mine"
  set blocked {
    type ipv4_addr
    flags interval
    elements = {
      10.0.0.1, # the first, and worst
      192.168.0.0/16
    }
  }
  counter seen { packets 1 bytes 2 }
  chain input {
    type filter hook input priority filter - 5; policy drop
    comment "all that comes in"
    iif lo accept comment "a } brace; semi"
    ip saddr {
      1.1.1.1,
      2.2.2.2
    } drop
    tcp dport { 80, 443 } \\
       accept; counter
  }
  chain other { drop; }
}
"""


def test_what_people_write_is_found() -> None:
    ruleset = ruleset_of(WRITTEN)
    table = table_of(ruleset, "inet", "fw")
    assert (table.flags, table.comment, table.line, table.acts) == (("dormant",), "mine", 4, False)
    assert table.objects == {("counter", "seen"): NamedObject("counter", "seen", "packets 1 bytes 2", 14)}
    chain = table.chains["input"]
    assert chain.base == Base("filter", "input", -5, "drop")
    assert (chain.comment, chain.line) == ("all that comes in", 15)
    assert [(rule.number, rule.line) for rule in chain.rules] == [(1, 18), (2, 19), (3, 23), (4, 24)]
    assert texts(chain)[2:] == ["tcp dport { 80, 443 } \\\n       accept", "counter"]
    assert texts(table.chains["other"]) == ["drop"]
    assert [line for line, _ in table.sets["blocked"].lines] == [10, 11]
    assert (ruleset.remarks, ruleset.notes) == ([], [])


COMMANDS = """\
nft add table ip t
add chain ip t c { type filter hook input priority 0 ; policy drop ; }
add rule ip t c tcp dport { 22, 80 } accept
insert rule ip t c ct state established accept
add set ip t s { type ipv4_addr; flags interval; elements = { 1.2.3.4 } }
add element ip t s { 5.6.7.8, 9.9.9.9 }
add map ip t m {
  type inet_service : verdict
}
add rule t c ip saddr @s drop; add rule t c drop
add chain t gone
delete chain t gone
add set t emptied { type mark; elements = { 1, 2 }; }
flush set t emptied
add table t2
delete table t2
add counter ip t n
add rule ip t c position 5 accept
"""


def test_commands_are_obeyed() -> None:
    ruleset = ruleset_of(COMMANDS)
    assert list(ruleset.tables) == [("ip", "t")]
    table = table_of(ruleset, "ip", "t")
    assert texts(table.chains["c"]) == [
        "ct state established accept", "tcp dport { 22, 80 } accept", "ip saddr @s drop", "drop",
    ]  # fmt: skip
    assert list(table.chains) == ["c"]
    assert [element.key for element in table.sets["s"].elements] == [
        Value("ipv4_addr", number) for number in (0x01020304, 0x05060708, 0x09090909)
    ]
    assert table.sets["emptied"].elements == ()
    assert (table.sets["m"].is_map, table.sets["m"].head.data_type) == (True, ("verdict",))
    assert ("counter", "n") in table.objects
    assert ruleset.notes == [LineNote(18, 18, "not-nft", skipped=True)]


def test_chains_as_nft_prints_them_can_be_added_to_and_flushed() -> None:
    printed = "table ip t {\n\tchain a { # handle 1\n\t\taccept\n\t\tdrop\n\t}\n\n\tchain b {\n\t}\n}\n"
    chains = table_of(ruleset_of(printed), "ip", "t").chains
    assert [(chain.line, chain.handle, texts(chain)) for chain in chains.values()] == [
        (2, 1, ["accept", "drop"]), (7, None, []),
    ]  # fmt: skip
    commands = "insert rule ip t a continue\nadd rule ip t a queue\nadd rule ip t b drop\n"
    chains = table_of(ruleset_of(printed + commands), "ip", "t").chains
    assert [(chain.line, chain.handle, texts(chain)) for chain in chains.values()] == [
        (2, 1, ["continue", "accept", "drop", "queue"]), (7, None, ["drop"]),
    ]  # fmt: skip
    again = "table ip t {\n\tchain a {\n\t\treturn\n\t}\n}\n"
    chains = table_of(ruleset_of(printed + again), "ip", "t").chains
    assert texts(chains["a"]) == ["accept", "drop", "return"]
    chains = table_of(ruleset_of(printed + "flush chain ip t a\n"), "ip", "t").chains
    assert (list(chains), texts(chains["a"])) == (["a", "b"], [])


def test_places_are_in_their_lines() -> None:
    for text in ("", "\n", "a\nb", "\n" * 5000, ("x" * 700 + "\n") * 9):
        source = Numbered(text)
        found = [source.line_of(place) for place in range(len(text) + 1)]
        assert found == [text.count("\n", 0, place) + 1 for place in range(len(text) + 1)]


def test_of_long_chains_fewer_are_remembered() -> None:
    rule = (
        f"ip saddr {{ {', '.join(f'10.0.{high}.{low}' for high in range(40) for low in range(250))} }} drop"
    )
    chains = "".join(f"\tchain c{number} {{\n\t\t{rule}\n\t}}\n" for number in range(20))
    table = table_of(ruleset_of(f"table ip t {{\n{chains}}}\n"), "ip", "t")
    assert [texts(chain) for chain in table.chains.values()] == [[rule]] * 20
    reader = table.chains["c19"].reader
    assert isinstance(reader, ChainPieces)
    assert [chain.name for chain in reader.source.bodies] == [f"c{number}" for number in range(4, 20)]


def test_flushed_chains_and_tables_lose_their_rules() -> None:
    ruleset = ruleset_of(
        "table ip t { chain a { drop; } ; chain b { drop; } }\nflush chain t a\ntable ip u { chain c { drop; } }\nflush table u\n"
    )
    chains = {
        name: len(chain.rules) for table in ruleset.tables.values() for name, chain in table.chains.items()
    }
    assert chains == {"a": 0, "b": 1, "c": 0}


def test_a_fragment_has_a_table_without_a_name() -> None:
    ruleset = ruleset_of("\tchain services {\n\t\tdrop\n\t}\n\n\tset s {\n\t\ttype ipv4_addr\n\t}\n")
    table = table_of(ruleset, "", "")
    assert (list(table.chains), list(table.sets), ruleset.remarks) == (["services"], ["s"], [])


def test_what_is_open_at_the_end_is_told_and_what_was_there_is_kept() -> None:
    text = listing("every-1.36.listing").decode()
    cut = text[: text.index("203.0.113.40 . udp . 80 : goto external") + 30]
    ruleset = ruleset_of(cut)
    assert [(one.id, dict(one.values)["name"]) for one in ruleset.remarks] == [
        ("nft-block-open", "service-ips"), ("nft-block-open", "kube-proxy"),
    ]  # fmt: skip
    kept = table_of(ruleset, "ip", "kube-proxy").sets["service-ips"].elements
    assert len(kept) == 11  # the last one may have been longer
    last = cut.count("\n") + 1
    assert ruleset.notes == [LineNote(last, last, "line-unended", skipped=True)]
    assert len(table_of(ruleset_of(f"{cut}\n"), "ip", "kube-proxy").sets["service-ips"].elements) == 12


def test_a_block_that_is_not_closed_ends_where_another_begins() -> None:
    ruleset = ruleset_of(
        "table ip t {\n\tchain a {\n\t\tdrop\n\tchain b {\n\t\taccept\n\t}\n}\ntable ip u {\n}\n"
    )
    assert {name: texts(chain) for name, chain in table_of(ruleset, "ip", "t").chains.items()} == {
        "a": ["drop"], "b": ["accept"],
    }  # fmt: skip
    assert ruleset.remarks == [remark("nft-block-open", 2, kind="chain", name="a")]
    assert ("ip", "u") in ruleset.tables


def test_json_that_is_cut_short_keeps_what_was_there() -> None:
    whole = listing("every-1.36.json").decode()
    ruleset = ruleset_of(whole[: len(whole) // 2])
    assert [one.id for one in ruleset.remarks] == ["nft-json-open"]
    assert len(table_of(ruleset, "ip", "kube-proxy").chains) > 10


def test_text_around_json_is_left_out() -> None:
    ruleset = ruleset_of(b"# nft -j list ruleset\n" + listing("every-1.36.json") + b"# done\n")
    assert ruleset.form == "json"
    assert [note.places() for note in ruleset.notes] == ["1", "3"]


@pytest.mark.parametrize(
    "text", ["", "*nat\n:PREROUTING ACCEPT [0:0]\nCOMMIT\n", '{"nftables": []}', "hello\n"]
)
def test_a_text_without_tables_is_refused(text: str) -> None:
    with pytest.raises(NothingError):
        ruleset_of(text)


def test_tables_that_iptables_nft_made_are_known_by_the_warning() -> None:
    warning = b"# Warning: table ip nat is managed by iptables-nft, do not touch!\n"
    ruleset = ruleset_of(warning + listing("mixed-node.listing"))
    assert {table.name: table.managed for table in ruleset.tables.values()} == {
        "filter": False, "nat": True, "kube-proxy": False,
    } or table_of(ruleset, "ip", "nat").managed  # fmt: skip


def test_a_part_of_a_map_is_found_by_a_word() -> None:
    table = table_of(ruleset_of(listing("every-1.36.listing")), "ip", "kube-proxy")
    found = table.sets["service-ips"].elements_with("10.96.0.10 ")
    assert [line for line, _ in found] == [84, 85]
    assert [element for _, element in found] == list(table.sets["service-ips"].elements[2:4])
    assert table.sets["service-ips"].elements_with("10.96.0.11 ") == ()


def test_handles_are_told() -> None:
    ruleset = ruleset_of(
        "table ip t { # handle 5\n\tchain c { # handle 1\n\t\tdrop # handle 7\n\t}\n\tset s { # handle 2\n\t\ttype mark\n\t}\n}\n"
    )
    table = table_of(ruleset, "ip", "t")
    rule = table.chains["c"].rules[0]
    assert (table.handle, table.chains["c"].handle, table.sets["s"].handle) == (5, 1, 2)
    assert (rule.handle, rule.text) == (7, "drop")
    assert rule == table.chains["c"].rules[0]
    assert hash(rule) == hash(table.chains["c"].rules[0])


@pytest.mark.parametrize(
    ("priority", "family", "number"),
    [
        ("dstnat - 10", "ip", -110), ("-110", "ip", -110), ("filter", "ip", 0), ("filter + 5", "inet", 5),
        ("srcnat", "ip6", 100), ("security", "ip", 50), ("mangle", "ip", -150), ("raw", "ip", -300),
        ("filter", "bridge", -200), ("dstnat", "bridge", -300), ("out", "bridge", 100), ("srcnat", "bridge", 300),
        ("odd", "ip", None), ("filter - x", "ip", None),
    ],
)  # fmt: skip
def test_priorities_are_numbers(priority: str, family: str, number: int | None) -> None:
    text = f"table {family} t {{ chain c {{ type filter hook input priority {priority}; }} }}"
    base = chain_of(ruleset_of(text), "c").base
    assert base is not None
    assert base.priority == number


def test_a_table_acts_if_packets_may_meet_something() -> None:
    base = "type filter hook input priority 0;"
    assert [
        table_of(ruleset_of(f"table ip t {{ {inner} }}"), "ip", "t").acts
        for inner in (
            "", "chain c { drop; }", f"chain c {{ {base} }}", f"chain c {{ {base} policy drop; }}",
            f"chain c {{ {base} drop; }}", f"flags dormant; chain c {{ {base} drop; }}",
        )
    ] == [False, False, False, True, True, False]  # fmt: skip


def test_devices_of_ingress_are_told() -> None:
    text = 'table netdev t { chain c { type filter hook ingress devices = { "eth0", lo } priority -500; flags offload; } }'
    assert chain_of(ruleset_of(text), "c").base == Base(
        "filter", "ingress", -500, "accept", ("eth0", "lo"), ("offload",)
    )


def test_types_of_expressions_are_types_of_sets() -> None:
    text = (
        "table ip t { map m { typeof ip saddr . tcp dport : meta mark; elements = { 10.0.0.1 . 80 : 0x5 } } }"
    )
    found = table_of(ruleset_of(text), "ip", "t").sets["m"]
    assert (found.head.key_type, found.head.data_type) == (("ipv4_addr", "inet_service"), ("mark",))
    assert found.elements[0].data == Value("mark", 5)


def test_the_indentation_of_a_listing_makes_no_difference() -> None:
    """Chains that look as nft prints them are found in one step, others by their braces."""
    text = listing("every-1.34.listing").decode()
    assert told(ruleset_of(text.replace("\n\t", "\n "))) == told(ruleset_of(text))
