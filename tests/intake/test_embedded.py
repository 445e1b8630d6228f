"""Dumps in the strings of JSON and YAML: each string is a text of its own, what went to standard error is none."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from iptviz.checks.wording import sentences
from iptviz.intake.read import read_text
from tests.intake.texts import dump, dumps, joined, rules, texts

RULE = '-A A -m comment --comment "a \\"b\\"" -j B'
OTHER = "-A A -j C"
NAT = f"*nat\n:A - [0:0]\n{RULE}\n{OTHER}\nCOMMIT\n"
UNPACKED = "what stands in strings (JSON, YAML) is unpacked"
COUNTED = "lines are counted in the text as unpacked"


if TYPE_CHECKING:
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
