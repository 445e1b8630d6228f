"""What becomes of the connections of an entry: rows with one fate together, what fails first."""

from __future__ import annotations

from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from iptviz.dump.model import Dump
from iptviz.engine.chance import CERTAIN, NEVER, total
from iptviz.engine.effects import UNKNOWN
from iptviz.kube.families import DISPATCHERS
from iptviz.kube.frontends import SERVICE_KINDS
from iptviz.paths.model import ACCEPT, AS_WRITTEN, LOCAL, is_among
from iptviz.paths.reach import hangs_on_node, is_singled_out
from iptviz.paths.unshared import joined_by_chance
from iptviz.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from fractions import Fraction

    from iptviz.dump.rule import Rule
    from iptviz.engine.condition import When
    from iptviz.kube.service import ServiceTrace
    from iptviz.node.snapshot import Snapshot
    from iptviz.paths.model import ClientPaths, Decider, EndpointRow, FrontendPaths, LeftoverRow
    from iptviz.questions.trace import TraceResult
    from iptviz.rules.form import Place

FateKind = Literal[
    "fails", "answer", "unchanged", "redirected", "handed", "unseen", "depends", "local", "reached", "setting",
    "except",
]  # fmt: skip
FATE_KINDS: tuple[FateKind, ...] = (
    "fails", "answer", "unchanged", "redirected", "handed", "unseen", "depends", "local", "reached", "setting",
    "except",
)  # fmt: skip
"""In the order in which they are told: refused; the answer is; not rewritten; sent where kube-proxy's chains send
nobody; handed to a program or kept by a target; met by rules that the dump lacks; an endpoint that fails under a
condition; delivered to this node; reached; failing by what is not known of the node, or for clients that rules
single out."""

FAILING: frozenset[FateKind] = frozenset({"fails", "answer", "unchanged"})
"""What surely does not work."""

_UNUSUAL = FAILING | {"depends"}

RARE: frozenset[FateKind] = frozenset({"setting", "except"})
"""What does not work in cases that are rare: exceptions from what is said before."""

WORKING: frozenset[FateKind] = RARE | {"reached", "redirected", "depends", "local", "handed", "unseen"}
"""What works, or may."""

MOST_DECIDERS = 3
"""Of more rules that decide alike the first is told, and how many others there are."""

_KEPT = {"QUEUE", "STOLEN"}
_LEFTOVER_KINDS: dict[str, FateKind] = {
    ACCEPT: "unchanged",
    LOCAL: "local",
    **dict.fromkeys(_KEPT, "handed"),
    UNKNOWN: "unseen",
}


class Fate(NamedTuple):
    """What becomes of a share of connections, in (0, 1], where all of `when` hold, and who decides it.

    `ends` are the endpoints to which a DNAT sends them, none where nothing is rewritten; `to` is then where they
    go. `outcome` is that of the connection, or of the answer where `kind` says that this is what fails.
    """

    kind: FateKind
    share: Fraction
    ends: tuple[End, ...]
    outcome: str
    by: Decider | None
    when: When = ()
    to: str = ""


class End(NamedTuple):
    """An endpoint, and the share of connections, in (0, 1], that it is about."""

    address: str
    port: int | None
    share: Fraction


NO_MARKING: Mapping[int, Rule] = MappingProxyType({})


class Ways:
    """All that becomes of connections to a frontend, and the addresses that kube-proxy's chains choose for it.

    `own` is None where what is reached is not compared with them. `lacking` are the chains whose rules the dump
    lacks on the way. `nat_unseen`: rules of nat that are not shown may lead connections on.
    `excerpt`: rules that mark connections may be among those that are left out. `marking` are the rules that mark
    connections to be dropped, by the lines of those that drop what is marked; `node` knows pods by address.
    `traced` is the frontend as kube-proxy's chains have it, None where nothing is compared with them.
    """

    def __init__(
        self,
        paths: FrontendPaths,
        own: frozenset[str] | None = None,
        lacking: tuple[str, ...] = (),
        *,
        nat_unseen: bool = False,
        excerpt: bool = False,
        marking: Mapping[int, Place] = NO_MARKING,
        node: Snapshot | None = None,
        traced: ServiceTrace | None = None,
    ) -> None:
        self.paths = paths._replace(entries=joined_by_chance(paths.entries))
        self.own = own
        self.lacking = lacking
        self.nat_unseen = nat_unseen
        self.excerpt = excerpt
        self.marking = marking
        self.node = node
        self.traced = traced

    @cached_property
    def fates(self) -> tuple[tuple[ClientPaths, list[Fate]], ...]:
        """The fates of each entry's connections."""
        return tuple((entry, fates_of(entry, self)) for entry in self.paths.entries)


