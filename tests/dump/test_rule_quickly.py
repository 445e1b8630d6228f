"""The chain of a rule, and what it jumps to, are told without taking it apart: the same as its parts say."""

from __future__ import annotations

import iptviz
from iptviz.dump.model import Dump
from iptviz.dump.rule import Rule
from iptviz.xtables.targets import target_spec
from tests import kubeproxy
from tests.conftest import ROOT

ODD = (
    "-A X -A Y -j Z", "-A X --append Y", "-A X --app Y -j A", "-A X -j A -j B", "-A X -g A", "-A X -g A -j B",
    "-A X -m comment --comment -j DROP -j FOO", '-A X -m comment --comment "a -j b" -j Z', "-A X -j DROP",
    "-A X -p tcp", "-A X ! -s 10.0.0.1 -j LOG --log-prefix a", "-A X 7 -j A", '-A "X" -j A', "-A X -j lower",
    "-A X -d 10.0.0.1/32 -j Y-1", "-A X -d 10.0.0.2/32 -j Y-2", "-A X -d 10.0.0.2/32 -j Y --foo", "-A X",
    "-A X -m foo -j Y-1", "-A X -m foo -j Y-2", "-A X -m comment --comment -A -j Y",
)  # fmt: skip
DECLARED = ":X - [0:0]\n:Z - [0:0]\n:LOG - [0:0]\n"


def as_parts_say(rule: Rule) -> tuple[str, str | None]:
    """What a rule's parts say of its chain, and of the chain to which it leads."""
    parts, chains = rule.parts, rule.table.chains
    if parts.target is None:
        return parts.chain, None
    name, bare = parts.target.name, not parts.target.options and not parts.unknown
    leads = parts.target.goto or name in chains or (bare and not target_spec(name))
    return parts.chain, name if leads else None


def agreeing(dump: Dump) -> int:
    """Ask all rules so often that their shapes are known. How many of them there are."""
    asked = 0
    for table in dump.tables.values():
        for _ in range(3):
            spans = [span for chain in table.chains for span in table.spans_of(chain)]
            for rule, whole in ((Rule(table, span), Rule(table, span)) for span in spans):
                assert (rule.chain, rule.jump) == as_parts_say(whole)
                asked += 1
    return asked


def test_the_chain_and_the_jump_of_rules_that_kube_proxy_writes() -> None:
    assert agreeing(Dump(kubeproxy.saved(kubeproxy.numbered(60, 3)).encode())) > 1_000


def test_the_chain_and_the_jump_of_odd_rules() -> None:
    lines = "\n".join(ODD * 30)
    assert agreeing(Dump(f"*filter\n{DECLARED}{lines}\nCOMMIT\n".encode())) > 1_000


def test_the_chain_and_the_jump_of_all_forms_of_rules() -> None:
    for path in sorted((ROOT / "tests/canonical").glob("*.txt")):
        lines = path.read_text(encoding="utf-8").splitlines()
        texts = (part.strip().removeprefix("-A INPUT ") for line in lines for part in line.split("=>"))
        rules = "".join(f"-A INPUT {text}\n" for text in texts if text)
        agreeing(Dump(f"*filter\n{rules}COMMIT\n".encode()))


def test_the_lines_of_many_rules_are_those_of_few() -> None:
    text = kubeproxy.saved(kubeproxy.numbered(60, 10)).encode()
    rules = [rule for table in iptviz.load(text).tables.values() for rule in table.rules()]
    assert len(rules) > 1_500
    lines = text.decode().splitlines()
    assert all(lines[rule.line - 1].endswith(rule.text) for rule in [*rules, *rules[::-7]])
