"""The table of rules that no header names, from commands, chains and targets; a guess is said to be one."""

from __future__ import annotations

import pytest

from iptviz.checks.reading import by_line
from iptviz.checks.wording import text
from tests.intake.texts import dump, dumps, rules

LISTED = "target     prot opt source               destination"
ROW = "ACCEPT     all  --  0.0.0.0/0            0.0.0.0/0"


@pytest.mark.parametrize(
    ("line", "table"),
    [
        ("-A X -j DNAT --to-destination 10.0.0.1:80", "nat"),
        ("-A X -j SNAT --to-source 10.0.0.1", "nat"),
        ("-A X -j MASQUERADE", "nat"),
        ("-A X -p tcp -j REDIRECT --to-ports 80", "nat"),
        ("-A X -j REJECT", "filter"),
        ("-A X -j CT --notrack", "raw"),
        ("-A X -p tcp -j TCPMSS --clamp-mss-to-pmtu", "mangle"),
        ("-A KUBE-SVC-AAAA -j KUBE-SEP-BBBB", "nat"),
        ("-A KUBE-SERVICES -d 10.96.0.1/32 -j KUBE-SVC-AAAA", "nat"),
        ("-A KUBE-POSTROUTING -j RETURN", "nat"),
        ("-A KUBE-FORWARD -j ACCEPT", "filter"),
        ("-A FORWARD -j KUBE-EXTERNAL-SERVICES", "filter"),
        ("-A cali-FORWARD -j ACCEPT", "filter"),
        ("-A POSTROUTING -j X", "nat"),
        ("-A PREROUTING -j X", "nat"),
        ("-A FORWARD -j X", "filter"),
        ("-A INPUT -j X", "filter"),
        ("-A NOBODY-KNOWS -j ACCEPT", "filter"),
    ],
)
def test_a_rule_alone_tells_its_table(line: str, table: str) -> None:
    read = dump(line)
    assert rules(read) == {table: [(1, line)]}
    assert f"line 1 names no table: assumed {table} from the chains and targets" in [
        text(gap) for gap in read.gaps
    ]


@pytest.mark.parametrize(
    ("chains", "table"),
    [
        (("INPUT", "FORWARD", "OUTPUT"), "filter"),
        (("PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"), "nat"),
        (("PREROUTING", "OUTPUT", "POSTROUTING"), "nat"),
        (("PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"), "mangle"),
        (("PREROUTING", "OUTPUT"), "raw"),
    ],
)
def test_the_built_in_chains_tell_the_table(chains: tuple[str, ...], table: str) -> None:
    printed = [f"-P {chain} ACCEPT" for chain in chains]
    listed = [line for chain in chains for line in (f"Chain {chain} (policy ACCEPT)", LISTED, "")]
    for read in (dump(*printed), dump(*listed)):
        assert list(read.tables) == [table]
        assert list(read.tables[table].chains) == list(chains)
        assert not any("names no table" in text(gap) for gap in read.gaps)


@pytest.mark.parametrize("table", ["filter", "nat", "mangle", "raw", "security"])
@pytest.mark.parametrize(
    "command", ["iptables -t {0} -S", "$ sudo iptables -S -t {0}", "root@node-1:~# iptables --table={0} -S"]
)
def test_the_command_above_tells_the_table(table: str, command: str) -> None:
    read = dump(command.format(table), "-P OUTPUT ACCEPT", "-A OUTPUT -j ACCEPT")
    assert rules(read) == {table: [(3, "-A OUTPUT -j ACCEPT")]}
    assert read.complete


def test_a_command_that_does_not_fit_what_follows_is_not_believed() -> None:
    assert list(dump("iptables -t filter -S", "-P POSTROUTING ACCEPT").tables) == ["nat"]


def test_one_command_for_each_table_makes_one_dump() -> None:
    read = dump(
        "# iptables -S", "-P INPUT DROP", "-N A", "-A INPUT -j A",
        "# iptables -t nat -S", "-P PREROUTING ACCEPT", "-P OUTPUT ACCEPT", "-A OUTPUT -j RETURN",
    )  # fmt: skip
    assert rules(read) == {"filter": [(4, "-A INPUT -j A")], "nat": [(8, "-A OUTPUT -j RETURN")]}
    assert read.tables["filter"].chains["INPUT"].policy == "DROP"
    assert read.tables["filter"].chains["A"].declared