def ways_of(answer: TraceResult) -> tuple[Ways, ...]:
    """Return the ways of each frontend of an answer; none where they were not looked at."""
    return tuple(ways_at(answer, place) for place in range(len(answer.paths)))


def ways_at(answer: TraceResult, place: int) -> Ways:
    """Return the ways of one frontend of an answer that has them."""
    outcomes, node = answer.services[place].outcomes, answer.snapshot
    if answer.services[place].frontend.kind not in SERVICE_KINDS:
        return Ways(answer.paths[place], node=node)
    ends = (end for outcome in outcomes for end in outcome.endpoints)
    own = frozenset(end.address for end in ends if end.rule.chain not in DISPATCHERS["nat"])
    unseen = answer.services[place].nat_unseen
    excerpt = answer.dump.is_excerpt
    verdicts = [outcome.verdict for outcome in outcomes if outcome.verdict and outcome.verdict.marked]
    marking = {rule.line: one.rule for one in verdicts for rule in one.marked.rules}  # type: ignore[union-attr]
    return Ways(
        answer.paths[place],
        own,
        _lacking(answer, place),
        nat_unseen=unseen,
        excerpt=excerpt,
        marking=marking,
        node=node,
        traced=answer.services[place],
    )


def _lacking(answer: TraceResult, place: int) -> tuple[str, ...]:
    """Return the chains on a frontend's way whose rules a dump that is not whole lacks."""
    traced = answer.services[place]
    if not isinstance(answer.dump, Dump):
        return tuple(dict.fromkeys(traced.broken.missing.values()))
    if answer.complete:
        return ()
    from iptviz.kube.frontend_answer import answer_of_trace  # few dumps are cut

    return answer_of_trace(traced, complete=False).unseen


def fates_of(entry: ClientPaths, ways: Ways) -> list[Fate]:
    """Return the fates of an entry's connections in the order of `FATE_KINDS`, the largest share first.

    What reaches an address that is not the frontend's own is redirected; where the dump lacks rules, it is not
    known what becomes of what no DNAT takes.
    """
    for_node = entry.untracked or ways.paths.kind == "health-check"
    left = _leftover_fates(entry, for_node=for_node)
    if ways.lacking and not entry.untracked:
        left = (fate._replace(kind="unseen", to=", ".join(ways.lacking)) for fate in left)
    if ways.nat_unseen:
        left = (_as_unseen(fate) for fate in left)
    fates = [_compared(fate, ways.own) for fate in (*_endpoint_fates(entry), *left)]
    rare: FateKind | None = "setting" if hangs_on_node(entry) else "except" if is_singled_out(entry) else None
    if rare:
        fates = [fate._replace(kind=rare) if fate.kind in _UNUSUAL else fate for fate in fates]
    return sorted(_few(_joined(fates)), key=lambda fate: (FATE_KINDS.index(fate.kind), -fate.share))


def _as_unseen(fate: Fate) -> Fate:
    """Return what is not known since rules of nat are not shown as being that."""
    is_of_nat = fate.kind == "unseen" and (fate.by is None or fate.by.text == AS_WRITTEN)
    return fate._replace(to="rules of nat", by=None) if is_of_nat else fate


def all_reach(ways: Ways) -> bool:
    """Whether every connection of every client reaches an endpoint, as far as this node decides it."""
    fates = (fate for _, fates in ways.fates for fate in fates)
    return bool(ways.fates) and all(fate.kind in {"reached", *RARE} and not fate.when for fate in fates)


def _compared(fate: Fate, own: frozenset[str] | None) -> Fate:
    is_own = own is None or all(is_among(end.address, own) for end in fate.ends)
    return fate if is_own or fate.kind != "reached" else fate._replace(kind="redirected")


def _endpoint_fates(entry: ClientPaths) -> Iterator[Fate]:
    by_endpoint: dict[tuple[str, int | None], list[EndpointRow]] = {}
    for row in entry.endpoints:
        if row.share:
            by_endpoint.setdefault((row.address, row.port), []).append(row)
    for rows in by_endpoint.values():
        yield from _of_one_endpoint(rows)


