"""Any text at all: nothing but DumpError is raised, nothing of the text is lost, and the time grows with its length."""

from __future__ import annotations

import json
import re
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iptviz.errors import DumpError
from iptviz.nft.cleaned import clean
from iptviz.nft.commands import COMMAND
from iptviz.nft.read import read_ruleset
from iptviz.nft.spans import HEAD, statements_in
from iptviz.nft.statement_reader import read_rule
from iptviz.nft.statements import Unread
from iptviz.nft.text_model import ChainPieces, SetPieces
from iptviz.nft.text_reader import TextReader
from iptviz.nft.tokens import tokens_of
from tests.nft.told import listing

if TYPE_CHECKING:
    from iptviz.nft.model import Ruleset

SEEDS = [
    listing("every-1.36.listing").decode(), listing("zoo.nft").decode(), listing("zoo.listing").decode(),
    listing("mixed-node.listing").decode()[:6000], listing("ipv6-1.34.json").decode(),
    "add table ip t\nadd chain ip t c { type filter hook input priority 0; }\nadd rule ip t c tcp dport { 22, 80 } drop\n",
]  # fmt: skip
WORDS = sorted({word for seed in SEEDS for word in re.findall(r"\S+", seed)})
BITS = [
    "{",
    "}",
    '"',
    "#",
    ";",
    ",",
    "\n",
    "\t",
    " ",
    "\\",
    "(",
    ")",
    ":",
    ".",
    "/",
    "-",
    "@",
    "=",
    "\x00",
    "\r",
    "\ufeff",
]


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """A part of a listing with some pieces taken out, doubled or put in."""
    seed = draw(st.sampled_from(SEEDS))
    begin = draw(st.integers(0, len(seed)))
    text = seed[begin if draw(st.booleans()) else 0 :][: draw(st.integers(1, 4000))]
    for _ in range(draw(st.integers(0, 6))):
        at = draw(st.integers(0, len(text)))
        size = draw(st.integers(0, 40))
        new = draw(
            st.sampled_from(WORDS)
            | st.sampled_from(BITS)
            | st.just(text[at : at + size])
            | st.text(max_size=5)
        )
        text = text[:at] + new + text[at + draw(st.sampled_from((0, size))) :]
    return text


def ask_all(ruleset: Ruleset, last: int) -> None:
    """Ask everything of a rule set."""
    assert all(0 <= one.line <= last for one in ruleset.remarks)
    assert all(1 <= note.first <= note.last <= last for note in ruleset.notes)
    for table in ruleset.tables.values():
        assert table.acts in {True, False}
        for chain in table.chains.values():
            assert 0 <= chain.line <= last
            assert chain.base is None or chain.base.hook is not None
            for number, rule in enumerate(chain.rules, 1):
                assert rule.number == number
                assert 0 <= rule.line <= last
                assert rule.text
                assert rule.statements or rule.comment is not None or not tokens_of(rule.text)
        for found in table.sets.values():
            assert found.head is not None
            assert all(0 <= line <= last for line, _ in found.lines)


@given(mutated())
def test_any_text_is_read_or_refused(text: str) -> None:
    data = text.encode("utf-8", "surrogatepass")
    with suppress(DumpError):
        ask_all(read_ruleset(data), data.count(b"\n") + data.count(b"\r") + 1)


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    for before in (b"", b"table ip t {\n", b'{"nftables": ['):
        with suppress(DumpError):
            read_ruleset(before + data)


AROUND = (
    re.sub(r"[?]P<[a-z]+>", "?:", HEAD.pattern), r"[{}]", r"(?:flags|comment)[ \t][^\n;}]*", r"#[^\n]*", r"[\s;]",
    r"(?:nft[ \t]+)?(?:add|create|insert)[ \t][^\n;{]*",
)  # fmt: skip
HEADS = re.compile(f"(?:{'|'.join(AROUND)})*")
"""What stands around and between what is read: the beginnings and ends of blocks, and what tables say of themselves."""


