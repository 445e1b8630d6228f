"""The first lines of a trace: who reaches a frontend and who does not, by which rule, and with which source."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, cast

from iptviz.engine.chance import total, trimmed
from iptviz.engine.condition import clauses
from iptviz.kube.balance import balance_between
from iptviz.kube.families import PROXY_TABLES, SERVICES
from iptviz.kube.preempt import hooks_without_services
from iptviz.paths.model import ACCEPT, AS_WRITTEN, LOCAL, is_among
from iptviz.records import NamedTuple
from iptviz.view.blocks import Fact
from iptviz.view.clients import clients_labels, clients_of
from iptviz.view.deciders import decider_label
from iptviz.view.fates import FAILING, FATE_KINDS, RARE, WORKING, Fate
from iptviz.view.labels import NOT_PRINTED, pod_label
from iptviz.view.numbers import counted, percent
from iptviz.view.snat import snat_texts
from iptviz.view.text import printable
from iptviz.xtables.address import join_endpoint

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from fractions import Fraction

    from iptviz.dump.table import Table
    from iptviz.node.snapshot import Snapshot
    from iptviz.paths.model import ClientPaths, Decider
    from iptviz.view.fates import End, FateKind, Ways
    from iptviz.view.nodes import Mood

_ENOUGH_BITS = 512
"""For telling whether thousands of shares are alike: comparing them exactly would only be slow."""

NAMED = 3
"""So many endpoints are named, of more it is told how many there are."""

_ANSWERS = {
    "answer DROP": "answer dropped",
    "answer REJECT": "answer rejected",
    "answer QUEUE": "answer queued",
    "answer STOLEN": "answer taken",
    "answer LOCAL": "answer kept",
}
"""What becomes of answers that do not get back."""

_WORDS = {outcome: words.upper() for outcome, words in _ANSWERS.items()} | {
    "QUEUE": "QUEUED",
    "STOLEN": "TAKEN",
}
"""What outcomes are called at the beginning of a line, where their kind has no word of its own."""

REACHED: FateKind = "reached"
"""The kind of what works, and its word."""

_KIND_WORDS: dict[FateKind, str] = {
    "unchanged": "NOT DNATed",
    "redirected": "REDIRECTED",
    "depends": "depends",
    "setting": "depends",
    "except": "except",
    "unseen": "NOT KNOWN",
    "local": "this node",
    "reached": REACHED,
}
_NORMAL = {
    ("state", "NEW"), ("mark", "0x0"), ("connmark", "0x0"), ("fragment", ""), ("recent", "any list"),
    ("destination-type", "LOCAL"), ("in-interface", "lo"), ("bridge-port", ""),
}  # fmt: skip
"""What is assumed of every new connection is not told again and again; JSON has it."""

_MOODS: dict[FateKind, Mood] = {**dict.fromkeys(FAILING, "bad"), "redirected": "bad", "reached": "good"}


class WayLine(NamedTuple):
    """A line: a word, what it says of which endpoints, whether that is good or bad, and of whom it is said.

    `share` is that of the connections of each of these clients, in (0, 1]; `by` decides; `to` is
    where they go that no DNAT rewrites. `clients` are they without the conditions of `who`.
    """

    kind: FateKind
    word: str
    text: str
    ends: frozenset[End]
    mood: Mood
    share: Fraction
    by: Decider | None = None
    to: str = ""
    who: str = ""
    clients: tuple[str, ...] = ()

    @property
    def fact(self) -> Fact:
        """The line as it is shown."""
        return Fact(self.word, f"{self.who}: {self.text}", self.mood, "reach")


def way_lines(ways: Ways) -> tuple[WayLine, ...]:
    """Return the lines of a frontend, what fails first; clients of which the same is said share one."""
    said: dict[WayLine, list[ClientPaths]] = {}
    for entry, own in _said(ways):
        for line in own:
            said.setdefault(line, []).append(entry)
    ordered = sorted(said, key=lambda line: FATE_KINDS.index(line.kind))
    usual = [line for line in ordered if line.kind not in RARE]
    rare = [line for line in ordered if line.kind in RARE]
    # Rare cases are told as exceptions from what is usual, which is told as if there were none.
    exceptions = clients_labels([said[line] for line in (*rare, *usual)])
    who = [*clients_labels([said[line] for line in usual]), *exceptions[: len(rare)]]
    lines = [
        line._replace(who=clients, clients=clients_of(said[line]))
        for line, clients in zip((*usual, *rare), who, strict=True)
    ]
    return tuple(_told_apart(lines))


def answers_by_client(ways: Ways) -> list[tuple[str, tuple[WayLine, ...]]]:
    """Return for each group of clients all that is said of it; first those for whom most fails."""
    groups: dict[tuple[WayLine, ...], list[ClientPaths]] = {}
    for entry, lines in _said(ways):
        groups.setdefault(lines, []).append(entry)
    ordered = sorted(groups, key=lambda lines: [FATE_KINDS.index(line.kind) for line in lines])
    return list(zip(clients_labels([groups[lines] for lines in ordered]), ordered, strict=True))


def failing_ends(ways: Ways) -> frozenset[tuple[str, int | None]]:
    """Return address and port of each endpoint at which connections fail while others of the same clients work.

    Those at which all clients fail belong to them.
    """
    answers = [lines for _, lines in answers_by_client(ways)]
    failing = [_ends(line for line in lines if line.kind in FAILING) for lines in answers]
    partly = [
        ends
        for ends, lines in zip(failing, answers, strict=True)
        if any(line.kind in WORKING for line in lines)
    ]
    always = frozenset.intersection(*failing) if failing else frozenset()
    return always.union(*partly)


def unreached(ways: Ways, endpoints: Iterable[str]) -> frozenset[str]:
    """Return the addresses among those of `endpoints` at which no connection arrives, as far as that is known."""
    lines = [line for _, lines in answers_by_client(ways) for line in lines]
    if not lines or any(line.kind in _OPEN for line in lines):
        return frozenset()
    reached = frozenset(end.address for line in lines if line.kind in WORKING for end in line.ends)
    return frozenset(address for address in endpoints if not is_among(address, reached))


_OPEN: frozenset[FateKind] = frozenset({"unseen", "handed"})
"""What leaves open where connections go."""


def _ends(lines: Iterable[WayLine]) -> frozenset[tuple[str, int | None]]:
    return frozenset((end.address, end.port) for line in lines for end in line.ends)


def usual_facts(ways: Ways) -> Iterator[Fact]:
    """Yield who reaches a frontend and who does not, but for exceptions."""
    yield from (line.fact for line in way_lines(ways) if line.kind not in RARE)


def other_facts(ways: Ways) -> Iterator[Fact]:
    """Yield what else is said of a frontend: exceptions, the sources that endpoints see, what is assumed."""
    yield from (line.fact for line in way_lines(ways) if line.kind in RARE)
    yield from (
        Fact("SNAT", text, kind="masquerade") for text in snat_texts(ways.paths.entries, excerpt=ways.excerpt)
    )
    if told := [
        one for one in ways.paths.assumed if (one.condition.kind, one.condition.value) not in _NORMAL
    ]:
        yield Fact("Assumed", printable(clauses(tuple(told))), kind="assumed")
    if ways.paths.left_open:
        yield Fact("Left open", "too many cases: conditions left open", kind="depends")


@lru_cache(maxsize=16)
def _said(ways: Ways) -> tuple[tuple[ClientPaths, tuple[WayLine, ...]], ...]:
    """Return the lines of each entry, worked out once: the first lines and the tree ask for them."""
    return tuple((entry, tuple(_lines(entry, fates, ways))) for entry, fates in ways.fates)


def _lines(entry: ClientPaths, fates: list[Fate], ways: Ways) -> Iterator[WayLine]:
    alone = len(fates) == 1
    works = any(fate.kind in WORKING for fate in fates)
    for fate in (_unquoted(fate, ways) for fate in fates):
        word = _word(fate, works=works)
        if not alone and (works or fate.kind not in FAILING):
            word += " in part" if entry.unshared else f" {percent(fate.share)}"
        even = None if entry.unshared else _is_even(fate.ends)
        text = _text(fate, entry, ways, alone=alone, works=works, even=even)
        mood = "bad" if even is False else _MOODS.get(fate.kind, "")
        yield WayLine(
            fate.kind, word, printable(text), frozenset(fate.ends), mood, fate.share, fate.by, fate.to
        )


def _word(fate: Fate, *, works: bool) -> str:
    if fate.kind == "fails":
        return "FAILS" if works else "NOT REACHED"
    return _KIND_WORDS.get(fate.kind) or _WORDS.get(fate.outcome, fate.outcome)


def _read(ways: Ways) -> str:
    """Return what the rules were read from: a dump, or a listing of nft."""
    traced = ways.traced
    return "listing" if traced and traced.frontend.rule.table.name in PROXY_TABLES else "dump"


def _text(fate: Fate, entry: ClientPaths, ways: Ways, *, alone: bool, works: bool, even: bool | None) -> str:
    """Say what becomes of a fate's connections: where they go, and which rule decides; see `ends_label`."""
    when = f" when {clauses(fate.when)}" if fate.when else ""
    untracked = " (not tracked: skips nat)" if entry.untracked else ""
    if fate.kind in {"reached", "redirected"}:
        foreign = (
            f", no endpoint of this service{_taken_by(entry, ways)}" if fate.kind == "redirected" else ""
        )
        return ends_label(fate.ends, ways.node, even=even) + foreign + when
    if fate.kind == "unseen":
        return f"this {_read(ways)} {_lacking(fate)}{when}"
    share = "" if alone or works or even is None else f"{percent(fate.share)}: "
    if fate.outcome == LOCAL:
        how = untracked or (_unchanged_since(fate, entry, ways) if fate.kind == "unchanged" else "")
        return f"{share}delivered to this node at {fate.to}{how}{when}"
    if fate.outcome == ACCEPT and not fate.ends:
        return (
            f"{share}goes on to {fate.to} unchanged{when}{untracked or _unchanged_since(fate, entry, ways)}"
        )
    named = fate.ends and (not alone or fate.kind == "depends")
    where = f"{_failing_ends(fate.ends, ways.node, even=even)}: " if named else ""
    otherwise = "; otherwise reached" if fate.kind == "depends" else ""
    return f"{share}{where}{_by(fate)}{_marked(fate, ways)}{when}{otherwise}"


