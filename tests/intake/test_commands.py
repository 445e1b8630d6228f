"""Commands of iptables are read as the rules that they make on an empty table, where a text holds no dump."""

from __future__ import annotations

import subprocess

import pytest

from iptviz.checks.wording import sentence
from iptviz.dump.model import Dump
from iptviz.errors import DumpError
from tests.intake.texts import dump, dumps, notes, rules, texts

RULE = '-A KUBE-SVC-A -m comment --comment "a b" -j KUBE-SEP-B'
FORMS = (
    'iptables -t nat -A KUBE-SVC-A -m comment --comment "a b" -j KUBE-SEP-B',
    "iptables -t nat -A KUBE-SVC-A -m comment --comment 'a b' -j KUBE-SEP-B",
    'sudo iptables -t nat -A KUBE-SVC-A -m comment --comment "a b" -j KUBE-SEP-B',
    "+ iptables -t nat -A KUBE-SVC-A -m comment --comment 'a b' -j KUBE-SEP-B",
    '/sbin/iptables-legacy -w 5 -t nat -A KUBE-SVC-A -m comment --comment "a b" -j KUBE-SEP-B',
    'iptables-nft --wait -A KUBE-SVC-A -t nat -m comment --comment "a b" -j KUBE-SEP-B >/dev/null 2>&1',
    'root@node-1:~# iptables --table nat --append KUBE-SVC-A -m comment --comment "a b" -j KUBE-SEP-B # why',
    "  iptables --table=nat -A KUBE-SVC-A -m comment --comment a\\ b -j KUBE-SEP-B || true",
    '$ iptables -t nat -A KUBE-SVC-A -m comment --comment "a b" -j KUBE-SEP-B; echo done',
    'if sudo -n iptables -t nat -A KUBE-SVC-A -m comment --comment "a b" -j KUBE-SEP-B; then',
)


@pytest.mark.parametrize("form", FORMS)
def test_a_command_is_read_as_its_rule(form: str) -> None:
    read = dump(form)
    assert rules(read) == {"nat": [(1, RULE)]}
    assert notes(read) == [("1", False, "read a command as the rule that it adds")]
    told = "built from 1 iptables command, each run once; the rules before them are unknown"
    assert any(sentence(gap).endswith(told) for gap in read.gaps)
    assert read.lacks_lines


SCRIPT = [
    "iptables -P FORWARD DROP", "iptables -N OWN", "iptables -A OWN -s 10.0.0.1/32 -j ACCEPT", "iptables -A OWN -j DROP",
    "iptables -I FORWARD -j OWN", "iptables -I OWN 2 -s 10.0.0.2/32 -j ACCEPT", "iptables -D OWN -s 10.0.0.1/32 -j ACCEPT",
    "iptables -t nat -A POSTROUTING -s 10.0.0.0/8 \\", "   -j MASQUERADE", "iptables -A OWN -j DROP", "iptables -F INPUT",
]  # fmt: skip


def test_commands_are_carried_out_in_their_order() -> None:
    read = dump(*SCRIPT)
    assert rules(read) == {
        "filter": [
            (5, "-A FORWARD -j OWN"),
            (6, "-A OWN -s 10.0.0.2/32 -j ACCEPT"),
            (4, "-A OWN -j DROP"),
            (10, "-A OWN -j DROP"),
        ],
        "nat": [(8, "-A POSTROUTING -s 10.0.0.0/8 -j MASQUERADE")],
    }
    assert read.tables["filter"].chains["FORWARD"].policy == "DROP"


@pytest.mark.usefixtures("kernel")
def test_a_kernel_makes_the_same_rules_of_a_script() -> None:
    run = ["unshare", "-n", "sh", "-c", "\n".join([*SCRIPT, "iptables-save"])]
    saved = Dump(subprocess.run(run, capture_output=True, check=True).stdout)
    of = {
        name: {
            chain: [rule.canonical() for rule in at.rules]
            for chain, at in table.chains.items()
            if list(at.rules)
        }
        for name, table in saved.tables.items()
    }
    assert of == {
        name: {
            chain: [rule.canonical() for rule in at.rules]
            for chain, at in table.chains.items()
            if list(at.rules)
        }
        for name, table in dump(*SCRIPT).tables.items()
    }


def test_what_a_shell_expands_is_left_out_and_said() -> None:
    read = dump(
        "iptables -A INPUT -s $CLIENT -j DROP", "iptables -A INPUT -j ACCEPT", "iptables -A `chain` -j DROP"
    )
    assert rules(read) == {"filter": [(2, "-A INPUT -j ACCEPT")]}
    assert [place for place, skipped, what in notes(read) if skipped and "expansion" in what] == ["1", "3"]


def test_families_are_dumps_of_their_own() -> None:
    found = dumps("iptables -A INPUT -j DROP", "ip6tables -A INPUT -j DROP")
    assert [(one.family, rules(one)) for one in found] == [
        ("ipv4", {"filter": [(1, "-A INPUT -j DROP")]}),
        ("ipv6", {"filter": [(2, "-A INPUT -j DROP")]}),
    ]


@pytest.mark.parametrize(
    "line",
    [
        "iptables -L", "iptables -t nat -S", "iptables -C INPUT -j DROP", "Run iptables -A INPUT -j DROP to drop all.",
        "iptables -A INPUT -s $X -j DROP", "iptables -P INPUT DROP", "iptables -N OWN", 'echo "iptables -A INPUT -j DROP"',
        "iptables -t own -A INPUT -j DROP", "iptables -A INPUT -m comment --comment 'a -j DROP",
    ],
)  # fmt: skip
def test_commands_that_make_no_rule_are_no_dump(line: str) -> None:
    with pytest.raises(DumpError, match=r"no (line begins with an )?iptables rule"):
        Dump(f"{line}\n".encode())


def test_a_dump_goes_before_commands() -> None:
    lines = ["iptables -t nat -A X -j Y", "*nat", ":A - [0:0]", "-A A -j B", "COMMIT"]
    assert texts(dump(*lines)) == ["-A A -j B"]
