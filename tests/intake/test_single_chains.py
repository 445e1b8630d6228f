"""Listings as guides teach them, a command for each chain: together they are the table, whatever their order."""

from __future__ import annotations

import random
import re
import subprocess

import pytest

from iptviz.dump.model import Dump
from iptviz.errors import DumpError
from iptviz.intake.read import read_text
from iptviz.node.load import load, load_all
from iptviz.questions.services import services
from tests.conftest import FIXTURES
from tests.intake.test_forms import policies_of, rules_of
from tests.kernel.lab import node

COLUMNS = "target     prot opt source               destination\n"
ROWS = {
    "KUBE-SERVICES": "KUBE-SVC-AAAA  tcp  --  0.0.0.0/0  10.96.0.50  /* default/web:http cluster IP */ tcp dpt:80\n",
    "KUBE-SVC-AAAA": "KUBE-SEP-BBBB  all  --  0.0.0.0/0  0.0.0.0/0  /* default/web:http -> 10.244.1.5:8080 */\n",
    "KUBE-SEP-BBBB": "DNAT  tcp  --  0.0.0.0/0  0.0.0.0/0  /* default/web:http */ tcp to:10.244.1.5:8080\n",
    "PREROUTING": "KUBE-SERVICES  all  --  0.0.0.0/0  0.0.0.0/0  /* kubernetes service portals */\n",
}
WHOLE = "".join(f"Chain {name} (1 references)\n{COLUMNS}{row}\n" for name, row in ROWS.items())
COMMAND = "root@node-1:~# iptables -t nat -nL {}\n"


def by_chain(form: str = "{command}Chain {name} (1 references)\n{columns}{row}\n") -> str:
    return "".join(
        form.format(command=COMMAND.format(name), name=name, columns=COLUMNS, row=row)
        for name, row in ROWS.items()
    )


def gaps_of(dump: Dump) -> list[str]:
    return [gap.id for gap in dump.gaps]


@pytest.mark.parametrize(
    "form",
    [
        "{command}Chain {name} (1 references)\n{columns}{row}\n",
        "```\n{command}Chain {name} (1 references)\n{columns}{row}```\nand then\n",
        "{command}{columns}{row}\n",
        "{command}{columns}{row}",
        "```console\n{command}{columns}{row}```\n",
        "$ iptables -L {name} -n -t nat\n{columns}{row}",
        "# iptables -t nat --list={name} -n\n{columns}{row}",
        "> {command}> {columns}> {row}",
        "$ iptables -t nat -nL {name} | grep -v target\n{row}",
    ],
)
def test_single_chains_are_one_table(form: str) -> None:
    dump = load(by_chain(form).encode())
    assert set(rules_of(dump)) == set(rules_of(Dump(WHOLE.encode())))
    assert gaps_of(dump).count("made-from-listing") == 1
    assert "chains-unlisted" in gaps_of(dump)
    assert not dump.complete


def test_a_command_without_a_table_lists_filter() -> None:
    text = (
        "$ iptables -nL KUBE-FORWARD\n" + COLUMNS + "DROP  all  --  0.0.0.0/0  0.0.0.0/0  ctstate INVALID\n"
    )
    dump = load((by_chain() + text).encode())
    assert list(dump.tables) == ["nat", "filter"]
    assert "table-not-named" not in gaps_of(dump)


def test_the_commands_of_another_node_make_another_dump() -> None:
    text = by_chain() + by_chain().replace("node-1", "node-2")
    dumps, _ = load_all(text.encode())
    assert [dump.node for dump in dumps] == ["node-1", "node-2"]
    assert rules_of(dumps[0]) == rules_of(dumps[1])


def test_a_chain_that_is_listed_again_counts_once() -> None:
    name, row = "KUBE-SEP-BBBB", ROWS["KUBE-SEP-BBBB"]
    again = f"{COMMAND.format(name)}Chain {name} (1 references)\n{COLUMNS}{row}"
    dumps, _ = load_all((by_chain() + again + by_chain()[: by_chain().index("\n\n") + 1]).encode())
    assert len(dumps) == 1
    assert set(rules_of(dumps[0])) == set(rules_of(Dump(WHOLE.encode())))
    repeated = [note for note in dumps[0].line_notes if note.reason == "chain-repeated"]
    assert [note.size for note in repeated] == [3, 3]


def test_a_chain_that_has_changed_since_is_of_another_dump() -> None:
    changed = by_chain()[by_chain().index(COMMAND.format("KUBE-SEP-BBBB")) :].replace(
        "10.244.1.5", "10.244.1.6"
    )
    with pytest.raises(DumpError, match="contains 2 dumps"):
        load((by_chain() + changed).encode())


def test_rules_of_single_chains_are_one_table() -> None:
    rules = {"KUBE-SERVICES": "-A KUBE-SERVICES -d 10.96.0.50/32 -p tcp -m tcp --dport 80 -j KUBE-SVC-AAAA",
             "PREROUTING": "-A PREROUTING -j KUBE-SERVICES", "KUBE-SVC-AAAA": "-A KUBE-SVC-AAAA -j ACCEPT"}  # fmt: skip
    text = "".join(
        f"$ iptables -t nat -S {name}\n{'-P ' + name + ' ACCEPT' if name.isalpha() else '-N ' + name}\n{rule}\n"
        for name, rule in rules.items()
    )
    dump = load(text.encode())
    assert [rule.text for rule in dump.tables["nat"].rules()] == list(rules.values())
    assert gaps_of(dump) == ["table-missing", "chains-unlisted"]


