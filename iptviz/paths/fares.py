"""How clients fare at the frontends of service ports, and what makes connections fail: for lists and reports."""

from __future__ import annotations

from itertools import filterfalse
from typing import TYPE_CHECKING, Literal, Protocol

from iptviz.engine.chance import CERTAIN, NEVER, total, trimmed, without
from iptviz.engine.effects import UNKNOWN
from iptviz.kube.families import POSTROUTING, PROXY_TABLES, SOURCE_RANGES
from iptviz.kube.refusals import is_own_refusal
from iptviz.paths.model import ACCEPT, LOCAL, is_among
from iptviz.paths.reach import is_singled_out, names_one, reaches, singling
from iptviz.paths.unseen_nat import with_unseen_nat
from iptviz.records import NamedTuple
from iptviz.xtables.address import join_endpoint, parse_network

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from fractions import Fraction

    from iptviz.engine.condition import Assumption, When
    from iptviz.engine.host import Host
    from iptviz.kube.frontend_answer import FrontendAnswer
    from iptviz.kube.frontends import Frontend
    from iptviz.paths.model import ClientPaths, Decider, EndpointRow, FrontendPaths
    from iptviz.paths.reach import Reach


FareWord = Literal["no", "in part", "redirected", "depends", "no endpoints", "this node", "yes"]
FARE_WORDS: tuple[FareWord, ...] = (
    "no", "in part", "redirected", "depends", "no endpoints", "this node", "yes",
)  # fmt: skip
"""How clients fare, the worst first; `redirected`: rules of others send them to what is no endpoint of the
service; `no endpoints`: kube-proxy refuses them, as it should without endpoints."""

_PLACES = {word: place for place, word in enumerate(FARE_WORDS)}

WELL: frozenset[FareWord] = frozenset({"yes", "this node"})
"""What is as it should be."""

_FAILING: frozenset[FareWord] = frozenset({"no", "in part", "redirected", "no endpoints"})
"""What is surely not so for all connections; of others the shares tell."""

Why = Literal[
    "rule", "answer", "not DNATed", "redirected", "no endpoints", "no local endpoints", "source ranges",
    "not known",
]  # fmt: skip
"""Why connections fail: a rule or policy ends them, or the endpoint's answer; nothing rewrites them, or rules of
others send them elsewhere; kube-proxy refuses them, as no endpoint is ready, or none on this node, or for the
load balancer's source ranges."""

OF_SERVICES: frozenset[Why] = frozenset({"no endpoints", "no local endpoints", "source ranges"})
"""Of these each service has a rule of its own."""


_ENOUGH_BITS = 128
"""For sums and for what is larger: exact ones of thousands of shares would only be slow."""


class Cause(NamedTuple):
    """Why connections fail: with which outcome, and by whose decision, None where nobody here is known to.

    `to` is where those go that are redirected.
    """

    why: Why
    outcome: str
    by: Decider | None
    to: str = ""

    @property
    def key(self) -> object:
        """What is equal for services that suffer from the same, whatever becomes of what is not rewritten."""
        outcome = "" if self.why == "not DNATed" else self.outcome
        return self.why, outcome, self.by[:2] if self.by and self.why in OF_SERVICES else self.by, self.to


class Failure(NamedTuple):
    """Connections that fail, where all of `when` hold: the share `share` of all (in (0, 1]), and why."""

    share: Fraction
    cause: Cause
    when: When


class Rewrite(NamedTuple):
    """What is not kube-proxy's gives connections another source, where all of `when` hold.

    `endpoints` are addresses that they go to, be it for those that no rule tells apart from them.
    """

    by: Decider
    when: When
    endpoints: tuple[str, ...]


class Exempt(NamedTuple):
    """Why connections of single clients fail, where those of the others fare well; `when` names the clients."""

    cause: Cause
    when: When


