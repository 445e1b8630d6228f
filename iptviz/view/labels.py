"""How services, frontends, endpoints, cases and rules are called, wherever they are shown."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from iptviz.checks.wording import kind_word
from iptviz.engine.chance import CERTAIN, times, total, trimmed
from iptviz.engine.condition import clauses
from iptviz.intake.plain import DumpForm
from iptviz.kube.balance import Balance, balance_of
from iptviz.kube.comments import way_of_comment
from iptviz.kube.families import PROXY_TABLES
from iptviz.kube.frontends import CHAIN
from iptviz.kube.outcome import lacking_share
from iptviz.kube.unled import is_endpoint_alone
from iptviz.records import NamedTuple
from iptviz.rules.form import ServerPlace, is_virtual, virtual_of
from iptviz.rules.iptables import unprinted_beside
from iptviz.view.nodes import LetteredCase
from iptviz.view.numbers import chance, counted, percent
from iptviz.view.text import printable

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from iptviz.checks.finding import Item
    from iptviz.engine.condition import When
    from iptviz.kube.frontends import Frontend
    from iptviz.kube.nftables.pinned import Pinned
    from iptviz.kube.outcome import Endpoint, FrontendOutcome, Masquerade
    from iptviz.kube.service import ServiceTrace
    from iptviz.node.listing import RuleSource
    from iptviz.node.snapshot import Snapshot
    from iptviz.node.virtual_servers import IpvsListing
    from iptviz.rules.form import Place

FOLD_FROM = 16
"""More endpoints than this are folded to the first ten and a line for the rest."""

SHOWN = 10
"""How many of them then remain; of chains, too, where an edited dump nests more."""

_MOST_NAMED = 4
"""So many services or frontends are named in a heading, and one more where that is all."""

_MOST_LACKING = 3
"""So many chains that the dump does not show are named."""

_ENOUGH_BITS = 128
"""For the least and the most of thousands of shares: comparing them exactly would only be slow."""

NOT_PRINTED = "shares not printed"
"""What is said of endpoints where the dump does not show by what chance each is chosen."""

OPEN_QUESTIONS = "conditions left open (see the notes)"
"""What an answer depends on where there were too many cases; the dump lacks nothing then."""

TRUNCATED = "too many cases: conditions left open, shares are bounds (see the notes)"
"""What is said of the answer about a packet then."""


def dump_label(dump: RuleSource, *, complete: bool, noted: bool = True) -> str:
    """Return where a dump comes from, who wrote it, what it holds, and whether it lacks something.

    `noted` says that notes tell what the dump lacks.
    """
    parts = [
        _place_label(dump),
        _writer_label(dump),
        *_contents(dump),
        "complete" if complete else f"INCOMPLETE{', see the notes' if noted else ''}",
    ]
    return printable(" · ".join(parts))


def virtual_servers_of(source: RuleSource) -> IpvsListing | None:
    """Return a source of services as the listing of virtual servers that it is; None for one of rules."""
    from iptviz.dump.model import Dump

    if isinstance(source, Dump):
        return None
    from iptviz.node.virtual_servers import IpvsListing  # most sources are dumps

    return source if isinstance(source, IpvsListing) else None


def _contents(source: RuleSource) -> tuple[str, ...]:
    virtual = virtual_servers_of(source)
    if virtual is not None:
        return source.family, counted(len(virtual.servers), "virtual server")
    return _tables_label(source) or "no table", counted(source.rule_count, "rule")


def _writer_label(dump: RuleSource) -> str:
    """Return who wrote a dump, and its family where neither that nor its tables name it."""
    if dump.tool is None:
        return f"{dump.family}, no header"
    return f"{dump.tool}, {dump.family}" if getattr(dump, "form", "") == DumpForm.NFT else dump.tool


def _place_label(dump: RuleSource) -> str:
    """Return the file; of several in a bundle, that."""
    others = getattr(dump, "others", ())
    return str(dump.origin.bundle) if others else dump.source  # type: ignore[attr-defined]


def _tables_label(dump: RuleSource) -> str:
    """Return the tables; where they stand in several files, each of these with its own."""
    from iptviz.dump.model import Dump

    if not isinstance(dump, Dump) or not dump.others:
        return ", ".join(dump.tables)
    return ", ".join(
        f"{' and '.join(other.own_tables)} in {other.source.rpartition('/')[2]}"
        for other in (dump, *dump.others)
    )


def dumps_label(dumps: Sequence[RuleSource], *, complete: bool) -> str:
    """Return the same of several dumps that a packet passes; a file that holds them all is named once."""
    first, *others = dumps
    labels = [dump_label(first, complete=complete)]
    for dump in others:
        label = dump_label(dump, complete=complete)
        labels.append(label.removeprefix(f"{printable(first.source)} · "))
    return " + ".join(labels)


def short_dump_label(dump: RuleSource) -> str:
    """Return which of a node's dumps it is, its number, family and backend; of a listing its family."""
    if virtual_servers_of(dump) is not None:
        return f"IPVS: {dump.family}"
    number = "nft:" if dump.number is None else f"{dump.number}:"
    return " ".join(filter(None, (number, dump.family, dump.backend if dump.number is not None else None)))


