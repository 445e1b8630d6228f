"""Dumps made of listings of nft: which tables become one, what they answer, and at which lines."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import iptviz
from iptviz.errors import DumpError
from iptviz.iptables_nft.rules import spelled
from iptviz.nft.read import read_ruleset
from iptviz.node.load import load_node
from tests.nft.told import listing
from tests.program import run

if TYPE_CHECKING:
    from iptviz.dump.model import Dump

SAVED = Path(__file__).with_name("mixed-node.rules").read_bytes()
LISTED, JSON = listing("mixed-node.listing"), listing("mixed-node.json")
OF_IPTABLES = re.sub(rb"(?m)^table ip kube-proxy \{\n(?:[^}\n].*\n|\n)*\}\n", b"", LISTED)
"""Without the table of nftables mode, whose services would be told first."""
BARE = re.sub(rb' -m comment --comment "[^"]*"', b"", SAVED.replace(b"\n-A ", b"\n[0:0] -A "))
"""What a listing of nft 1.0.6 shows, which prints counters and no comments."""

NAT = """table ip nat {
	chain PREROUTING {
		type nat hook prerouting priority dstnat; policy accept;
		ip daddr 10.96.0.1 tcp dport 443 counter packets 3 bytes 180 dnat to 10.0.0.1:6443
		counter packets 0 bytes 0 jump OTHERS
	}

	chain OTHERS {
	}
}
"""
OWN = NAT.replace("PREROUTING", "mine").replace("jump OTHERS", "accept")


def dump_of(text: str | bytes) -> Dump:
    return load_node(text.encode() if isinstance(text, str) else text).dump


def without_places(found: Any) -> Any:
    """Return a document without lines, counters, and what tells the files apart."""
    if isinstance(found, dict):
        kept = {key: value for key, value in found.items() if key not in _PLACES and "line" not in key}
        return {key: without_places(value) for key, value in kept.items()}
    if isinstance(found, list):
        return [without_places(one) for one in found]
    return re.sub(r"\blines? [\d, ]+", "", found) if isinstance(found, str) else found


_PLACES = {"dump", "observed", "assumed", "packets", "bytes", "counters", "notes"}


@pytest.mark.parametrize(
    "question",
    [("services",), ("trace", "10.97.20.1"), ("trace", "203.0.113.30:80"), ("trace", ":30080"), ("graph",)],
    ids=" ".join,
)
def test_a_listing_answers_as_the_dump_without_comments_does(question: tuple[str, ...]) -> None:
    told = [json.loads(run(*question, "--json", stdin=text).stdout) for text in (OF_IPTABLES, BARE)]
    assert without_places(told[0]) == without_places(told[1])


def test_check_finds_the_same_in_a_listing_and_the_other_mode() -> None:
    told = [json.loads(run("check", "--json", stdin=text).stdout) for text in (LISTED, BARE)]
    found = [{finding["id"] for finding in one["findings"]} for one in told]
    assert found[0] == found[1] | {"both-modes"}


def test_what_a_listing_without_comments_cannot_tell_is_no_difference(tmp_path: Path) -> None:
    """nft 1.0.6 prints none of iptables' comments: external IPs and those of load balancers look alike."""
    (tmp_path / "old").write_bytes(SAVED)
    (tmp_path / "new").write_bytes(OF_IPTABLES)
    done = run("diff", str(tmp_path / "old"), str(tmp_path / "new"), "--json")
    found = json.loads(done.stdout)
    assert (done.returncode, found["differs"], found["services"]["changed"]) == (0, False, [])
    assert any(text.startswith("kinds of 2 ipv4 frontends") for text in found["not_compared"])


def test_who_has_no_local_endpoint_is_told_without_comments() -> None:
    """Of what has endpoints elsewhere, filter drops; it rejects what has none at all."""
    found = json.loads(run("check", "--json", stdin=OF_IPTABLES).stdout)["findings"]
    assert {"local-drop"} == {one["id"] for one in found if one["id"] in {"local-drop", "no-endpoints"}}
    assert "external-ip-public" not in {one["id"] for one in found}


