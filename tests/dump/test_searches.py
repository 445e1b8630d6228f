"""What is looked for in rules is found in all of them, be they in bulk or not."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from iptviz.dump.model import Dump
from tests.intake.test_bulk import in_bulk

OTHERS = (
    "-A KUBE-SVC-A -j KUBE-SEP-B -m ttl --ttl-eq 3\n",
    "-A KUBE-SEP-A -j KUBE-MARK-DROP\n",
    "-A KUBE-SEP-B -p tcp -m tcp -j DNAT\n",
    "-A KUBE-SERVICES -d 10.0.0.1/32 -j KUBE-SVC-A\n",
    "[1:2] -A KUBE-SVC-B -g KUBE-SVC-A\n",
    "-A INPUT -j LOG\n",
)
TEXTS = (
    "-j DNAT", "-j DNAT\n", "-m ttl", "KUBE-MARK-DROP", "KUBE-MARK-MASQ", "-j KUBE-SEP-", "KUBE-SVC-A", "-s ",
    "-A ", "-A KUBE-SE", " -g ", ":1] -A", "SVC-A -j", "cluster IP", "LOG", "0", "A", "]:", "random",
)  # fmt: skip
dumps = st.lists(st.one_of(in_bulk, st.sampled_from(OTHERS)), max_size=8).map(
    lambda parts: Dump(f"*nat\n:INPUT ACCEPT [0:0]\n{''.join(parts)}COMMIT\n".encode())
)


@given(dumps, st.sampled_from(TEXTS))
def test_the_rules_with_a_text_are_those_whose_lines_hold_it(dump: Dump, text: str) -> None:
    lines = bytes(dump).decode().splitlines(keepends=True)
    rules = [number for number, line in enumerate(lines, 1) if "-A " in line and text in line]
    assert [rule.line for rule in dump.tables["nat"].rules_with(text)] == rules


@given(dumps)
def test_the_rules_to_a_chain_are_those_that_jump_there(dump: Dump) -> None:
    nat = dump.tables["nat"]
    for chain in (*nat.chains, "KUBE-MARK-MASQ", "KUBE-MARK-DROP", "KUBE-SEP-B", "KUBE-SVC-A", "DNAT"):
        jumping = [rule.line for rule in nat.rules() if rule.jump == chain]
        assert sorted(rule.line for rule in nat.rules_to(chain)) == sorted(jumping)


@given(dumps)
def test_what_is_not_in_bulk_is_found_by_itself(dump: Dump) -> None:
    nat = dump.tables["nat"]
    rest = [nat.data[slice(*line)].decode() for line in nat.rest_with("-A ")]
    assert set(OTHERS) & {*rest} == set(OTHERS) & {*bytes(dump).decode().splitlines(keepends=True)}