def here(source: RuleSource) -> str:
    """Return what was read, as sentences call it: `this dump`, or `this listing` of nft or of virtual servers."""
    from iptviz.dump.model import Dump

    return "this dump" if isinstance(source, Dump) else "this listing"


def other_dump_label(dump: RuleSource) -> str:
    """Return the dump or listing of a node that is not the obvious one, with its number where it has one."""
    whole = "" if dump.complete else ", INCOMPLETE"
    number = "" if dump.number is None else f"dump {dump.number}, "
    return printable(f"in {number}{dump.source} ({dump.tool or dump.family}{whole})")


def note_texts(notes: Collection[Item]) -> tuple[str, ...]:
    """Return the notes of an answer as sentences that print; without any, the words are not imported."""
    if not notes:
        return ()
    from iptviz.checks.wording import noted

    return tuple(printable(noted(note)) for note in notes)


def service_label(service: ServiceTrace) -> str:
    """Return the service's name, or what stands in for it."""
    return printable(service.service.text or service.owner or service.chain or "a service without a name")


def frontend_label(frontend: Frontend) -> str:
    """Return a frontend with its kind, and to which addresses of the node it is limited."""
    limit = frontend.addresses if frontend.address is None else None
    where = f" {limit.text}" if limit else ""
    lacking = "frontends and its share" if is_endpoint_alone(frontend) else "frontends"
    unseen = f": its {lacking} are not in this dump" if frontend.kind == CHAIN else ""
    return printable(f"{_kind_of(frontend)} {frontend.text}{where}{unseen}")


def _kind_of(frontend: Frontend) -> str:
    return kind_word(frontend.kind, untold=frontend.kind_untold)


def services_label(services: Sequence[ServiceTrace]) -> str:
    """Return the names of service ports, those of further ports of one service in short; of many the first."""
    names = list(dict.fromkeys(map(service_label, services)))
    owner, colon, _ = names[0].rpartition(":")
    same = f"{owner}:" if colon else ""
    short = [
        names[0],
        *(f":{name.removeprefix(same)}" if _is_below(name, same) else name for name in names[1:]),
    ]
    return ", ".join(some_of(short))


def _is_below(name: str, same: str) -> bool:
    return bool(same) and name.startswith(same)


def frontends_label(frontends: Sequence[Frontend]) -> str:
    """Return frontends with their kinds, each kind once in a row; of many the first."""
    labels = dict(zip(map(frontend_label, frontends), map(_kind_of, frontends), strict=True))
    said: list[str] = []
    before = ""
    for label, kind in labels.items():
        said.append(label.removeprefix(f"{kind} ") if kind == before else label)
        before = kind
    return ", ".join(some_of(said))


def some_of(names: Sequence[str]) -> list[str]:
    """Return the first names, and how many others there are."""
    more = len(names) - _MOST_NAMED
    return [*names[:_MOST_NAMED], f"{more:,} more"] if more > 1 else list(names)