@given(mutated())
def test_what_is_read_and_what_is_left_out_are_the_text(text: str) -> None:
    text = clean(text.encode("utf-8", "surrogatepass")).text
    reader = TextReader(text)
    ruleset = reader.read()
    taken = [*reader.left_out, *([reader.unended] if reader.unended else [])]
    for table in ruleset.tables.values():
        readers: list[object] = [chain.reader for chain in table.chains.values()]
        for pieces in (*readers, *(found.reader for found in table.sets.values())):
            assert isinstance(pieces, ChainPieces | SetPieces)
            taken += pieces.spans
            taken += pieces.added if isinstance(pieces, SetPieces) else []
    commands = [found["verb"] for found in COMMAND.finditer(text)]
    if {"flush", "delete", "destroy"} & set(commands) or any(
        table.objects for table in ruleset.tables.values()
    ):
        return  # what is taken away is not kept, and objects are kept as texts
    rest, at = [], 0
    for start, end in sorted(taken):
        rest.append(text[at:start])
        at = max(at, end)
    left = "".join((*rest, text[at:]))
    assert HEADS.fullmatch(left), left


@given(mutated())
def test_between_statements_is_nothing_but_what_divides_them(text: str) -> None:
    at = 0
    for start, end in statements_in(text, 0, len(text)):
        assert start >= at
        assert set(text[at:start]) <= {"\n", ";"}
        at = end
    assert set(text[at:]) <= {"\n", ";"}


@given(st.lists(st.sampled_from(WORDS) | st.sampled_from(BITS), max_size=12))
def test_a_rule_is_read_whatever_it_says(words: list[str]) -> None:
    """Words of no known form are kept, in their order."""
    text = " ".join(words)
    read = read_rule(text, "inet")
    kept = [one.text for one in read.statements if isinstance(one, Unread)]
    assert all(one in text for one in kept)


@given(st.recursive(
    st.none() | st.booleans() | st.integers(0, 99) | st.sampled_from(("ip", "saddr", "@s", "10.0.0.1", "accept", "*")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(("match", "left", "right", "op", "payload", "protocol", "field", "meta", "key", "set", "elem",
                         "map", "data", "dnat", "addr", "counter", "concat", "prefix", "range", "log", "val", "limit")),
        inner, max_size=3),
    max_leaves=12,
))  # fmt: skip
def test_any_json_is_read(data: object) -> None:
    place = {"family": "ip", "table": "t"}
    items = [
        {"table": {"family": "ip", "name": "t"}}, {"chain": {**place, "name": "c"}},
        {"rule": {**place, "chain": "c", "expr": [data, {"match": data}, {"dnat": data}, {"vmap": data}]}},
        {"set": {**place, "name": "s", "type": data, "elem": data}},
        {"map": {**place, "name": "m", "type": "mark", "map": "verdict", "elem": [data]}},
    ]  # fmt: skip
    ask_all(read_ruleset(json.dumps({"nftables": items}).encode()), 1)


HOSTILE = {
    "open braces": "table ip t {" + "chain c {" * 20_000,
    "open blocks": "table ip t {\n" + "\tchain c {\n" * 20_000,
    "open tables": "table ip t {\n" * 20_000,
    "open quotes": "table ip t {\n" + '\tchain c {\n\t\tcomment "\n' * 10_000,
    "brackets": "table ip t { chain c { ip saddr " + "(" * 50_000 + " } }",
    "sets within sets": "table ip t { chain c { ip saddr " + "{ " * 50_000 + " } }",
    "operators": "table ip t { chain c { meta mark " + "| 0x1 " * 20_000 + " } }",
    "dashes": "table ip t { chain c { tcp dport " + "1-" * 50_000 + " } }",
    "dots": "table ip t { set s { type mark; elements = { " + "1 . " * 30_000 + " } } }",
    "commas": "table ip t { set s { type mark; elements = { " + ", " * 100_000 + " } } }",
    "stray lines": "table ip t {\n" + "\todd\n" * 40_000,
    "commands": "add rule ip t c drop\n" * 10_000,
    "semicolons": "table ip t { chain c { " + "drop;" * 40_000 + " } }",
    "json lists": '{"nftables": [' + "[" * 50_000,
    "json objects": '{"nftables": ' * 20_000,
    "wrapped": "table ip t {\n\tchain c {\n" + "\t\tip saddr 10.0.0.1\nx\n" * 20_000,
    "unread words": "table ip t { chain c { " + "odd accept " * 20_000 + " } }",
}  # fmt: skip


@pytest.mark.parametrize("what", HOSTILE)
def test_hostile_texts_take_no_time(what: str) -> None:
    """100 to 600 kB each: what grew with the square of the length would take minutes."""
    data = HOSTILE[what].encode()
    begin = time.process_time()
    with suppress(DumpError):
        ask_all(read_ruleset(data), data.count(b"\n") + 1)
    assert time.process_time() - begin < 4