def test_every_rule_stands_at_the_line_of_the_listing() -> None:
    dump = dump_of(LISTED)
    lines = LISTED.decode().split("\n")
    for table in dump.tables.values():
        for rule in table.rules():
            target = rule.target.name if rule.target else ""
            assert target.lower() in lines[rule.line - 1].lower() or target == "MARK"
        for name in table.chains:
            assert lines[table.chains[name].line - 1] == f"\tchain {name} {{"


def test_what_wrote_it_is_told() -> None:
    dump = dump_of(NAT)
    assert (dump.form, dump.tool, dump.backend, dump.family) == (
        "nft list ruleset", "nft list ruleset", "nf_tables", "ipv4",
    )  # fmt: skip
    assert dump_of(JSON).tool == "nft v1.0.6"
    assert "nft list ruleset, ipv4 · nat · 2 rules · complete" in run("graph", stdin=NAT.encode()).stdout


def test_counters_are_those_of_the_listing() -> None:
    (rule, _) = dump_of(NAT).tables["nat"].rules_of("PREROUTING")
    assert (rule.line, rule.number, rule.counters and rule.counters.packets) == (4, 1, 3)
    assert (
        rule.text
        == "-A PREROUTING -d 10.96.0.1/32 -p tcp -m tcp --dport 443 -j DNAT --to-destination 10.0.0.1:6443"
    )


# --- which tables ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        OWN,
        NAT.replace("table ip ", "table inet "),
        NAT.replace("nat {", "kube-proxy {"),
        NAT.replace("dstnat", "-90"),
        NAT.replace("hook prerouting", "hook output"),
        NAT.replace("nat {", "nat {\n\tflags dormant"),
        NAT.replace("chain OTHERS", "chain DROP"),
    ],
)
def test_a_table_that_iptables_would_not_make_is_none_of_it(text: str) -> None:
    with pytest.raises(DumpError, match="only a listing of nft"):
        dump_of(text)


def test_a_table_that_nft_warns_of_is_one() -> None:
    text = "table ip mangle {\n\tchain KUBE-IPTABLES-HINT {\n\t}\n}\n"
    warned = f"# Warning: table ip mangle is managed by iptables-nft, do not touch!\n{text}"
    assert list(dump_of(warned).tables) == ["mangle"]
    assert list(dump_of(text + NAT).tables) == ["mangle", "nat"]


def test_native_chains_of_such_a_table_are_asked_as_nft_asks_them() -> None:
    native = (
        "\tchain mine {\n\t\ttype filter hook forward priority filter; policy accept;\n\t\tdrop\n\t}\n}\n"
    )
    text = NAT.removesuffix("}\n") + native
    node = load_node(text.encode())
    assert not node.dump.tables["nat"].has_chain("mine")
    assert [gap.id for gap in node.dump.gaps] == ["base-chains-unseen"]
    asked = iptviz.packet(node, src="10.1.0.2", dst="10.2.0.2", local_ips=("192.0.2.1",))
    assert {one.verdict for one in asked.outcomes} == {"DROP"}


def test_a_dump_of_the_family_goes_before_a_listing(tmp_path: Path) -> None:
    (tmp_path / "save").write_bytes(SAVED)
    (tmp_path / "nft").write_bytes(LISTED)
    assert [dump.form for dump in load_node(str(tmp_path)).dumps] == ["iptables-save"]
    (tmp_path / "save").write_text(
        NAT.replace("table ip ", "table ip6 ").replace("ip daddr 10.96.0.1 ", "ip6 daddr fd00::1 ")
    )
    assert {dump.family for dump in load_node(str(tmp_path)).dumps} >= {"ipv4"}


def test_what_is_cut_off_or_was_not_asked_for_is_missing() -> None:
    cut = dump_of(NAT[: NAT.index("\tchain OTHERS")])
    assert {gap.id for gap in cut.gaps} == {"nft-block-open", "chains-unlisted"}
    assert cut.lacks_lines
    chain = dump_of(
        "$ nft list chain ip nat PREROUTING\n"
        + NAT.replace("\t\tcounter packets 0 bytes 0 jump OTHERS\n", "")
    )
    assert [gap.id for gap in chain.gaps] == ["chains-unlisted"]


# --- JSON --------------------------------------------------------------------------------------------------------


