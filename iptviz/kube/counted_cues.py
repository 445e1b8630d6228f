"""Cues that take counting: the digits of probabilities, and the comments of endpoints' rules.

kube-proxy handed 1/n to iptables with five decimals up to 1.16 and with ten since 1.17; for n of 2, 4, 5, 8, 10
and others both print the same, and date nothing. Endpoints' rules have no comments from 1.12 to 1.17, and in any
later release where a cluster has more than 1,000 endpoints.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

from iptviz.intake.text import to_text
from iptviz.kube.comments import WAY
from iptviz.kube.cues import Cue
from iptviz.kube.families import KUBE_PROXY, SERVICE_CHAINS, SERVICES
from iptviz.kube.releases import releases, since, until
from iptviz.rules.reading.chances import random_chance

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iptviz.dump.table import Table

_LARGE = 1000
_MOST = 100_000
_CHANCE = re.compile(rb"--probability ([\d.]++)")
_BALANCING = re.compile(rb"(?:\[\S++ )?-A (?:" + "|".join(SERVICE_CHAINS).encode() + rb")")
_WAY = re.compile(
    rb"-A KUBE-SV[CL]-\S++ (?:-m comment --comment (?P<comment>\"[^\"\n]*+\"|[^\"\s]\S*+) |)"
    rb"(?:-m statistic [^\n]*)?-j KUBE-SEP-"
)
_BARE = b" -j KUBE-SEP-"
"""What is in each rule in bulk that leads to an endpoint: these have no comments, see `iptviz.intake.bulk`."""
_ARROW = WAY.after.encode()
_DISPATCH = re.compile(rb"-A \S++ [^\n]*--comment ")


def counted_cues(nat: Table) -> Iterator[Cue]:
    """Yield the cues of a nat table that take counting."""
    yield from _digit_cues(nat)
    yield from _comment_cues(nat)


def _digit_cues(nat: Table) -> Iterator[Cue]:
    seen: dict[bytes, int] = {}
    for span, in_bulk in nat.parts():
        if in_bulk:  # chances are those of services' chains
            for raw in dict.fromkeys(_CHANCE.findall(nat.data, *span)).keys() - seen:
                seen[raw] = nat.data.index(b"--probability %b " % raw, *span)
            continue
        for found in _CHANCE.finditer(nat.data, *span):
            if found[1] not in seen and _BALANCING.match(
                nat.data, nat.data.rfind(b"\n", 0, found.start()) + 1
            ):
                seen[found[1]] = found.start()
    firsts: dict[int, tuple[str, int]] = {}
    for raw, start in seen.items():
        text = to_text(raw)
        if digits := digits_of(text):
            firsts.setdefault(digits, (text, start))
    for digits, (text, start) in firsts.items():
        words, written = _DIGITS[digits]
        yield Cue(f"probabilities of {words} digits: {text}", written, nat.lines.at(start), KUBE_PROXY.name)


@cache
def digits_of(text: str) -> int | None:
    """Return 5 or 10 where `text`, as iptables-save prints a probability, tells how many were written."""
    value = float(text) if text.count(".") <= 1 and text != "." else 0.0
    if not 0.0 < value < 1.0 or round(1 / value) > _MOST:
        return None
    number = round(1 / value)
    fits = [
        digits
        for digits in (5, 10)
        for near in (number - 1, number, number + 1)
        if near > 1 and f"{float(random_chance(f'{1 / near:.{digits}f}')):.11f}" == text
    ]
    return fits[0] if len(set(fits)) == 1 else None


def _comment_cues(nat: Table) -> Iterator[Cue]:
    """Tell the style of the comments; nothing where all comments are lost, or the cluster is large."""
    styles: dict[str, int] = {}
    ways = 0
    for span, in_bulk in nat.parts():
        if in_bulk and (at := nat.data.find(_BARE, *span)) >= 0:
            ways += nat.data.count(_BARE, *span)
            styles.setdefault("bare", at)
        for found in () if in_bulk else _WAY.finditer(nat.data, *span):
            ways += 1
            comment = found["comment"]
            style = "bare" if comment is None else "arrow" if _ARROW in comment else "name"
            styles.setdefault(style, found.start())
    commented = any(_DISPATCH.search(nat.data, *run) for run in nat.runs_of(SERVICES))
    if not commented or (ways > _LARGE and "bare" in styles):
        styles.pop("bare", None)
    for style, start in styles.items():
        text, written = _STYLES[style]
        yield Cue(text, written, nat.lines.at(start), KUBE_PROXY.name)


_DIGITS = {5: ("five", until(16)), 10: ("ten", since(17))}
_STYLES = {
    "bare": ("endpoints without comments", releases((12, 17))),
    "name": ("endpoints commented with the service's name", releases((1, 11), (18, 23))),
    "arrow": ("endpoints commented with `service -> ip:port`", WAY.releases),
}