class Fare(NamedTuple):
    """How some kinds of clients fare alike: at least the share `at_least` (in [0, 1]) works, at most `at_most`.

    `at_most` is `CERTAIN` itself where all may work. `failures` are what fails, the usual case first. `rewrites`
    are sources lost to rules of others. `exceptions` are what fails for single clients where the others fare
    well, if that was asked for.
    """

    clients: tuple[str, ...]
    word: FareWord
    at_least: Fraction
    at_most: Fraction
    failures: tuple[Failure, ...]
    rewrites: tuple[Rewrite, ...] = ()
    exceptions: tuple[Exempt, ...] = ()

    @property
    def fails(self) -> bool:
        """Whether some connections fail for sure."""
        return self.word in _FAILING or (self.at_most is not CERTAIN and self.word != "this node")

    @property
    def may_fail(self) -> bool:
        """Whether a condition decides, and it is not the load balancer's source ranges, which are meant to."""
        if self.word != "depends" or self.fails:
            return False
        return not self.failures or self.failures[0].cause.why != "source ranges"


class Reached(NamedTuple):
    """A frontend and how clients fare at it; no `fares` where this was not looked at.

    `kept` is whether all that outside clients send to endpoints elsewhere comes there with their own addresses;
    None where that was not looked at.
    """

    frontend: Frontend
    fares: tuple[Fare, ...]
    kept: bool | None = None


class Faring(Protocol):
    """A frontend in any form that tells how clients fare at it."""

    @property
    def fares(self) -> tuple[Fare, ...]:
        """How clients fare; empty where this was not looked at."""


def worst_at(frontend: Faring) -> int:
    """Return the place of its worst word in `FARE_WORDS`, the lowest the worst; what is not known stands last."""
    return min([_PLACES[fare.word] for fare in frontend.fares], default=len(FARE_WORDS))


def fails(port: Iterable[Faring]) -> bool:
    """Whether not all kinds of clients reach all frontends of a service port, for sure."""
    return any(fare.fails for frontend in port for fare in frontend.fares)


def fails_unduly(port: Iterable[Faring]) -> bool:
    """Whether that is so for another reason than that it has no endpoints, of which kube-proxy tells clients."""
    return any(fare.fails and fare.word != "no endpoints" for frontend in port for fare in frontend.fares)


def surely_reached(port: Iterable[Faring]) -> bool:
    """Whether all clients reach all frontends of a service port; this node's own taking counts as reaching."""
    return all(one.fares and all(fare.word in WELL for fare in one.fares) for one in port)


def fares_of(
    answer: FrontendAnswer,
    paths: FrontendPaths,
    own: frozenset[str] | None = None,
    *,
    exceptions: bool = False,
) -> Iterator[Fare]:
    """Yield how clients fare; kinds of them that fare alike together. It is not known where the dump lacks rules.

    `own` are the addresses of the service's endpoints; None: what is reached is not compared with them.
    `exceptions`: what fails for single clients is told.
    """
    if answer.unseen:
        return
    if answer.nat_unseen:
        paths = with_unseen_nat(paths, answer.frontend, answer.verdict)
    alike: dict[object, list[Fare]] = {}
    for reach in reaches(paths):
        fare = _redirected(_fare(answer, reach), reach, own)
        if exceptions and fare.word in WELL:
            fare = fare._replace(exceptions=_exceptions(answer, reach))
        first = (fare.failures[0].cause, fare.failures[0].when) if fare.failures else None
        alike.setdefault((*fare[1:4], fare.rewrites, fare.exceptions, first), []).append(fare)
    if answer.nat_unseen and all(_is_unknown(fares[0]) for fares in alike.values()):
        return
    for fares in alike.values():
        yield fares[0]._replace(clients=tuple(client for fare in fares for client in fare.clients))


def _is_unknown(fare: Fare) -> bool:
    """Whether nothing is known of how clients fare."""
    return bool(fare.failures) and all(failure.cause.why == "not known" for failure in fare.failures)