def share_text(share: Fraction, outcome: FrontendOutcome) -> str:
    """Return the share of an endpoint, or that it is not known."""
    return "?" if outcome.unshared else percent(share)


def how_label(endpoint: Endpoint, outcome: FrontendOutcome) -> str:
    """Say how the share of an outcome's endpoint comes about, as far as the dump shows it."""
    if isinstance(endpoint.rule, ServerPlace):
        return _picked_label(endpoint.rule)
    if not outcome.unshared:
        return raw_label(endpoint)
    return "share not printed" if _is_led_to(endpoint) else "share not in this dump"


def _picked_label(place: ServerPlace) -> str:
    """Say how a real server of IPVS comes by its share: what picks it, and the weight that counts."""
    virtual, weight = place.virtual, place.real.weight if place.real else None
    weights = [server.weight or 0 for server in virtual.servers]
    if weight == 0:
        return "weight 0: no new clients"
    if virtual.scheduler == "rr":
        return f"round robin, 1 in {sum(map(bool, weights)):,}" if weight else "round robin"
    if virtual.scheduler == "wrr":
        return f"weighted round robin, {weight:,} in {sum(weights):,}" if weight else "weighted round robin"
    from iptviz.checks.era import scheduler_text  # few answers have one

    own = "" if weight is None else f", weight {weight:,}"
    return printable(scheduler_text(virtual.scheduler) + own)


def _is_led_to(endpoint: Endpoint) -> bool:
    """Whether a rule of another chain leads to the endpoint's."""
    return endpoint.via.chain != endpoint.rule.chain


def _unshared_label(outcome: FrontendOutcome) -> str:
    virtual = virtual_of(outcome.endpoints[0].rule)
    if virtual is not None:
        from iptviz.checks.era import scheduler_text

        return printable(f"shares not known ({scheduler_text(virtual.scheduler)})")
    return NOT_PRINTED if any(map(_is_led_to, outcome.endpoints)) else "share not in this dump"


def raw_label(endpoint: Endpoint) -> str:
    """Say how the share comes about: the rule's own chance, of what is left when it is asked."""
    if times(endpoint.chance, endpoint.before) != endpoint.share:
        return "by several paths"
    if endpoint.drawn is not None and endpoint.drawn != CERTAIN:
        reached = endpoint.share / endpoint.drawn
        return f"{endpoint.drawn} (numgen)" + ("" if reached == CERTAIN else f" of {percent(reached)}")
    if endpoint.chance == CERTAIN:
        return "all connections" if endpoint.before == CERTAIN else f"rest ({percent(endpoint.before)})"
    left = "" if endpoint.before == CERTAIN else f" of remaining {percent(endpoint.before)}"
    return f"p={chance(endpoint.chance)}{left}"


def seen_label(connections: int, everything: int) -> str:
    """Return how many connections the counters saw, and which share that is of the chain's."""
    share = f" = {percent(Fraction(connections, everything))}" if everything else ""
    return f"seen {connections:,}{share}"


def endpoint_label(endpoint: Endpoint, node: Snapshot | None = None) -> str:
    """Return the endpoint's address and port, and the pod that it is where a list of the node's tells."""
    return printable(endpoint.text + pod_label(node, endpoint.address, endpoint.port))


def pod_label(node: Snapshot | None, address: str, port: int | None) -> str:
    """Return which pod of a node's lists an endpoint is, with a blank before it; nothing where none is known."""
    pod = node.pod_at(address, port) if node is not None else ""
    return f" {pod}" if pod else ""


def line_label(rule: Place, *within: str) -> str:
    """Return where a rule stands; without a line its chain, where that is not told already, and its number."""
    return lines_label((rule,), *within)


def lines_label(rules: Sequence[Place], *within: str) -> str:
    """Return where rules stand, each line once; of JSON, which has no lines, their chains and numbers.

    `within` are chains that are told already.
    """
    lines = list(dict.fromkeys(str(rule.line) for rule in rules if rule.line))
    numbers = list(dict.fromkeys(_number_label(rule, within) for rule in rules if not rule.line))
    texts = (f"{name}{'s' if len(some) > 1 else ''} {', '.join(some)}"
             for name, some in (("line", lines), ("rule", numbers)) if some)  # fmt: skip
    return printable(", ".join(texts))


