"""Weaknesses of the rules that masquerade."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.checks.planted import Plant

if TYPE_CHECKING:
    from tests.checks.planted import Base


def _marked_twice(base: Base, place: int) -> str:
    """Without the rule that clears the mark, with it too late, and below what an older release left."""
    line = base.line_of("-A KUBE-POSTROUTING -j MARK")
    masquerading = base.line_of("-A KUBE-POSTROUTING .*-j MASQUERADE")
    if place == 0:
        return base.instead(line)
    if place == 1:
        return base._replace(text=base.instead(line)).after(masquerading, line)
    first = base.line_of("-A KUBE-POSTROUTING -m mark ! --mark")
    old = masquerading.replace("-j MASQUERADE", "-m mark --mark 0x4000/0x4000 -j MASQUERADE")
    return base.before(first, old)


def _guessed(base: Base, _place: int) -> str:
    line = base.line_of("-j MASQUERADE --random-fully")
    return base.instead(line, line.replace(" --random-fully", ""))


PLANTS = {
    "double-masquerade": Plant(_marked_twice),
    "no-random-fully": Plant(_guessed),
}