def _of_one_endpoint(rows: list[EndpointRow]) -> Iterator[Fate]:
    """Yield the fates of one endpoint's rows: what fails under a condition alone is told as such."""
    failing = [row for row in rows if not row.reaches]
    if not failing or _are_alike(rows):
        yield _whatever_holds(rows)
    elif len(failing) < len(rows) and any(row.when for row in failing):
        yield from (_fate(row, "depends" if row.when else _kind(row)) for row in failing)
    else:
        yield from (_fate(row, _kind(row)) for row in rows)


def _are_alike(rows: list[EndpointRow]) -> bool:
    """Whether the same becomes of all rows, by the same rules."""
    return len({(row.outcome, row.by, row.reply, row.reply_by) for row in rows}) == 1


def _whatever_holds(rows: list[EndpointRow]) -> Fate:
    """Return one fate for rows that cover all cases: what they differ in does not matter here."""
    if len(rows) == 1:
        return _fate(rows[0], _kind(rows[0]))
    shares: dict[When, Fraction] = {}
    for row in rows:
        shares[row.when] = shares.get(row.when, NEVER) + row.share
    always = shares.pop((), NEVER)
    share = always + max(shares.values(), default=NEVER)
    return _fate(rows[0]._replace(share=share, when=()), _kind(rows[0]))


def _fate(row: EndpointRow, kind: FateKind) -> Fate:
    end = End(row.address, row.port, row.share)
    if kind == "reached":
        return Fate(kind, row.share, (end,), ACCEPT, None, row.when)
    if row.outcome == ACCEPT:
        return Fate(kind, row.share, (end,), f"answer {row.reply}", row.reply_by, row.when)
    return Fate(kind, row.share, (end,), row.outcome, row.by, row.when)


def _kind(row: EndpointRow) -> FateKind:
    if row.reaches:
        return "reached"
    if row.outcome == ACCEPT:
        return "answer"
    return _LEFTOVER_KINDS.get(row.outcome, "fails")


def _leftover_fates(entry: ClientPaths, *, for_node: bool) -> Iterator[Fate]:
    """Yield the fates of what no DNAT takes: without conditions where these only part what is alike.

    `for_node`: the node itself is meant to take it.
    """
    rows = [row for row in entry.leftover if row.share]
    alike = {(row.outcome, row.by, row.to) for row in rows}
    always = len(alike) == 1 and len(rows) > 1 and all(row.share == CERTAIN for row in rows)
    for row in rows[:1] if always else rows:
        when = () if always else row.when
        kind = _leftover_kind(row)
        if kind == "local" and not for_node:
            kind = "unchanged"
        yield Fate(kind, row.share, (), row.outcome, row.by, when, "" if kind == "unseen" else row.to)


def _leftover_kind(row: LeftoverRow) -> FateKind:
    return _LEFTOVER_KINDS.get(row.outcome, "fails")


def _joined(fates: Iterable[Fate]) -> list[Fate]:
    """Return fates that differ only in endpoints and shares as one."""
    alike: dict[object, list[Fate]] = {}
    for fate in fates:
        alike.setdefault((fate.kind, fate.outcome, fate.by, fate.when, fate.to), []).append(fate)
    return [_one(those) for those in alike.values()]


def _few(fates: list[Fate]) -> Iterator[Fate]:
    """Yield fates; those that many rules decide alike are one, with the first of these rules."""
    alike: dict[object, list[Fate]] = {}
    for fate in fates:
        table = fate.by.table if fate.by else None
        alike.setdefault((fate.kind, fate.outcome, table, fate.to, bool(fate.when)), []).append(fate)
    for those in alike.values():
        if len(those) > MOST_DECIDERS and not those[0].when:
            one = _one(those)
            others = sum(fate.by.others + 1 for fate in those if fate.by) - 1
            yield one._replace(by=one.by._replace(others=others) if one.by else None)
        else:
            yield from those


def _one(fates: list[Fate]) -> Fate:
    if len(fates) == 1:
        return fates[0]
    ends = tuple(end for fate in fates for end in fate.ends)
    return fates[0]._replace(ends=ends, share=total(fate.share for fate in fates))
