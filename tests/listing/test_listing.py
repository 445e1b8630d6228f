"""Listings of many releases, read without a kernel; tests/kernel asks iptables itself."""

from __future__ import annotations

import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from iptviz.listing.rows import ChainHeading, ListedColumns, read_columns, read_heading, read_row
from iptviz.xtables.words import split_words

PLAIN = ListedColumns(numbered=False, counted=False, interfaces=False)
VERBOSE = ListedColumns(numbered=False, counted=True, interfaces=True)
NUMBERED = ListedColumns(numbered=True, counted=True, interfaces=True)


@pytest.mark.parametrize(
    ("text", "heading"),
    [
        ("Chain INPUT (policy ACCEPT)", ChainHeading("INPUT", "ACCEPT", None)),
        ("Chain INPUT (policy DROP 12 packets, 345 bytes)", ChainHeading("INPUT", "DROP", "[12:345]")),
        (
            "Chain OUTPUT (policy ACCEPT 120K packets, 34M bytes)\r\n",
            ChainHeading("OUTPUT", "ACCEPT", "[120000~500:34000000~500500]"),
        ),
        (
            "Chain X (policy ACCEPT 2G packets, 5T bytes)",
            ChainHeading("X", "ACCEPT", "[2000000000~500500500:5000000000000~500500500500]"),
        ),
        ("Chain KUBE-SVC-A (2 references)", ChainHeading("KUBE-SVC-A", None, None)),
        ("Chain a(b (1 references) (0 references)", ChainHeading("a(b (1 references)", None, None)),
        ("Chain X (-1 references)", ChainHeading("X", None, None)),
        ("Chain X (ERROR obtaining refs)", ChainHeading("X", None, None)),
        ("Chain X", None),
        ("Chain X (policy ACCEPT 12 packets)", None),
        ("Chain  (2 references)", None),
        ("-A INPUT -j ACCEPT", None),
    ],
)
def test_headings(text: str, heading: ChainHeading | None) -> None:
    assert read_heading(text) == heading


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("target     prot opt source               destination         ", PLAIN),
        (" pkts bytes target     prot opt in     out     source               destination", VERBOSE),
        ("    pkts      bytes target     prot opt in     out     source               destination", VERBOSE),
        ("num   pkts bytes target     prot opt in     out     source    destination\n", NUMBERED),
        (
            "num  target     prot opt source               destination",
            ListedColumns(numbered=True, counted=False, interfaces=False),
        ),
        ("target prot source destination", None),
        ("", None),
    ],
)
def test_columns(text: str, columns: ListedColumns | None) -> None:
    assert read_columns(text) == columns


LONG = "KUBE-SERVICES-LONGER-THAN-ITS-COLUMN"


@pytest.mark.parametrize(
    ("columns", "text", "rule"),
    [
        (
            VERBOSE,
            "    9   540 ACCEPT     tcp  --  eth0   *       10.0.0.1             0.0.0.0/0       tcp dpt:80",
            "[9:540] -A FOO -s 10.0.0.1/32 -i eth0 -p tcp -m tcp --dport 80 -j ACCEPT",
        ),
        (
            VERBOSE,
            " 120K   34M            !6   !f  !eth0  any    !10.0.0.0/8           anywhere            ",
            "[120000~500:34000000~500500] -A FOO ! -s 10.0.0.0/8 ! -i eth0 ! -p tcp ! -f",
        ),
        (
            NUMBERED,
            "1        0     0 X          all  -f  *      eth+    0.0.0.0/0            !fe80::1/128         ",
            "[0:0] -A FOO ! -d fe80::1/128 -o eth+ -f -j X",
        ),
        (PLAIN, f"{LONG}  all  --  anywhere             anywhere", f"-A FOO -j {LONG}"),
        (PLAIN, "           all  --  localhost            10.1.0.0/16", "-A FOO -s localhost -d 10.1.0.0/16"),
        (PLAIN, "tcp        tcp  --  anywhere  anywhere", "-A FOO -p tcp -j tcp"),
        (PLAIN, "X          all  --  0.0.0.0/0 0.0.0.0/0           [goto] ", "-A FOO -g X"),
        (PLAIN, "X all -- 0.0.0.0/0 0.0.0.0/0 [goto]  tcp dpt:1", "-A FOO -m tcp --dport 1 -g X"),
        # ip6tables before 1.8.9 has nothing below `opt`.
        (PLAIN, "ACCEPT     all      ::/0                 ::/0", "-A FOO -j ACCEPT"),
        (
            PLAIN,
            "           icmpv6    fe80::/10            ff02::1",
            "-A FOO -s fe80::/10 -d ff02::1/128 -p icmpv6",
        ),
        (
            VERBOSE,
            "    0     0            tcp      eth0   *       ::/0                !fd00::1          tcp spt:1",
            "[0:0] -A FOO ! -d fd00::1/128 -i eth0 -p tcp -m tcp --sport 1",
        ),
        (
            VERBOSE,
            "    0     0 DROP       !47      *      !+      !anywhere ::/0",
            "[0:0] -A FOO ! -s anywhere ! -o + ! -p gre -j DROP",
        ),
        # No rules: blank lines, what iptables-nft warns of, rows that are cut or belong below other columns.
        (PLAIN, "", None),
        (PLAIN, "# Warning: iptables-legacy tables present, use iptables-legacy to see them", None),
        (VERBOSE, "ACCEPT     all  --  anywhere             anywhere", None),
        (VERBOSE, "    0     0 ACCEPT     all  --  *      *       0.0.0.0/0", None),
        (NUMBERED, "    0     0 ACCEPT     all  --  *      *       0.0.0.0/0", None),
        (PLAIN, "ACCEPT all -- anywhere anywhere /* a\nb */", None),
    ],
)
def test_rows(columns: ListedColumns, text: str, rule: str | None) -> None:
    assert read_row("FOO", text, columns) == rule