def _fare(answer: FrontendAnswer, reach: Reach) -> Fare:
    failures = [] if reach.word in WELL else _joined(_failures(answer, reach.entries))
    if reach.at_most == NEVER and len({failure.cause for failure in failures}) == 1:
        failures = [Failure(CERTAIN, failures[0].cause, ())]  # whatever else is so
    refused = bool(failures) and failures[0].cause.why == "no endpoints"
    word: FareWord = "no endpoints" if refused and reach.word == "no" else reach.word
    rewrites = tuple(_rewrites(reach.entries, kept=_keeps(answer, reach.client)))
    at_most = min(CERTAIN, reach.at_most)  # the one that is known at sight, of equals
    fare = Fare((reach.client,), word, reach.at_least, at_most, tuple(failures), rewrites)
    if fare.fails and not failures:
        return fare._replace(failures=(Failure(without(fare.at_most), Cause("not known", "", None), ()),))
    return fare


def _exceptions(answer: FrontendAnswer, reach: Reach) -> tuple[Exempt, ...]:
    """Return what fails for clients whom rules single out, whatever else must be so."""
    failures = _failures(answer, filter(is_singled_out, reach.entries))
    return tuple(dict.fromkeys(Exempt(one.cause, singling(one.when)) for one in failures))


def _keeps(answer: FrontendAnswer, client: str) -> bool:
    """Whether kube-proxy marks none of these clients: pods, and outside ones where the policy is Local."""
    if () in answer.masquerade:
        return False
    local = answer.local_only and answer.frontend.kind != "cluster-ip"
    return client == "pod" or (client == "outside" and local)


def _rewrites(entries: Iterable[ClientPaths], *, kept: bool) -> Iterator[Rewrite]:
    """Yield which rules rewrite sources of connections that get to an endpoint, but for kube-proxy's own.

    Its own count where they rewrite what it should have `kept`, and no single source, as that of an endpoint.
    """
    found: dict[tuple[Decider, When], dict[str, None]] = {}
    for entry in entries:
        for row in entry.endpoints:
            if row.snat_by is not None and row.share and row.reaches:
                when = entry.when + row.when
                if not is_own_masquerade(row.snat_by) or (kept and not any(map(_is_marked_for, when))):
                    found.setdefault((row.snat_by, when), {})[row.address] = None
    return (Rewrite(by, when, tuple(addresses)) for (by, when), addresses in found.items())


def _is_marked_for(one: Assumption) -> bool:
    """Whether kube-proxy may mark for what is asked: for clients that are no pods, or an endpoint itself."""
    if one.condition.kind in {"source-cidr", "in-interface"}:
        return not one.holds or names_one(one.condition)
    return one.condition.kind in {"source-type", "source-range", "mark", "match"}


def is_own_masquerade(by: Decider) -> bool:
    """Whether a rule is that with which kube-proxy masquerades; up to 1.1 it stands in POSTROUTING itself."""
    return by.chain == POSTROUTING or by.table in PROXY_TABLES or _REQUIRING_SNAT in by.text


_REQUIRING_SNAT = "kubernetes service traffic requiring SNAT"


def _redirected(fare: Fare, reach: Reach, own: frozenset[str] | None) -> Fare:
    """Return how clients fare where some of what is reached is no endpoint of the service."""
    strays = [
        list(_strays(entry, own))
        for entry in reach.usual
        if own is not None and fare.word in {"yes", "depends"}
    ]
    found = _joined(failure for those in strays for failure in those)
    if not found:
        return fare
    word: FareWord = "redirected" if all(strays) and fare.word == "yes" else "depends"
    return fare._replace(word=word, failures=(*fare.failures, *found))


def _strays(entry: ClientPaths, own: frozenset[str]) -> Iterator[Failure]:
    """Yield the connections that reach what is no endpoint of the service."""
    for row in entry.endpoints:
        if row.share and row.reaches and not is_among(row.address, own):
            to = join_endpoint(row.address, row.port)
            yield Failure(row.share, Cause("redirected", row.outcome, None, to), entry.when + row.when)


def _joined(failures: Iterable[Failure]) -> list[Failure]:
    """Return those of several endpoints that have the same cause as one, the usual case first.

    It is the one that the fewest things must come together for; then the one of the larger share.
    """
    shares: dict[tuple[Cause, When], list[Fraction]] = {}
    for failure in failures:
        shares.setdefault((failure.cause, failure.when), []).append(trimmed(failure.share, _ENOUGH_BITS))
    joined = [Failure(total(those), cause, when) for (cause, when), those in shares.items()]
    return sorted(joined, key=_rareness)