def _number_label(rule: Place, within: Collection[str]) -> str:
    return f"{rule.number}" if rule.chain in within else f"{rule.number} of {rule.chain}"


def mark_label(mark: Masquerade) -> str:
    """Say when connections are masqueraded; only that they are marked where the dump does not print marks."""
    unprinted = unprinted_beside(mark.rule)
    return f"{'marked for SNAT' if unprinted and unprinted.marks() else 'SNAT'} {when_label(mark)}"


def when_label(mark: Masquerade) -> str:
    """Say when a mark is set."""
    return needs_label(mark.needs)


def needs_label(needs: When) -> str:
    """Say when something is done that is done where all of `needs` are so."""
    if len(needs) == 1 and not needs[0].holds:
        return printable(f"unless {needs[0].opposite().text}")
    return printable(f"if {clauses(needs)}" if needs else "always")


def lacking_label(outcome: FrontendOutcome) -> str:
    """Say which chains connections enter that the dump does not show, and the endpoints that comments name."""
    addresses = {hop.chain: way_of_comment(hop.via.comment) for hop in outcome.lacking}
    named = [f"{chain} ({way} by its comment)" if way else chain for chain, way in addresses.items()]
    more = f" and {len(named) - _MOST_LACKING:,} more" if len(named) > _MOST_LACKING else ""
    return printable(f"unknown (not in this dump: {', '.join(named[:_MOST_LACKING])}{more})")


def leftover_label(outcome: FrontendOutcome, *, complete: bool) -> str:
    """Say what becomes of connections that get no endpoint and that nothing refuses.

    To a kernel a chain without rules just returns; in a dump that lacks something, they may be what it lacks.
    """
    if outcome.lacking:
        return lacking_label(outcome)
    if outcome.empty_chains and not complete:
        chains = ", ".join(dict.fromkeys(hop.chain for hop in outcome.empty_chains))
        return printable(f"unknown (this incomplete dump has no rules of {chains})")
    takers = [end.rule for end in outcome.others if end.takes]
    if takers:
        return "taken by " + ", ".join(map(line_label, takers))
    if outcome.hops and not complete:
        hop = outcome.hops[-1]
        there = "listing" if hop.via.table.name in PROXY_TABLES else "dump"
        return printable(f"unknown (this incomplete {there} may lack rules of {hop.chain})")
    return "no endpoint, not DNATed"


# --- cases ---------------------------------------------------------------------------------------------------


class OutcomeCase(NamedTuple):
    """An outcome and the case in which it comes about: of no letter and no condition where there is only one."""

    case: LetteredCase
    outcome: FrontendOutcome


def outcome_cases(outcomes: tuple[FrontendOutcome, ...]) -> list[OutcomeCase]:
    """Return the cases in order; those with the same endpoints, shares, marks and refusal are joined."""
    groups: dict[object, list[FrontendOutcome]] = {}
    for outcome in outcomes:
        # With nothing to compare it with, it is not looked at: hashing its shares takes long where they are long.
        groups.setdefault(result_of(outcome) if len(outcomes) > 1 else (), []).append(outcome)
    if len(groups) == 1:
        return [OutcomeCase(LetteredCase("", ()), outcomes[0])]
    return [
        OutcomeCase(
            LetteredCase(letter_of(number), tuple(printable(clauses(outcome.when)) for outcome in group)),
            group[0],
        )
        for number, group in enumerate(groups.values())
    ]


def result_of(outcome: FrontendOutcome) -> object:
    """Return what an outcome comes to: equal for those that are one case."""
    shares = tuple((endpoint.rule, endpoint.share) for endpoint in outcome.endpoints)
    return shares, outcome.leftover, outcome.verdict, outcome.masquerade, outcome.lacking, outcome.unshared


def letter_of(number: int) -> str:
    """Return A to Z, then AA, AB and so on."""
    rest, last = divmod(number, 26)
    return (letter_of(rest - 1) if rest else "") + chr(ord("A") + last)