@pytest.mark.parametrize(
    ("tail", "options"),
    [
        ("dccp REQUEST,3", "-m dccp --dccp-types REQUEST,ACK"),
        ("dccp REQUEST, 3", '-m dccp -m listing --text "REQUEST, 3"'),
        ("TIME on Mon,Tue UTC", "-m time --weekdays Mon,Tue"),
        ("TIME on Mon, x", '-m time --kerneltz -m listing --text "on Mon, x"'),
        ("TIME on 1st,22nd UTC", "-m time --monthdays 1,22"),
        ("TIME on 1st, x", '-m time --kerneltz -m listing --text "on 1st, x"'),
        ("match-set a src,dst", "-m set --match-set a src,dst"),
        ("match-set a src,dstx", '-m listing --text "match-set a src,dstx"'),
    ],
)
def test_a_list_is_read_whole_or_not_at_all(tail: str, options: str) -> None:
    assert read_row("X", f"all -- anywhere anywhere {tail}", PLAIN) == f"-A X {options}"


def test_a_program_is_printed_with_a_byte_0() -> None:
    rule = read_row("X", "all -- anywhere anywhere match bpf 48 0 0 9,6 0 0 0\0", PLAIN)
    assert rule == '-A X -m bpf --bytecode "2,48 0 0 9,6 0 0 0"'


def test_a_chain_is_quoted_where_it_needs_it() -> None:
    assert read_row('a"b', 'c"d all -- anywhere anywhere', PLAIN) == r'-A "a\"b" -j "c\"d"'


def printed_number(number: int) -> str:
    """What iptables makes of a counter without -x."""
    if number <= 99_999:
        return str(number)
    letters = iter("KMGT")
    letter = ""
    while letter != "T" and (number > 9_999 or not letter):
        number = (number + 500) // 1000
        letter = next(letters)
    return f"{number}{letter}"


@given(st.integers(0, 2**64 - 1))
def test_rounded_counters_hold_the_true_one(number: int) -> None:
    heading = read_heading(f"Chain X (policy DROP {printed_number(number)} packets, 0 bytes)")
    assert heading
    assert heading.counters
    value, _, width = heading.counters.strip("[]").split(":")[0].partition("~")
    assert abs(int(value) - number) <= int(width or 0)


def test_bytes_that_are_not_utf_8_stay() -> None:
    text = "all -- anywhere anywhere /* caf\udce9 */ odd\udcff"
    assert read_row("X", text, PLAIN) == "-A X -m comment --comment caf\udce9 -m listing --text odd\udcff"


PIECES = st.sampled_from(
    [
        "/* ",
        " */",
        "!",
        " ",
        '"',
        "\\",
        "tcp",
        "dpt:80",
        "LOG",
        "level 4",
        'prefix "',
        "[goto]",
        "0x",
        "limit:",
    ]
)
WILD = st.lists(st.one_of(PIECES, st.text(max_size=5)), max_size=30).map(" ".join)
ANY_COLUMNS = st.builds(ListedColumns, st.booleans(), st.booleans(), st.booleans())


@given(WILD, WILD, ANY_COLUMNS)
def test_no_text_raises(chain: str, text: str, columns: ListedColumns) -> None:
    read_heading(text)
    read_columns(text)
    read_row(chain, text, columns)


@given(WILD, st.sampled_from(["", "LOG", "DNAT", "X"]))
@example("\n0", "")
@example("0\n", "")
def test_a_rule_is_one_line_and_nothing_of_it_is_lost(tail: str, target: str) -> None:
    rule = read_row("X", f"{target} all -- anywhere anywhere {tail}", PLAIN)
    assert (rule is None) == ("\n" in tail.rstrip(" \t\r\n\f\v"))  # what the row ends in is cut off
    if rule:
        assert "\n" not in rule
        split_words(rule)
        assert rule.count("-m listing") <= 1 + tail.count("-m listing")


SIGNS = 300_000


@pytest.mark.unmeasured
@pytest.mark.parametrize(
    "piece",
    ["tcp ", "/* */ ", "/* ", " */", "! ", " ", "x", "x ", '\\"', '" ', "A,", "1:", "src,", 'prefix "x" '],
)
@pytest.mark.parametrize("start", ["", "tcp flags:", 'STRING match "', "LOG level 4 prefix "])
def test_long_lines_are_read_in_passing(start: str, piece: str) -> None:
    began = time.process_time()
    read_row("X", f"LOG all -- anywhere anywhere {start}{piece * (SIGNS // len(piece))}z", PLAIN)
    assert time.process_time() - began < 10