def _rareness(failure: Failure) -> tuple[int, Fraction, int]:
    return sum(one.holds for one in failure.when), -failure.share, len(failure.when)


def _failures(answer: FrontendAnswer, entries: Iterable[ClientPaths]) -> Iterator[Failure]:
    """Yield what fails; what this node itself takes does so, too, where it should get to endpoints."""
    for entry in entries:
        for row in entry.endpoints:
            if row.share and row.outcome != ACCEPT:
                yield Failure(row.share, _ended(row.outcome, row.by), entry.when + row.when)
            elif row.share and not row.reaches:
                yield Failure(
                    row.share, Cause("answer", row.reply or "", row.reply_by), entry.when + row.when
                )
        for rest in entry.leftover:
            if rest.share:
                cause = _not_rewritten(answer, rest.outcome, rest.by)
                yield Failure(rest.share, cause, entry.when + rest.when)


def _ended(outcome: str, by: Decider | None) -> Cause:
    if outcome == UNKNOWN:
        return Cause("not known", outcome, by)
    return Cause("source ranges" if by is not None and _is_about_sources(by) else "rule", outcome, by)


def _is_about_sources(by: Decider) -> bool:
    """Whether a rule refuses who is in none of a load balancer's source ranges."""
    if by.table in PROXY_TABLES:
        from iptviz.kube.nftables.names import FIREWALL, read_chain  # of nodes in this mode alone

        own = read_chain(by.chain)
        return own is not None and own.kind == FIREWALL
    return (by.table, by.chain) == ("filter", SOURCE_RANGES) and is_own_refusal(*by[:2], by.text)


def _not_rewritten(answer: FrontendAnswer, outcome: str, by: Decider | None) -> Cause:
    """Return why connections fail that no DNAT sends anywhere; a policy says nothing of that."""
    if outcome in {ACCEPT, LOCAL}:
        return Cause("not DNATed", outcome, by if by and by.table == "nat" and by.number else None)
    if answer.verdict is None or answer.endpoints or by is None:
        return _ended(outcome, by)
    refusing = answer.verdict.rule
    if by.table in PROXY_TABLES and outcome == answer.verdict.kind:
        told = by._replace(chain=refusing.chain, line=refusing.line or None, text=refusing.text)
        return Cause("no local endpoints" if answer.local_only else "no endpoints", outcome, told)
    if (outcome, by.table, by.chain) != (answer.verdict.kind, refusing.table.name, refusing.chain):
        return _ended(outcome, by)
    return Cause("no local endpoints" if answer.verdict.lacks_local else "no endpoints", outcome, by)


# --- the sources with which connections arrive ------------------------------------------------------------------


def keeps_outside(paths: FrontendPaths, own: frozenset[str], host: Host) -> bool | None:
    """Return whether clients outside are kept as they are, who come to a service's `own` endpoints elsewhere.

    None where the paths are not those of such clients.
    """
    entries = [entry for entry in paths.entries if "outside" in entry.clients]
    return keep_sources(filterfalse(_is_of_one_source, entries), own, host) if entries else None


def keep_sources(entries: Iterable[ClientPaths], own: frozenset[str], host: Host) -> bool:
    """Whether some connections come to a service's `own` endpoints elsewhere, and all keep their source."""
    met = [
        row
        for entry in entries
        for row in entry.endpoints
        if row.share and row.outcome == ACCEPT and is_among(row.address, own) and not _stays_here(row, host)
    ]
    return bool(met) and all(row.snat is None for row in met)


def _stays_here(row: EndpointRow, host: Host) -> bool:
    """Whether a row is about an endpoint of this node, whose connections no POSTROUTING meets."""
    own = host.is_local(parse_network(row.address))
    return own is True or any(one.condition.kind == "endpoint-local" and one.holds for one in row.when)


def _is_of_one_source(entry: ClientPaths) -> bool:
    """Whether an entry is about clients at one address: endpoints, where nothing tells pods from others."""
    return any(one.condition.kind == "source-cidr" and one.holds for one in entry.when)