@pytest.mark.parametrize(
    ("options", "row"),
    [
        ("-nL {}", "KUBE-SEP-BBBB  all  --  0.0.0.0/0  0.0.0.0/0"),
        ("-nvL {}", "3  180 KUBE-SEP-BBBB  all  --  *  *  0.0.0.0/0  0.0.0.0/0"),
        ("-L {} -n --line-numbers", "1  KUBE-SEP-BBBB  all  --  0.0.0.0/0  0.0.0.0/0"),
        ("-vnL {} --line-numbers", "1  3  180  KUBE-SEP-BBBB  0  --  *  *  0.0.0.0/0  0.0.0.0/0"),
    ],
)
def test_rows_that_grep_left_have_the_columns_that_were_asked_for(options: str, row: str) -> None:
    command = f"$ iptables -t nat {options} | grep -v FOO".format("KUBE-SVC-AAAA")
    dump = load(f"{command}\n{row}\n".encode())
    (rule,) = dump.tables["nat"].rules()
    assert rule.text == "-A KUBE-SVC-AAAA -j KUBE-SEP-BBBB"
    assert (rule.counters is None) == ("v" not in options)
    assert "lines-grepped" in gaps_of(dump)


def test_a_filter_may_leave_nothing_of_a_chain_but_what_follows_is_not_its_own() -> None:
    text = by_chain() + "$ iptables -t nat -nL KUBE-SVC-ZZZZ | grep SEP\nso all the pods are gone\n"
    assert rules_of(load(text.encode())) == rules_of(load(by_chain().encode()))


def test_rows_without_any_chain_are_named() -> None:
    rows = COLUMNS + ROWS["KUBE-SVC-AAAA"]
    with pytest.raises(DumpError, match=r"without the line `Chain NAME`") as caught:
        load(rows.encode())
    assert ":1:" in str(caught.value)
    beside = read_text((WHOLE + "\nand the other:\n" + rows).encode())
    assert [rules_of(Dump.of(beside, plain, load(WHOLE.encode()).origin)) for plain in beside.dumps] == [
        rules_of(Dump(WHOLE.encode()))
    ]
    (note,) = [note for note in beside.notes if note.reason == "listing-without-chain"]
    assert note.size == 2


@pytest.mark.parametrize(
    ("row", "lost"),
    [
        ("ACCEPT     tcp  --  0.0.0.0/0            0.0.0.0/0   tcp dpt:80", False),
        ("ACCEPT     tcp  --  0.0.0.0/0", True),
        ("ACCEPT     tcp  --  0.0.0.0/0            ", True),
        ("ACCEPT     tcp  --  10.0.0.1            10.0.0.(2)", True),
        ("ACCEPT     tcp      ::/0            fd00::1/128 garbled $ here", False),
        ("=======", False),
        ("Total Number of Rules: 13", False),
        ("and that is all", False),
    ],
)
def test_a_row_that_cannot_be_read_is_a_gap(row: str, lost: bool) -> None:
    text = f"$ iptables -nL KUBE-FORWARD\nChain KUBE-FORWARD (1 references)\n{COLUMNS}{row}\n"
    found = [gap for gap in load(text.encode()).gaps if gap.id == "row-unread"]
    assert [gap.line for gap in found] == [4] * lost


@pytest.mark.parametrize("options", [[], ["-n", "1"]])
def test_columns_that_were_aligned_change_nothing(options: list[str]) -> None:
    widths = r"\g<0>    " if options else " "
    squeezed = re.sub(r"(?<=\S) +(?=\S)", widths, WHOLE)
    assert rules_of(Dump(squeezed.encode())) == rules_of(Dump(WHOLE.encode()))
    assert policies_of(Dump(squeezed.encode())) == policies_of(Dump(WHOLE.encode()))


def test_what_column_t_makes_of_a_listing_is_the_listing() -> None:
    aligned = subprocess.run(["column", "-t"], input=WHOLE, capture_output=True, text=True, check=True).stdout
    assert rules_of(Dump(aligned.encode())) == rules_of(Dump(WHOLE.encode()))


def said_of(text: str) -> object:
    return [
        (one.service.text, [(end.address, end.port, end.share) for end in one.usual.endpoints])
        for one in services(load(text.encode())).services
    ]


@pytest.mark.kernel
@pytest.mark.usefixtures("kernel")
def test_chain_by_chain_in_any_order_a_listing_is_the_whole() -> None:
    dump = (FIXTURES / "httpd-today" / "dump.rules").read_text(encoding="utf-8")
    with node("nft") as lab:
        lab.run(lab.tool("restore"), stdin=dump)
        whole = lab.run("iptables", "-t", "nat", "-nvL")
    chains = {found[1]: found[0] for found in re.finditer(r"Chain (\S+) .*\n(?:.+\n)*", whole)}
    expected = said_of("$ iptables -t nat -nvL\n" + whole)
    assert expected
    for seed in range(3):
        names = random.Random(seed).sample(sorted(chains), len(chains))
        text = "".join(f"$ iptables -t nat -nvL {name}\n{chains[name]}\n" for name in names)
        assert said_of(text) == expected