def test_json_says_what_it_hides_and_no_share_is_made_of_it() -> None:
    dump = dump_of(JSON)
    assert [(gap.id, dict(gap.values)["count"]) for gap in dump.gaps] == [("nft-hides", 35)]
    objects = [
        one
        for one in json.loads(JSON)["nftables"]
        if all("kube-proxy" not in (each.get("table"), each.get("name")) for each in one.values())
    ]
    told = run("services", stdin=json.dumps({"nftables": objects}).encode())
    assert "not printed" in told.stdout
    assert "33.33" not in told.stdout
    assert "SNAT         by kube-proxy's chains: unknown" in told.stdout


def test_json_is_cited_by_its_objects() -> None:
    objects = json.loads(JSON)["nftables"]
    for table in dump_of(JSON).tables.values():
        for rule in table.rules():
            assert objects[rule.line - 1]["rule"]["chain"] == rule.chain
    told = run("trace", "10.97.20.1", stdin=JSON)
    assert "line numbers count the objects of the JSON" in told.stderr + told.stdout
    assert "line 0" not in told.stdout


# --- hostile listings ----------------------------------------------------------------------------------------------

_PIECES = [
    b"{",
    b"}",
    b"\n",
    b'"',
    b" drop",
    b"@x",
    b"jump",
    b"counter",
    b"\t",
    b"ip6",
    b"-A ",
    b"\x00",
    b"\xff",
    b"!",
    b"*nat",
]


def _mutated(dice: random.Random, text: bytes) -> bytes:
    for _ in range(dice.randint(1, 6)):
        at, end = sorted(dice.sample(range(len(text)), 2))
        way = dice.randrange(4)
        cut = min(end, at + dice.randint(1, 40))
        if way == 0:
            text = text[:at] + text[cut:]
        elif way == 1:
            text = text[:at] + dice.choice(_PIECES) + text[at:]
        elif way == 2:
            text = text[:cut] + text[at:]
        else:
            text = text[:at] + text[at:cut].swapcase() + text[cut:]
    return text


@pytest.mark.parametrize("text", [LISTED[:4000], JSON[:6000], NAT.encode()], ids=["text", "json", "small"])
def test_mutated_listings_are_read_or_refused(text: bytes) -> None:
    for seed in range(60):
        dice = random.Random(seed)
        mutated = _mutated(dice, text)
        try:
            node = load_node(mutated)
            for dump in node.dumps:
                names = {rule.parts.chain for table in dump.tables.values() for rule in table.rules()}
                assert names <= {name for table in dump.tables.values() for name in table.chains}
                assert bytes(dump) == mutated
            iptviz.packet(node, src="10.1.0.2", dst="10.96.0.1", protocol="tcp", dport=443)
        except DumpError:
            continue


def test_names_and_texts_cannot_add_lines() -> None:
    rules: list[dict[str, Any]] = [
        {
            "comment": 'a"\n-A PREROUTING -j ACCEPT',
            "expr": [{"jump": {"target": "C\n-A PREROUTING -j DROP"}}],
        },
        {
            "expr": [
                {
                    "match": {
                        "op": "==",
                        "left": {"meta": {"key": "iifname"}},
                        "right": "e\n-A PREROUTING -j DROP",
                    }
                }
            ]
        },
        {
            "expr": [
                {"xt": {"type": "match", "name": "a\nCOMMIT"}},
                {"counter": {"packets": "1\n", "bytes": 1}},
            ]
        },
    ]
    at: dict[str, Any] = {"family": "ip", "table": "nat"}
    head: dict[str, Any] = {
        **at,
        "name": "PREROUTING",
        "type": "nat",
        "hook": "prerouting",
        "prio": -100,
        "policy": "accept",
    }
    objects: list[dict[str, Any]] = [
        {"table": {"family": "ip", "name": "nat"}},
        {"chain": head},
        {"chain": {**at, "name": "C"}},
    ]
    objects += [{"rule": {**at, "chain": "PREROUTING", **rule}} for rule in rules]
    ruleset = read_ruleset(json.dumps({"nftables": objects}).encode())
    made = [spelled(rule, 4).text for rule in ruleset.tables["ip", "nat"].chains["PREROUTING"].rules]
    assert len(made) == len(rules)
    assert all(line.startswith("-A PREROUTING ") and "\n" not in line for line in made)
