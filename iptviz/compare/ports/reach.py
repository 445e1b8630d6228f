"""Whether clients fare otherwise at a frontend: the word, why, and how many get through."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from iptviz.compare.ports.shares import differ
from iptviz.errors import DumpError
from iptviz.paths.fares import OF_SERVICES, WELL, Exempt, Failure, Rewrite
from iptviz.paths.model import CLIENT_KINDS
from iptviz.paths.reach import singling
from iptviz.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from fractions import Fraction

    from iptviz.engine.condition import When
    from iptviz.paths.fares import Cause, Fare
    from iptviz.paths.model import Decider

Pair = tuple["Fare", "Fare"]

Why = Failure | Exempt | Rewrite
"""Why connections fail or lose their source, be it those of single clients."""


class Scale(NamedTuple):
    """How many endpoints share connections evenly before and after, 1 where they do not.

    `slack` is by how much shares may differ because of the digits in which they are printed.
    """

    before: int
    after: int
    slack: float


def fares_differing(
    old: Iterable[Fare], new: Iterable[Fare], scale: Callable[[], Scale]
) -> Iterator[tuple[tuple[str, ...], Pair]]:
    """Yield kinds of clients that fare otherwise, together where they do alike: those that both sides tell."""
    before, after = _by_client(old), _by_client(new)
    alike: dict[object, tuple[list[str], Pair]] = {}
    for client in (client for client in CLIENT_KINDS if client in before and client in after):
        pair = before[client], after[client]
        if _differ(*pair, scale):
            clients, _ = alike.setdefault((pair[0][1:], pair[1][1:]), ([], pair))
            clients.append(client)
    for clients, pair in alike.values():
        yield tuple(clients), pair


def surely_otherwise(old: Fare, new: Fare) -> bool:
    """Whether all connections work on one side and some surely fail on the other."""
    return (old.word in WELL and new.fails) or (new.word in WELL and old.fails)


def deciders(fare: Fare) -> Iterator[Decider]:
    """Yield the rules and policies by which connections fail, or lose their source."""
    yield from (failure.cause.by for failure in fare.failures if failure.cause.by is not None)
    yield from (rewrite.by for rewrite in fare.rewrites)


def _by_client(fares: Iterable[Fare]) -> dict[str, Fare]:
    return {client: fare for fare in fares for client in fare.clients}


def _differ(old: Fare, new: Fare, scale: Callable[[], Scale]) -> bool:
    if old[1:] == new[1:]:
        return False
    bounds = [pair for pair in zip(old[2:4], new[2:4], strict=True) if pair[0] != pair[1]]
    return (
        old.word != new.word
        or any(_fail_otherwise(*pair, scale()) for pair in bounds)
        or whys(old) != whys(new)
    )


def _fail_otherwise(old: Fraction, new: Fraction, scale: Scale) -> bool:
    """Whether shares that get through differ, and not only because as many endpoints fail among more or fewer."""
    before, after = (1 - old) * scale.before, (1 - new) * scale.after
    slack = scale.slack * max(scale.before, scale.after)
    return differ(old, new, scale.slack) and differ(before, after, slack)


def whys(fare: Fare) -> frozenset[object]:
    """Return why connections fail or lose their source, wherever the rules stand that decide it."""
    return frozenset(map(_why_key, whys_of(fare)))


def whys_of(fare: Fare) -> tuple[Why, ...]:
    """Return all that a fare tells of why connections fail or lose their source."""
    return *fare.failures, *fare.exceptions, *fare.rewrites


def whys_apart(old: Fare, new: Fare) -> tuple[tuple[Why, ...], tuple[Why, ...]]:
    """Return why connections fail or lose their source on the old side alone, and on the new side alone."""
    before, after = whys(old), whys(new)
    return (
        tuple(one for one in whys_of(old) if _why_key(one) not in after),
        tuple(one for one in whys_of(new) if _why_key(one) not in before),
    )


def concerns_single_clients(old: Fare, new: Fare) -> bool:
    """Whether only clients fare otherwise whom rules single out, by their address or port."""
    if old.word != new.word:
        return False
    if any(not singling(one.when) for side in whys_apart(old, new) for one in side):
        return False
    return old.word in WELL or _usual_shares(old) == _usual_shares(new)


def _usual_shares(fare: Fare) -> dict[object, Fraction]:
    """Return which shares fail, by their cause, of clients whom no rule singles out."""
    return {_why_key(one): one.share for one in fare.failures if not singling(one.when)}


def _why_key(why: Why) -> object:
    decided = _decider_key(why.by) if isinstance(why, Rewrite) else _cause_key(why.cause)
    return decided, when_key(why.when)


def _cause_key(cause: Cause) -> object:
    outcome = "" if cause.why == "not DNATed" else cause.outcome
    by = cause.by[:2] if cause.by and cause.why in OF_SERVICES else _decider_key(cause.by)
    return cause.why, outcome, by, cause.to


def _decider_key(by: Decider | None) -> object:
    """Return which rule or policy decides; of several, the one that is told is the first by chance alone."""
    if by is None or by.others:
        return by is None
    return by.table, by.chain, _canonical(by.text, by.table or "filter")


@lru_cache(maxsize=1024)
def _canonical(text: str, table: str) -> object:
    """Return a rule as iptables-save prints it, be it that a listing or a command tells it; a policy as it is.

    Of a rule of nft it is what it means.
    """
    family, _, name = table.partition(" ")
    if name:
        from iptviz.nft.single import text_key  # most rules that decide are of a dump

        return text_key(text, family)
    from iptviz.dump.single import parse_rule  # only what fails is decided by a rule

    try:
        return parse_rule(text, table=table).canonical()
    except DumpError:
        return text


def when_key(when: When) -> frozenset[object]:
    """Return conditions without the lines at which the rules stand that ask them."""
    return frozenset(one._replace(condition=one.condition._replace(rule=None, since=None)) for one in when)
