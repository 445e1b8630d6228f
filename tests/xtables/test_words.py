"""Words of a rule: split as iptables-restore does, quoted as iptables-save does."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iptviz.intake.text import to_bytes, to_text
from iptviz.xtables.words import UnclosedQuoteError, quote_word, split_words

texts = st.one_of(st.text(), st.text(alphabet="ab \"\\'\t\n-"), st.binary().map(to_text))


@given(st.lists(texts, max_size=6))
def test_quoted_words_split_into_what_they_were(words: list[str]) -> None:
    assert split_words(" ".join(map(quote_word, words))) == words


@given(st.binary())
def test_bytes_survive_as_text(data: bytes) -> None:
    assert to_bytes(to_text(data)) == data


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", []),
        ("   ", []),
        ("-A X -j DROP", ["-A", "X", "-j", "DROP"]),
        ("  -A\tX  -j DROP\r\n", ["-A", "X", "-j", "DROP"]),
        ('--comment "two words"', ["--comment", "two words"]),
        ('--comment ""', ["--comment", ""]),
        ('"" ""', ["", ""]),
        ('--comment "tab\there"', ["--comment", "tab\there"]),
        (r'--comment "say \"hi\""', ["--comment", 'say "hi"']),
        (r'--comment "back\\slash"', ["--comment", r"back\slash"]),
        (r'--comment "it\'s"', ["--comment", "it's"]),
        (r'--comment "ends in \\"', ["--comment", "ends in \\"]),
        (r"--comment back\slash", ["--comment", r"back\slash"]),
        ("--comment it's", ["--comment", "it's"]),
        (r"--log-prefix \x -j Y", ["--log-prefix", r"\x", "-j", "Y"]),
        ("-A KUBE[bold] -j <script>", ["-A", "KUBE[bold]", "-j", "<script>"]),
    ],
)
def test_words_are_split_as_iptables_restore_does(text: str, words: list[str]) -> None:
    assert split_words(text) == words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        # iptables-restore 1.8.9 (legacy and nft) reads all of these so.
        ('"a b"-j DROP', ["a b", "-j", "DROP"]),
        ('x"a b" -j DROP', ["xa b", "-j", "DROP"]),
        ('x"a b"y', ["xa b", "y"]),
        ('"x""y"', ["x", "y"]),
    ],
)
def test_a_closing_quote_ends_the_word(text: str, words: list[str]) -> None:
    assert split_words(text) == words


@pytest.mark.parametrize("blank", ["\u00a0", "\u2028", "\u3000", "\x85"])
@pytest.mark.parametrize("rest", ["-j X", '-m comment --comment "two words" -j X'])
def test_only_ascii_blanks_separate_words(blank: str, rest: str) -> None:
    """The kernel takes a no-break space in a chain's name, and iptables-save prints it bare."""
    assert split_words(f"-A a{blank}b {rest}")[:2] == ["-A", f"a{blank}b"]


@pytest.mark.parametrize(
    "text",
    [
        '"',
        '--comment "never closed',
        '--comment "closed" "open',
        'word"',
        r'--comment "escaped \" only',
        r'--comment "\\" and "\\\"',
    ],
)
def test_a_quote_that_never_closes_is_an_error(text: str) -> None:
    with pytest.raises(UnclosedQuoteError):
        split_words(text)


@pytest.mark.parametrize(
    ("word", "quoted"),
    [
        ("plain", "plain"),
        ("default/httpd:http", "default/httpd:http"),
        ("", '""'),
        ("two words", '"two words"'),
        ('a"b', r'"a\"b"'),
        (r"a \ b", r'"a \\ b"'),
        ("it's me", r'"it\'s me"'),
    ],
)
def test_only_what_needs_quotes_gets_them(word: str, quoted: str) -> None:
    assert quote_word(word) == quoted
