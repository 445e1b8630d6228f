"""Regular expressions match alike in every Python that the project runs on.

Before 3.11.5 a possessive quantifier around a group, `(?:...)*+`, matches wrongly: where the group begins to
match and then fails, what it has taken by then stays taken (https://github.com/python/cpython/issues/106052).
Before 3.12.8 and 3.13.1 one around groups that catch something may raise SystemError
(https://github.com/python/cpython/issues/101955). Behind one character or class it is right everywhere. A group
is repeated greedily, a limited number of times where many would be remembered, or in a loop.
"""

from __future__ import annotations

import re

import pytest

from iptviz.dump import table
from iptviz.kube import counted_cues, plain_chains, published
from iptviz.listing.words import QUOTED
from iptviz.xtables.words import split_words
from tests.conftest import ROOT

# Behind the end of a group or of a piece that a pattern is put together from: its name in braces, or a quote.
_AROUND_A_GROUP = re.compile(r"""(?:(?<!\\)\)|(?<=\w)\}|["'])(?:[*+?]|\{\d*,?\d*\})\+""")

_CHARACTERS_IN_QUOTES = (r"""(?:[^"\\]|\\.)*+""", r"""(?:[^"\\\n]|\\.)*+""")
"""Groups that are right all the same: in them nothing is repeated, and the first character chooses the way.

They stay because strings may be long: greedily, each of their characters would be remembered.
"""

MODULES = sorted((ROOT / "iptviz").rglob("*.py"))


def faults(source: str) -> list[str]:
    """Return the possessive quantifiers around groups."""
    for harmless in _CHARACTERS_IN_QUOTES:
        source = source.replace(harmless, "")
    return _AROUND_A_GROUP.findall(source)


def test_no_group_is_repeated_possessively() -> None:
    found = {str(path.relative_to(ROOT)): faults(path.read_text(encoding="utf-8")) for path in MODULES}
    assert {path: quantifiers for path, quantifiers in found.items() if quantifiers} == {}, __doc__


@pytest.mark.parametrize(
    "source",
    [
        r'"(?:ab)*+"', r'"(?:ab)++"', r'"(?:ab)?+"', r'"(ab){2}+"', r'"(ab){2,}+"', r'"(ab){,2}+"', r'"(a(b))*+"',
        r'rf"{_WORD}*+"', r'_WORD + r"++x"', r"'(?:a)*+'",
    ],
)  # fmt: skip
def test_one_would_be_found(source: str) -> None:
    assert len(faults(source)) == 1


@pytest.mark.parametrize(
    "source",
    [
        r'"a*+"', r'"\w{2,}+"', r'"[()]++"', r'"\)++"', r'"(?:ab)*"', r'"(?:a+)+b"', r'"(?:a++|b){0,9}"', "f(x) + 1",
    ],
)  # fmt: skip
def test_other_quantifiers_are_let_be(source: str) -> None:
    assert faults(source) == []


@pytest.mark.parametrize("text", ['"a"', r'"a\"b"', r'"\\"', '""', r'"\\\"x"', '"' + r"\x" * 1000 + '"'])
def test_what_stands_in_quotes_ends_at_its_quote(text: str) -> None:
    found = re.match(QUOTED, f'{text} "', re.DOTALL)
    assert found
    assert found[0] == text
    assert len(split_words(f"{text} x")) == 2


@pytest.mark.parametrize("text", ["", '"', '"a', r'"a\"', r'"a\\\"', '"a\\'])
def test_what_is_never_closed_is_no_text_in_quotes(text: str) -> None:
    assert re.match(QUOTED, text, re.DOTALL) is None


# Each begins like something that may be missing, and goes on in another way.
BROKEN = {
    "counters before a rule": (table._RULE_CHAIN, b"[1:-A KUBE-SVC-A -j KUBE-SEP-A"),
    "counters before a rule of kube-proxy": (plain_chains._LINE, b"[1:-A KUBE-SVC-A -j KUBE-SEP-A"),
    "counters before a rule of others": (published._OTHERS, b"[1:-A DOCKER -p tcp -j DNAT"),
    "counters before a rule that balances": (counted_cues._BALANCING, b"[1:2-A KUBE-SVC-A -j KUBE-SEP-A"),
    "a comment before a chance": (
        counted_cues._WAY,
        b'-A KUBE-SVC-A -m comment --comment "-m statistic --mode random -j KUBE-SEP-A',
    ),
}


@pytest.mark.parametrize(("pattern", "text"), BROKEN.values(), ids=BROKEN)
def test_what_only_begins_like_a_part_of_a_rule_is_none(
    pattern: re.Pattern[bytes] | bytes, text: bytes
) -> None:
    assert re.match(pattern, text) is None


@pytest.mark.parametrize(
    "broken",
    [
        b"-d 10.0.0.0/16 -p tcp -m tcp --dport 80 -j KUBE-MARK-MASQ",
        b"! -s 10.0.0.0/8 -d 10.0.0.0/16 -p tcp -m tcp --dport 80 -j KUBE-MARK-MASQ",
        b'-m comment --comment "a\\"b" -j KUBE-SEP-A',
        b"-m statistic --mode random --probability x -j KUBE-SEP-A",
    ],
)
def test_what_departs_from_kube_proxys_form_is_left_to_the_engine(broken: bytes) -> None:
    found = re.match(plain_chains._LINE, b"-A KUBE-SVC-A " + broken)
    assert found
    assert {name: text for name, text in found.groupdict().items() if text} == {"odd": b"KUBE-SVC-A"}