def _lacking(fate: Fate) -> str:
    """Say what of a dump is missing that decides."""
    if fate.to or fate.by is None or fate.by.text == AS_WRITTEN:
        return f"lacks {fate.to or 'chains that decide'}"
    if fate.by.number is None:
        return f"may lack rules of {fate.by.table} {fate.by.chain} before its policy"
    return f"lacks the chain that {decider_label(fate.by)} {'lead' if fate.by.others else 'leads'} to"


def _by(fate: Fate) -> str:
    """Say who decides how; the word before the line already says what becomes of an answer."""
    decider = f"by {decider_label(fate.by)}" if fate.by else ""
    how = "" if fate.kind in {"answer", "handed"} and decider else _ANSWERS.get(fate.outcome, fate.outcome)
    return " ".join(filter(None, (how, decider)))


def _unquoted(fate: Fate, ways: Ways) -> Fate:
    """Return a fate without the text of a rule that only drops what another has marked: that one tells why."""
    if fate.by is None or fate.by.line not in ways.marking:
        return fate
    return fate._replace(by=fate.by._replace(text="", comment=""))


def _marked(fate: Fate, ways: Ways) -> str:
    """Say which rule marked the connections that are dropped since they bear a mark, and why."""
    rule = ways.marking.get(fate.by.line) if fate.by and fate.by.line is not None else None
    if rule is None:
        return ""
    why = f': "{rule.comment}"' if rule.comment else ""
    return f", marked by {rule.table.name} {rule.chain} (line {rule.line}{why})"