def test_ip6tables_tells_the_family() -> None:
    reads = dumps("$ ip6tables -S", "-P INPUT ACCEPT", "$ iptables -S", "-P INPUT ACCEPT")
    assert [read.family for read in reads] == ["ipv6", "ipv4"]


def test_targets_of_several_tables_make_several_tables() -> None:
    read = dump(
        "-A KUBE-SVC-A -j KUBE-SEP-B", "-A KUBE-SEP-B -j DNAT --to-destination 10.0.0.1:80",
        "-A KUBE-FORWARD -j ACCEPT", "-A INPUT -j REJECT",
    )  # fmt: skip
    assert {name: [line for line, _ in found] for name, found in rules(read).items()} == {
        "nat": [1, 2],
        "filter": [3, 4],
    }


def test_counters_of_iptables_s_are_read() -> None:
    read = dump("-P INPUT ACCEPT -c 5 300", "-A INPUT -c 7 420 -j ACCEPT")
    (chain,) = read.tables["filter"].chains.values()
    assert chain.counters is not None
    assert chain.counters[:2] == (5, 300)
    (rule,) = chain.rules
    assert rule.counters is not None
    assert rule.counters[:2] == (7, 420)


# --- listings ---------------------------------------------------------------------------------------------

NAT_LISTING = """\
Chain PREROUTING (policy ACCEPT 12 packets, 34K bytes)
 pkts bytes target     prot opt in     out     source               destination
  100  6000 KUBE-SERVICES  all  --  *      *       0.0.0.0/0            0.0.0.0/0            /* kubernetes service portals */

Chain KUBE-SERVICES (1 references)
 pkts bytes target     prot opt in     out     source               destination
    0     0 KUBE-SVC-A  tcp  --  *      *       0.0.0.0/0            10.96.0.1            tcp dpt:443
""".splitlines()
NAT_RULES = [
    (3, '-A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES'),
    (7, "-A KUBE-SERVICES -d 10.96.0.1/32 -p tcp -m tcp --dport 443 -j KUBE-SVC-A"),
]
LISTING_FORMS = {
    "plain": NAT_LISTING,
    "quoted": [f"> {line}" for line in NAT_LISTING],
    "indented": [f"    {line}" for line in NAT_LISTING],
    "table": [f"| {line}" for line in NAT_LISTING],
    "syslog": [f"Nov 12 10:00:{at:02} node-1 sh[12]: {line}" for at, line in enumerate(NAT_LISTING)],
    "crlf": [f"{line}\r" for line in NAT_LISTING],
}


@pytest.mark.parametrize("form", LISTING_FORMS)
def test_a_listing_gives_its_rules_on_their_lines(form: str) -> None:
    read = dump(*LISTING_FORMS[form])
    assert rules(read) == {"nat": NAT_RULES}
    assert read.form == "iptables -L"
    assert read.tables["nat"].chains["PREROUTING"].policy == "ACCEPT"
    assert "does not show everything" in text(by_line(read.gaps)[0])


def test_a_listing_in_a_fence_below_a_command() -> None:
    read = dump("```", "root@node-1:~# iptables -t nat -nvL", *NAT_LISTING, "root@node-1:~#", "```")
    assert [line - 2 for line, _ in rules(read)["nat"]] == [3, 7]
    assert read.node == "node-1"
    assert [(note.places(), note.skipped) for note in read.line_notes] == [
        ("1", True), ("2", True), ("10", True), ("11", True),
    ]  # fmt: skip


def test_listings_of_several_tables_make_one_dump() -> None:
    listed = ["Chain INPUT (policy DROP)", LISTED, ROW, "", "Chain FORWARD (policy ACCEPT)", LISTED, ""]
    read = dump(*listed, *NAT_LISTING)
    assert list(read.tables) == ["filter", "nat"]
    assert read.tables["filter"].chains["INPUT"].policy == "DROP"


def test_a_listing_without_interfaces_says_so() -> None:
    read = dump("Chain INPUT (policy DROP)", LISTED, ROW)
    assert rules(read) == {"filter": [(3, "-A INPUT -j ACCEPT")]}
    assert any("interfaces are not shown" in text(gap) for gap in read.gaps)
