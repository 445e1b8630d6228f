"""Who ends connections to services: what fails, by the rule or the policy that decides it."""

from __future__ import annotations

from collections import Counter
from itertools import combinations
from typing import TYPE_CHECKING

from iptviz.engine.chance import CERTAIN, NEVER
from iptviz.kube.refusals import is_own_refusal
from iptviz.paths.fares import OF_SERVICES
from iptviz.paths.model import CLIENT_KINDS, rests_on_unread
from iptviz.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from fractions import Fraction

    from iptviz.engine.condition import When
    from iptviz.paths.fares import Failure, Fare, Reached
    from iptviz.paths.model import Decider
    from iptviz.paths.usual import UsualClients

HOOKS = frozenset({"PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"})

_ALMOST = CERTAIN - CERTAIN / (1 << 64)
"""Shares of thousands of endpoints are rounded."""


class Group(NamedTuple):
    """Kinds of clients whose connections are ended where all of `when` hold."""

    clients: tuple[str, ...]
    when: When


class Blocked(NamedTuple):
    """Connections that rules of one cause, or a policy, end: `by` is the first of `rules`.

    `is_answer`: those whose requests pass, and the endpoints' answers do not. `ports` are the places of the
    service ports that suffer, `whole` those of which no endpoint is reached. `groups` are the clients for which
    that is so. `certain`: nothing of the node decides it that is not known.
    """

    rules: tuple[Decider, ...]
    outcome: str
    is_answer: bool
    ports: tuple[int, ...]
    whole: frozenset[int]
    groups: tuple[Group, ...]
    certain: bool

    @property
    def by(self) -> Decider:
        """The first rule, or the policy."""
        return self.rules[0]

    @property
    def clients(self) -> frozenset[str]:
        """The kinds of clients of all groups, or the address of the one that was asked about."""
        return frozenset(client for group in self.groups for client in group.clients)

    @property
    def is_partial(self) -> bool:
        """Whether most services that suffer lose some endpoints alone."""
        return 2 * len(self.whole) < len(self.ports)


class _Case(NamedTuple):
    """One failure of clients at a service port; `share` of them meet the same cause, where the same is so."""

    port: int
    client: str
    failure: Failure
    share: Fraction
    when: When
    certain: bool


def blocked(reached: Sequence[Sequence[Reached]], usual: UsualClients) -> list[Blocked]:
    """Return what ends connections to service ports: what is certain, before what depends on the node.

    What kube-proxy and kubelet end by rules of their own is left out, and what strangers meet: who comes to a
    cluster IP from outside, or is singled out by its address.
    """
    causes: dict[object, list[_Case]] = {}
    for number, port in enumerate(reached):
        for at in port:
            for fare in at.fares:
                for case in _cases(number, at.frontend.kind, fare, usual):
                    causes.setdefault(_key(case.failure), []).append(case)
    found = map(_joined, causes.values())
    return sorted(found, key=lambda each: not each.certain)


def _cases(port: int, kind: str, fare: Fare, usual: UsualClients) -> Iterator[_Case]:
    failing = [failure for failure in fare.failures if _is_others(failure)]
    if not failing:
        return
    always = fare.at_most == NEVER and len({_key(failure) for failure in failing}) == 1
    always = always and all(each in failing or each.cause.why in OF_SERVICES for each in fare.failures)
    for client in fare.clients:
        if client == "outside" and kind == "cluster-ip":
            continue
        if always:
            yield _Case(port, client, failing[0], CERTAIN, (), certain=_is_decided(failing[0]))
            continue
        doomed = fare.word == "no" and failing == list(fare.failures) and len(set(map(_place, failing))) == 1
        few = _simplified(failing)
        shares: dict[object, Fraction] = {}
        for failure in few:
            alike = _key(failure), failure.when
            shares[alike] = shares.get(alike, NEVER) + failure.share
        for failure in few:
            meant = _is_decided(failure) and usual.are_meant(failure.when, client)
            if meant is not None:
                share = shares[_key(failure), failure.when]
                yield _Case(port, client, failure, share, _worth_saying(failure.when), meant or doomed)


