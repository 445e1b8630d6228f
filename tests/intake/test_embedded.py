"""Dumps in the strings of JSON and YAML: each string is a text of its own, what went to standard error is none."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from iptviz.checks.wording import sentences
from iptviz.errors import NothingError
from iptviz.intake.read import read_text
from iptviz.node.load import load
from tests.intake.texts import dump, dumps, joined, rules, texts

RULE = '-A A -m comment --comment "a \\"b\\"" -j B'
OTHER = "-A A -j C"
NAT = f"*nat\n:A - [0:0]\n{RULE}\n{OTHER}\nCOMMIT\n"
UNPACKED = "text in JSON or YAML strings unpacked"
COUNTED = "line numbers are those of the unpacked text"


if TYPE_CHECKING:
    from pathlib import Path

    from iptviz.dump.model import Dump


def told(read: Dump) -> list[str]:
    return sentences(read.repairs)


@pytest.mark.parametrize(
    "text",
    [
        json.dumps({"stdout": NAT}),
        json.dumps({"stdout": NAT}, separators=(",", ":")),
        json.dumps([{"host": "n", "result": {"stdout": NAT, "stderr": "-A A -j X\n"}}], indent=2),
        json.dumps({"stdout_lines": NAT.splitlines()}),
        json.dumps({"stdout_lines": NAT.splitlines(), "stdout": NAT}),
        json.dumps(NAT),
        json.dumps(json.dumps({"stdout": NAT})),
        f"ok: [n] => {json.dumps({'stdout': NAT, 'cmd': 'iptables-save'})}",
        f"dump: {json.dumps(NAT)}",
        json.dumps(NAT)[1:-1],
        json.dumps({"stdout": NAT.replace("\n", "\r\n")}),
    ],
)
def test_a_dump_in_a_string_is_read(text: str) -> None:
    read = dump(text)
    assert texts(read) == [RULE, OTHER]
    assert told(read) == [UNPACKED, COUNTED]
    assert [line for line, _ in rules(read)["nat"]] == [3, 4] or text.startswith("[\n")


def test_lines_that_stand_on_lines_of_their_own_keep_their_numbers() -> None:
    lines = [json.dumps({"log": f"{line}\n", "stream": "stdout"}) for line in NAT.splitlines()]
    lines.insert(3, json.dumps({"log": "-A A -j X\n", "stream": "stderr"}))
    read = dump(*lines)
    assert rules(read) == {"nat": [(3, RULE), (5, OTHER)]}
    assert told(read) == [UNPACKED]


def test_lines_of_a_log_that_begin_no_rule_belong_to_it_all_the_same() -> None:
    parts = ["*nat", ":A - [0:0]", '-A A -m comment --comment "a', 'b" -j B', "COMMIT"]
    read = dump(*(json.dumps({"MESSAGE": part, "PRIORITY": "6"}) for part in parts))
    assert texts(read) == ['-A A -m comment --comment "a b" -j B']


def test_several_strings_are_several_dumps() -> None:
    other = NAT.replace("-j C", "-j D")
    found = dumps(json.dumps({"before": NAT, "after": other}))
    assert [texts(one) for one in found] == [[RULE, OTHER], [RULE, "-A A -j D"]]
    loose = dumps(json.dumps({"n1": f"{RULE}\n{OTHER}\n", "n2": f"{OTHER}\n{RULE}\n"}))
    assert [texts(one, "filter") for one in loose] == [[RULE, OTHER], [OTHER, RULE]]


@pytest.mark.parametrize(
    "text",
    [
        '{"stderr": "-A A -j B\\n-A A -j C\\n"}',
        '{"cmd": "iptables-save | grep \\"-A A -j B\\""}',
        'the rule "-A A -j B", which stands there, and "-A A -j C"',
    ],
)
def test_what_only_mentions_rules_is_no_dump(text: str) -> None:
    assert read_text(joined(text)).dumps == []


def test_a_comment_that_looks_like_a_string_stays() -> None:
    comment = '\\"stdout\\": \\"-A A -j B\\\\n\\"'
    lines = ["$ iptables-save", "*nat", ":A - [0:0]", f'-A A -m comment --comment "{comment}" -j B', "COMMIT"]
    read = dump(*lines)
    assert rules(read) == {"nat": [(4, lines[3])]}


@pytest.mark.parametrize(
    "text", ['{"a":' * 20_000 + '"-A A -j B\\n"', '["-A A -j B",' * 20_000, '"' * 40_000 + "\\n-A A"]
)
def test_a_long_line_of_strings_is_read_in_no_time(text: str) -> None:
    assert len(read_text(text.encode()).dumps) < 2


PLAIN = "-A A -s 10.0.0.1/32 -j B"


def test_a_cell_of_csv_has_its_quotes_twice() -> None:
    commented = '-A A -m comment --comment "a b" -j B'
    cells = (
        'log: "' + line.replace('"', '""') + '"'
        for line in ("*nat", ":A - [0:0]", commented, PLAIN, "COMMIT")
    )
    assert texts(dump(*cells)) == [commented, PLAIN]


@pytest.mark.parametrize("between", ["", '"other",'])
def test_a_string_whose_quotes_are_not_escaped_is_not_lost(between: str) -> None:
    commented = '-A A -m comment --comment "a b" -j B'
    strings = [f'dump: "{line}"' for line in ("*nat", ":A - [0:0]", PLAIN, commented, OTHER, "COMMIT")]
    assert texts(dump(*strings[:2], between, *strings[2:])) == [PLAIN, commented, OTHER]


def test_rules_that_cannot_be_taken_out_of_a_line_are_missing() -> None:
    (read,) = dumps(f'["*nat", ":A - [0:0]", "{PLAIN}", "-A A --comment "a b" -j B", "{OTHER}", "COMMIT"]')
    assert read.lacks_lines


@pytest.mark.parametrize("place", range(1, 4))
def test_wherever_they_stand_on_a_line(place: int) -> None:
    strings = [f'"{line}"' for line in ("*nat", ":A - [0:0]", PLAIN, OTHER, "COMMIT")]
    strings.insert(place, '"-A A --comment "a b" -j B"')
    without_table = f"[{', '.join(strings[1:])}]"
    assert all(read.lacks_lines for read in dumps(without_table))
    for around in ("[{}]", "{{'rc': 0, 'lines': [{}]}}", "[{}]\n\n"):
        assert all(read.lacks_lines for read in dumps(around.format(", ".join(strings))))


def test_parts_of_two_streams_are_joined_each_for_itself() -> None:
    stamp = "2024-11-12T10:11:12.000000000Z"
    lines = [
        f"{stamp} stdout P {PLAIN[:9]}",
        f"{stamp} stderr F warning",
        f"{stamp} stdout F {PLAIN[9:]}",
        f"{stamp} stdout P {OTHER}",
    ]
    assert rules(dump(*lines)) == {"filter": [(3, PLAIN), (4, OTHER)]}


def test_rules_within_lines_are_not_said_to_be_absent(tmp_path: Path) -> None:
    path = tmp_path / "script"
    path.write_text("printf '%s\\n' '*nat' " + "'-A KUBE-SERVICES -d 10.96.0.1/32 -j KUBE-SVC-A' " * 3 + "\n")
    with pytest.raises(NothingError, match="no line begins with an iptables rule"):
        load(str(path))
