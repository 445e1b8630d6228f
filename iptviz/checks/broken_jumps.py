"""Jumps that the kernel would refuse: to a chain that is not there, and in a circle."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.checks.finding import diagnosis, found

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from iptviz.checks.finding import Finding
    from iptviz.engine.effects import BrokenJumps
    from iptviz.rules.form import Place


def broken_jumps(broken: BrokenJumps, *, complete: bool) -> Iterator[Finding]:
    """Yield what a walk met: loops, then jumps to chains that are missing; `complete` is the dump's."""
    for rule, chains in broken.loops.items():
        yield loop(chains, [rule], line=rule.line)
    for rule, chain in broken.missing.items():
        yield dangling(chain, [rule], complete=complete)


def loop(chains: Iterable[str], rules: Iterable[Place], *, line: int = 0) -> Finding:
    """Return the finding that `chains` reach themselves by `rules`; `line` is where."""
    return found(chain_loop, rules, line=line, chains=tuple(chains))


def dangling(chain: str, rules: Iterable[Place], *, complete: bool) -> Finding:
    """Return the finding that `rules`, at least one, lead to `chain`, which is not there."""
    leading = list(rules)
    return found(dangling_jump, leading, line=leading[0].line, complete=complete, chain=chain)


@diagnosis("high")
def chain_loop(*, chains: tuple[str, ...]) -> str:
    """Chains lead to each other in a circle, or a chain leads to itself.

    Why: The kernel refuses to load such chains, so no node runs these rules: the text was edited, or put
    together from several dumps.

    Do: Take a fresh dump from the node, and ask that.
    """
    return f"{' -> '.join(chains)} is a loop, which the kernel refuses: edited by hand?"


@diagnosis("high", absence=True)
def dangling_jump(*, chain: str) -> str:
    """A rule jumps to a chain that is neither declared nor has rules in this dump.

    Why: The kernel refuses a jump to a chain that does not exist, so lines are missing here, and what the
    chain does with connections is not known.

    Do: Take the whole dump from the node: iptables-save, not filtered by grep and not shortened.
    """
    return f"jumps to {chain}, which this dump does not have: cut or edited?"