# --- how connections are shared ------------------------------------------------------------------------------


def balance_label(outcome: FrontendOutcome, balance: Balance | None, *, complete: bool) -> str:
    """Say how an outcome's connections are shared, or what becomes of them where nobody gets them.

    `balance` is that of the outcome.
    """
    if outcome.unshared and outcome.endpoints:
        lacking = f"; an unknown share {lacking_label(outcome)}" if outcome.lacking else ""
        return f"{counted(len(outcome.endpoints), 'endpoint')}, {_unshared_label(outcome)}{lacking}"
    if balance is not None:
        return _balance_text(balance, outcome)
    if outcome.verdict:
        marked = outcome.verdict.marked is not None
        return f"no endpoint: {'marked to be dropped' if marked else outcome.verdict.kind}"
    return leftover_label(outcome, complete=complete)


def outcome_balance(outcome: FrontendOutcome) -> Balance | None:
    """Return how evenly an outcome's endpoints share; None without any, or where the dump prints no shares.

    A real server of IPVS that has weight 0 is to get none.
    """
    if outcome.unshared:
        return None
    drained = {end.rule for end in outcome.endpoints if not end.share and is_virtual(end.rule)}
    return balance_of([end.share for end in outcome.endpoints if end.rule not in drained])


def _balance_text(balance: Balance, outcome: FrontendOutcome) -> str:
    if balance.endpoints == 1 and not outcome.leftover:
        return "1 endpoint (100 %)"
    count = counted(balance.endpoints, "endpoint")
    if outcome.lacking:
        shares = percent(balance.most) + (" each" if balance.endpoints > 1 else "")
        if balance.least != balance.most:
            shares = f"{percent(balance.least)} to {percent(balance.most)}"
        return f"{count}, {shares}; {percent(lacking_share(outcome))} {lacking_label(outcome)}"
    if outcome.leftover:
        spread = f"{percent(balance.least)} to {percent(balance.most)}"
        return f"{count}, {spread}, {percent(outcome.leftover)} get none"
    if not balance.even:
        return f"{count}, UNEVEN: {percent(balance.least)} to {percent(balance.most)}"
    return f"{count}, {percent(balance.most)} each"


def masquerade_label(outcome: FrontendOutcome) -> str:
    """Say when kube-proxy's chains have an outcome's connections masqueraded."""
    if not outcome.masquerade:
        return "none by kube-proxy's chains"
    return ", or ".join(map(when_label, outcome.masquerade))


def pinned_label(pinned: Sequence[Pinned], *, fold: bool) -> str:
    """Say which clients stayed with which endpoints when they were listed; folded, the first of them."""
    from iptviz.rules.native.rule_words import duration  # dumps know of no such clients

    shown = pinned[:_MOST_NAMED] if fold and len(pinned) > _MOST_NAMED + 1 else pinned
    texts = [
        f"{one.client} -> {one.endpoint}"
        + (f" (expires in {duration(one.expires // 1000 * 1000)})" if one.expires is not None else "")
        for one in shown
    ]
    more = [f"{len(pinned) - len(shown):,} more (--all)"] if len(shown) < len(pinned) else []
    return printable(f"{counted(len(pinned), 'client')} pinned when listed: {', '.join([*texts, *more])}")


def folded_ends_label(shares: list[Fraction], outcome: FrontendOutcome) -> str:
    """Say what a fold hides of an outcome's endpoints."""
    if outcome.unshared:
        return f"and {len(shares):,} more, {NOT_PRINTED} (--all)"
    return folded_label(shares)


def folded_label(shares: list[Fraction]) -> str:
    """Say what a fold hides: how many endpoints or outcomes, with which shares, together in (0, 1]."""
    roughly = [trimmed(share, _ENOUGH_BITS) for share in shares]
    least, most = percent(min(roughly)), percent(max(roughly))
    each = f"{least} each" if least == most else f"{least} to {most} each"
    return f"and {len(shares):,} more, {each}, {percent(total(shares))} together (--all)"