def _taken_by(entry: ClientPaths, ways: Ways) -> str:
    """Name the rule above the jump to kube-proxy's chains that rewrites what these clients send, if it is one."""
    if ways.traced is None:
        return ""
    hooks = {_hook_of(client) for client in entry.clients}
    taking = (each.rule for each in ways.traced.preempted if each.hook in hooks)
    rules = list(dict.fromkeys(rule for rule in taking if rule.target and rule.target.name == "DNAT"))
    if len(rules) != 1:
        return ""
    return printable(f": DNAT by nat {rules[0].chain} (line {rules[0].line}) runs before {SERVICES}")


def _hook_of(client: str) -> str:
    """Return the chain of nat that new connections of a client meet first."""
    return "OUTPUT" if client == "node" else "PREROUTING"


def _unchanged_since(fate: Fate, entry: ClientPaths, ways: Ways) -> str:
    if fate.by is not None and fate.by.table == "nat" and fate.by.number is not None:
        return f"; {decider_label(fate.by)} comes first"
    nat = ways.traced.frontend.rule.table if ways.traced else None
    if nat is not None and nat.name == "nat":
        table = cast("Table", nat)
        own = {_hook_of(client) for client in entry.clients}
        asking_nobody = [hook for hook in hooks_without_services(table) if not table.shown.may_lack(hook)]
        if hooks := sorted(own.intersection(asking_nobody)):
            return f"; nat {' and '.join(hooks)} {'have' if len(hooks) > 1 else 'has'} no jump to {SERVICES}"
    return f"; no rule of this {_read(ways)} rewrites it"


