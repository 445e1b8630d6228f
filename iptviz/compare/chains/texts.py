"""The texts by which rules of two dumps are compared: equal for equal rules, whoever wrote them down.

Both backends' iptables-save print a few rules differently, a listing does not print everything, and kube-proxy
writes one share with five digits or with ten.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import TYPE_CHECKING

from iptviz.grammar.canonical import canonical_text
from iptviz.grammar.reader import take_apart
from iptviz.intake.plain import DumpForm
from iptviz.kube.balance import NEW_DIGITS, OLD_DIGITS
from iptviz.records import NamedTuple
from iptviz.xtables.option import Saving
from iptviz.xtables.values.numbers import RANDOM_BITS, read_probability

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from iptviz.dump.model import Dump
    from iptviz.dump.rule import Rule
    from iptviz.intake.index import Span

_COUNTERS = re.compile(rb"\n\[[\d~]++:[\d~]++\] ")
_TEXT_COUNTERS = re.compile(r" -c [0-9]+ [0-9]+(?= |\Z)")

# --- lines -----------------------------------------------------------------------------------------------------


def lines_of(data: bytes, spans: Sequence[Span]) -> bytes:
    """Return the lines of a chain without counters."""
    if len(spans) == 1:
        start, end = spans[0]
        text = data[start:end]
    else:
        text = b"".join(data[start:end] for start, end in spans)
    return without_counters(text)


def without_counters(lines: bytes) -> bytes:
    """Return whole lines without the counters at their beginning."""
    if lines[:1] != b"[" and b"\n[" not in lines:
        return lines
    return _COUNTERS.sub(b"\n", b"\n" + lines)[1:]


_PIECE = 1 << 17


def pieces(data: bytes, spans: Sequence[Span]) -> Iterator[bytes]:
    """Yield stretches of whole lines without counters, piece by piece: of large ones no copy is made."""
    for start, end in spans:
        at = start
        while at < end:
            after = data.find(b"\n", min(at + _PIECE, end) - 1, end) + 1 or end
            yield without_counters(data[at:after])
            at = after


# --- chances ---------------------------------------------------------------------------------------------------

_CHANCE = re.compile(r"--probability ([0-9.]++)")
_MOST_ENDPOINTS = 100_000


@lru_cache(maxsize=1 << 16)
def endpoints_of(probability: str) -> frozenset[int]:
    """Return for how many endpoints kube-proxy may have written a probability; more than one where it is rounded.

    Source: computeProbability in pkg/proxy/iptables/proxier.go, and lround in extensions/libxt_statistic.c:
    iptables rounds to 31 bits.
    """
    wanted = read_probability(probability)
    if not wanted:
        return frozenset()
    whole = 1 << RANDOM_BITS
    least, most = whole // (wanted + _OFF) - 1, whole // max(wanted - _OFF, 1) + 1
    if most > _MOST_ENDPOINTS:
        return frozenset()
    return frozenset(count for count in range(max(least, 1), most + 1) if wanted in _written(count))


_OFF = (1 << RANDOM_BITS) // (2 * 10**OLD_DIGITS) + 1
"""Fewer digits are off by less: half of the last one, in units of iptables."""


@cache
def _written(count: int) -> frozenset[int]:
    """Return what iptables keeps of 1/n as kube-proxy writes it, and of the exact share."""
    texts = (*(f"{1 / count:.{digits}f}" for digits in (OLD_DIGITS, NEW_DIGITS)), repr(1 / count))
    kept = (read_probability(text) for text in texts)
    return frozenset(number for number in kept if number is not None)


def without_digits(text: str) -> str:
    """Return a rule with the number of endpoints that its probability is of, where there is but one such."""
    return _CHANCE.sub(_share, text) if "--probability" in text else text


def _share(found: re.Match[str]) -> str:
    counts = endpoints_of(found[1])
    return f"--probability 1/{next(iter(counts))}" if len(counts) == 1 else found[0]


_SHARES_OF_LINES = re.compile(rb"(?<= --probability )[0-9.]++")


def same_but_for_digits(one: bytes, other: bytes) -> bool:
    """Whether lines are the same but for how exactly kube-proxy wrote probabilities."""
    if one == other:
        return True
    if b" --probability " not in one or b" --probability " not in other:
        return False
    return _SHARES_OF_LINES.sub(_share_of_lines, one) == _SHARES_OF_LINES.sub(_share_of_lines, other)


def _share_of_lines(found: re.Match[bytes]) -> bytes:
    return _without_digits(found[0])


@cache
def _without_digits(probability: bytes) -> bytes:
    return without_digits(f"--probability {probability.decode()}").encode()


def same_shares(one: str, other: str) -> bool:
    """Whether the probabilities of two rules may be of the same numbers of endpoints, one by one."""
    return all(_counts(mine) & _counts(its) for mine, its in zip(_shares(one), _shares(other), strict=True))


_SHARE = re.compile(r"--probability (\S++)")


def _shares(text: str) -> list[str]:
    return _SHARE.findall(text)


def _counts(share: str) -> frozenset[int]:
    return frozenset((int(share[2:]),)) if share.startswith("1/") else endpoints_of(share)


def without_shares(text: str) -> str:
    """Return a rule without the numbers of its probabilities."""
    return _SHARE.sub("--probability", text)


# --- rules -----------------------------------------------------------------------------------------------------


class Wording(NamedTuple):
    """How both sides' rules are put down: the family and the backends whose iptables-save wrote them.

    `listed`: one side is a listing, so what no listing prints is left out of both.
    """

    family: str
    backends: tuple[str, ...]
    listed: bool

    def texts(self, rule: Rule) -> list[str]:
        """Return a rule as both sides' iptables-save would print it: a text for each rule that it makes."""
        texts = rule.canonical(self.backends[0])
        for backend in self.backends[1:]:
            texts = "\n".join(_again(text, self.family, backend) for text in texts.split("\n"))
        return texts.split("\n")

    def key(self, text: str) -> str:
        """Return by what a rule with such a text is compared."""
        key = without_digits(_TEXT_COUNTERS.sub("", text) if " -c " in text else text)
        if self.listed:
            for pattern, told in _UNLISTED:
                key = pattern.sub(told, key)
        return key


def _again(text: str, family: str, backend: str) -> str:
    return canonical_text(text, take_apart(text), Saving(family, backend))


_UNLISTED = tuple(
    (re.compile(pattern), told)
    for pattern, told in (
        (r" --hashlimit-name \S+", ""),
        (r" --datestop 2038-01-19T03:14:07", ""),
        (r" --ttl 1 --log 2(?= |\Z)", ""),
        (r"! --quota", "--quota"),
        (r"-j NOTRACK", "-j CT --notrack"),
        (r"(?<= 0x)0+(?=[0-9a-f])", ""),
    )
)
"""What listings leave out, or say in other words, as iptables itself shows (tests/kernel/test_listing.py)."""


def wording(old: Dump, new: Dump) -> Wording:
    """Return how the rules of two dumps are put down.

    Where the backends differ, as the one's iptables-save would, and what it makes of that as the other's would.
    """
    backends = {dump.backend or "legacy" for dump in (old, new)}
    ordered = tuple(name for name in ("legacy", "nf_tables") if name in backends)
    return Wording(new.family, ordered, any(dump.form == DumpForm.LISTING for dump in (old, new)))
