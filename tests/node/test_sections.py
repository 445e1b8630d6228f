"""A text cut at its commands: nothing is lost, lines keep their numbers, and rules are never evidence."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iptviz.node.load import load_node
from iptviz.node.sections import Section, sections_of, text_of, without
from tests.node import texts

PROMPTS = ("# ", "$ ", "[root@node-1 ~]# ", "root@node-1:~# ", "sh-5.1# ", "", "=== ", "> ", "/ # ", "```\n")
OUTPUTS = (
    ("ip a", texts.ADDRESSES),
    ("ip route", texts.MAIN_ROUTES),
    ("ip rule", texts.RULES),
    ("ipset save", texts.IPSET_SAVE),
    ("sysctl -a", texts.SYSCTLS),
    ("iptables-save", texts.NO_RULES),
    ("iptables -nvL", texts.listing("filter-vnxL.txt")),
    ("hostname", b"node-1\n"),
    ("uptime", b""),
)
typed = st.tuples(st.sampled_from(PROMPTS), st.sampled_from(OUTPUTS)).map(
    lambda one: one[0].encode() + one[1][0].encode() + b"\n" + one[1][1]
)
terminals = st.lists(st.one_of(typed, st.binary(max_size=30)), max_size=8).map(b"".join)


def kinds(text: bytes) -> list[tuple[str, str | None]]:
    return [(section.command, section.kind) for section in sections_of(text)]


@given(terminals)
def test_sections_and_their_commands_cover_the_text_without_gaps(text: bytes) -> None:
    at = 0
    for section in sections_of(text):
        assert (section.start if section.head is None else section.head) == at
        assert section.start <= section.end
        assert section.line == 1 + text.count(b"\n", 0, section.start)
        at = section.end
    assert at == len(text)


@given(terminals, st.sets(st.integers(0, 8)))
def test_masked_lines_keep_the_numbers_of_all_others(text: bytes, chosen: set[int]) -> None:
    sections = sections_of(text)
    taken = [section for number, section in enumerate(sections) if number in chosen]
    masked = without(text, taken).split(b"\n")
    lines = text.split(b"\n")
    assert len(masked) == len(lines)
    gone = {number for section in taken for number in _lines_of(text, section)}
    for number, (line, other) in enumerate(zip(lines, masked, strict=True)):
        assert other == (b"" if number in gone else line)


def _lines_of(text: bytes, section: Section) -> range:
    start = section.start if section.head is None else section.head
    return range(text.count(b"\n", 0, start), text.count(b"\n", 0, section.end) + (section.end == len(text)))


@given(terminals)
def test_the_text_of_a_section_stands_at_its_lines(text: bytes) -> None:
    lines = text.decode("utf-8", "replace").split("\n")
    for section in sections_of(text):
        found = text_of(text, section).split("\n")
        whole = found[section.line - 1 : -1]
        assert whole == lines[section.line - 1 : section.line - 1 + len(whole)]


@given(terminals)
def test_a_section_with_rules_in_it_is_no_evidence(text: bytes) -> None:
    for section in sections_of(text):
        part = text[section.start : section.end]
        if part.startswith(b"*filter\n") or b"\n*filter\n" in part or b"\nChain INPUT (" in part:
            assert section.kind is None


def test_a_file_without_commands_is_one_section() -> None:
    assert sections_of(texts.ADDRESSES) == [Section(0, len(texts.ADDRESSES), 1, "", None, "addresses")]
    assert sections_of(b"") == [Section(0, 0, 1, "", None, None)]


def test_each_command_begins_a_section() -> None:
    text = b"$ ip a\n" + texts.ADDRESSES + b"$ uptime\n up\n$ ip r\n" + texts.MAIN_ROUTES
    assert kinds(text) == [("ip a", "addresses"), ("ip r", "routes")]


@pytest.mark.parametrize("tool", ["ip r", "/usr/sbin/ip r", "sudo ip r", "sudo -n ip r", "sudo /sbin/ip r"])
def test_a_command_may_have_a_path_and_sudo(tool: str) -> None:
    assert kinds(tool.encode() + b"\n" + texts.MAIN_ROUTES) == [(tool, "routes")]


@pytest.mark.parametrize(
    "frame", ["=== {} ===", "*** Output of {} ***", ">>> host: {}:", "### {}", "{}:", "==== {}"]
)
def test_what_collectors_put_around_a_command_is_no_part_of_it(frame: str) -> None:
    text = frame.format("ip addr show").encode() + b"\n" + texts.ADDRESSES
    assert kinds(text) == [("ip addr show", "addresses")]


def test_fences_of_markdown_are_no_part_of_the_output() -> None:
    text = texts.fenced("ip route", texts.MAIN_ROUTES) + b"\n" + texts.fenced("ip rule", texts.RULES)
    assert [one for one in kinds(text) if one[1]] == [("ip route", "routes"), ("ip rule", "rules")]
    section = next(one for one in sections_of(text) if one.kind == "routes")
    assert text[section.start : section.end] == texts.MAIN_ROUTES


@pytest.mark.parametrize(
    "line",
    [
        "the route is fine", "data: 1", "ipsum lorem", "-A FORWARD -j ACCEPT", "\tip saddr 10.0.0.1 accept",
        "net.ipv4.ip_forward = 1", "10.0.0.0/8 via 192.0.2.1 dev eth0", "1: lo: <LOOPBACK> mtu 65536",
    ],
)  # fmt: skip
def test_other_lines_cut_nothing(line: str) -> None:
    assert len(sections_of(f"a\n{line}\nb\n".encode())) == 1


@pytest.mark.parametrize(
    "preamble",
    [
        b"net.ipv4.ip_forward = 1\n", b"default via 192.0.2.1 dev eth0\n", b"    inet 10.0.0.1/8 scope global\n",
        texts.IPSET_SAVE, texts.RULES, texts.RECENT, texts.CONNTRACK, b"table ip nat {\n}\n", texts.ADDRESSES,
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    "dump", [texts.LEGACY, texts.listing("filter-vnxL.txt"), texts.listing("filter-S.txt")]
)
def test_a_line_above_a_dump_does_not_swallow_it(preamble: bytes, dump: bytes) -> None:
    alone, found = load_node(dump).dump, load_node(preamble + dump).dump
    assert found.rule_count == alone.rule_count
    assert list(found.tables) == list(alone.tables)
    shift = preamble.count(b"\n")
    lines = [[rule.line for table in one.tables.values() for rule in table.rules()] for one in (alone, found)]
    assert [line + shift for line in lines[0]] == lines[1]