def _names(ends: Iterable[End], node: Snapshot | None = None) -> list[str]:
    """Return endpoints with the pods that they are, as far as that is known."""
    return [
        printable(join_endpoint(end.address, end.port) + pod_label(node, end.address, end.port))
        for end in ends
    ]


def _failing_ends(ends: tuple[End, ...], node: Snapshot | None, *, even: bool | None) -> str:
    """Return endpoints by name where they are few."""
    return ", ".join(_names(ends, node)) if len(ends) <= NAMED else ends_label(ends, even=even)


def ends_label(ends: tuple[End, ...], node: Snapshot | None = None, *, even: bool | None) -> str:
    """Return an endpoint by name; of several how many they are, and what each of them gets.

    `even` is None where the dump does not print what each gets.
    """
    if len(ends) == 1:
        return _names(ends, node)[0]
    shares = [end.share for end in ends]
    count = counted(len(ends), "endpoint")
    if even is None:
        return f"{count}, {NOT_PRINTED}"
    if even:
        return f"{count}, {percent(max(shares))} each"
    return f"{count}, UNEVEN: {percent(min(shares))} to {percent(max(shares))}"


def _is_even(ends: tuple[End, ...]) -> bool:
    """Whether endpoints share alike what they get together, as far as kube-proxy's rounding lets them."""
    if not ends:
        return True
    shares = [trimmed(end.share, _ENOUGH_BITS) for end in ends]
    together = total(shares)
    return balance_between(len(shares), min(shares) / together, max(shares) / together).even


def _told_apart(lines: list[WayLine]) -> Iterator[WayLine]:
    """Yield lines; those that say the same of different endpoints name them."""
    ends: dict[str, set[frozenset[End]]] = {}
    for line in lines:
        ends.setdefault(line.text, set()).add(line.ends)
    for line in lines:
        if len(ends[line.text]) == 1:
            yield line
            continue
        names = sorted(_names(line.ends))
        shown = ", ".join(names[:NAMED]) + (" ..." if len(names) > NAMED else "")
        yield line._replace(text=f"{line.text} ({shown})")