def _is_decided(failure: Failure) -> bool:
    """Whether rules decide, and no program to which they hand packets."""
    return failure.cause.outcome != "QUEUE"


def _worth_saying(when: When) -> When:
    """Return conditions without what is not so as a rule: source ports, which are chosen anew, and ways out."""
    return tuple(
        one for one in when if one.holds or one.condition.kind not in {"source-port", "out-interface"}
    )


def _simplified(failures: Sequence[Failure]) -> list[Failure]:
    """Return failures without what they are asked of where they come to the same either way."""
    left = list(failures)
    if len(left) > _FEW:
        return left
    merged = True
    while merged:
        merged = False
        for one, other in combinations(left, 2):
            apart = {*one.when} ^ {*other.when}
            same = one.share == other.share and _key(one) == _key(other)
            if same and len(apart) == 2 and len({each.condition for each in apart}) == 1:
                when = tuple(each for each in one.when if each not in apart)
                left = [*(each for each in left if each not in (one, other)), one._replace(when=when)]
                merged = True
                break
    return left


_FEW = 24
"""Among more failures than this it is not looked for what comes to the same either way."""


def _is_others(failure: Failure) -> bool:
    """Whether a rule or policy that is not kube-proxy's own ends connections, or answers; one that was read."""
    by, why = failure.cause.by, failure.cause.why
    if why not in {"rule", "answer"} or by is None or not by.table or rests_on_unread(failure.when):
        return False
    return not is_own_refusal(by.table, by.chain, by.text)


def _key(failure: Failure) -> object:
    """Return what is equal for one cause: whether it is the answer that ends, and where."""
    return failure.cause.why, _place(failure)


def _place(failure: Failure) -> object:
    """Return what is equal where connections or answers end alike: the rule of a hook, or some chain."""
    by = failure.cause.by
    assert by is not None  # noqa: S101 - `_is_others` sees to that
    return by.table, by.chain, by.line if by.chain in HOOKS else None


def _joined(cases: Iterable[_Case]) -> Blocked:
    """Return what one cause does: where conditions of a kind of client differ, what most service ports meet."""
    every = list(cases)
    certain = any(case.certain for case in every)
    sure = [case for case in every if case.certain is certain]
    clients = dict.fromkeys((*CLIENT_KINDS, *(case.client for case in sure)))
    usual = {client: _usual(case for case in sure if case.client == client) for client in clients}
    meant = [case for case in sure if case.when == usual[case.client]]
    deciders = {case.failure.cause.by for case in meant}
    whole = {case.port for case in meant if case.share >= _ALMOST}
    return Blocked(
        tuple(sorted((by for by in deciders if by is not None), key=lambda by: by.line or 0)),
        meant[0].failure.cause.outcome,
        meant[0].failure.cause.why == "answer",
        tuple(dict.fromkeys(case.port for case in meant)),
        frozenset(whole - {case.port for case in meant if case.share < _ALMOST}),
        tuple(_groups(usual)),
        certain,
    )


def _usual(cases: Iterable[_Case]) -> When | None:
    """Return the conditions under which most service ports suffer; None where there are no cases."""
    ways = Counter(case.when for case in {(case.port, case.when): case for case in cases}.values())
    return max(ways, key=lambda each: (ways[each], -len(each)), default=None)


def _groups(usual: Mapping[str, When | None]) -> Iterator[Group]:
    """Yield the clients that suffer under the same conditions together, those that always do first."""
    by_when: dict[When, list[str]] = {}
    for client, when in usual.items():
        if when is not None:
            by_when.setdefault(when, []).append(client)
    for when in sorted(by_when, key=len):
        yield Group(tuple(by_when[when]), when)
