"""What a document says of whole ways, held against connections that were tried."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from ipaddress import ip_address
from typing import TYPE_CHECKING, NamedTuple

from tests.kernel.asked_conditions import Facts, Shape, all_hold
from tests.kernel.attempts import NODE
from tests.kernel.site import OUTSIDE
from tests.kernel.statistics import chi_square_p

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from tests.kernel.attempts import Attempt, Fate
    from tests.kernel.segments import Segment
    from tests.kernel.site import Place

PASSED = {"ACCEPT", "LOCAL"}
CHANCE = 1e-3
"""Shares that chance makes less often are looked at again."""


class Setting(NamedTuple):
    """What of a node its addresses do not say: see `Facts`."""

    settings: tuple[tuple[str, str], ...] = ()
    first: str = ""


_PLAIN = Setting()


class Trouble(NamedTuple):
    """A connection that the document does not allow, or that it promises and nobody saw."""

    what: str
    fate: Fate | None = None

    def __str__(self) -> str:
        return f"{self.what}: {self.fate.attempt} {self.fate}" if self.fate else self.what


def is_of(entry: Shape, attempt: Attempt) -> bool:
    """Whether an entry is about this kind of client, or this address."""
    kind = attempt.client if attempt.client in {OUTSIDE, NODE} else "pod"
    return kind in entry["clients"] or attempt.source in entry["clients"]


class Target(NamedTuple):
    """Where a DNAT sends connections: addresses from the first to the last, and ports; None: the same port."""

    first: str
    last: str
    ports: range | None

    @property
    def only(self) -> str | None:
        """The address, if there is only one."""
        return self.first if self.first == self.last else None

    def has(self, came: Segment) -> bool:
        first, last, address = map(int, map(ip_address, (self.first, self.last, came.destination)))
        return first <= address <= last and (self.ports is None or came.dport in self.ports)


Look = Target | str
"""How connections show: where they arrive, or what else becomes of them."""


def target_of(row: Shape) -> Target | None:
    """Return the target of a row; None where nothing is rewritten. Ranges stand as a rule has them."""
    if "address" not in row:
        return None
    told = str(row["address"])
    addresses, _, ports = told.partition(":") if told.count(":") < 2 else (told, "", "")  # IPv6 has no ranges
    first, _, last = addresses.partition("-")
    ends = list(map(int, (ports or str(row["port"] or "")).split("-"))) if ports or row["port"] else []
    return Target(first, last or first, range(ends[0], ends[-1] + 1) if ends else None)


class Comparison:
    """The `paths` of one frontend, and connections to it. `unknown` counts what nothing here decides.

    `quiet`: the node may drop its own refusals, so that whom it refuses hears nothing.
    """

    def __init__(
        self, paths: Sequence[Shape], site: Place, setting: Setting = _PLAIN, *, quiet: bool = False
    ) -> None:
        self.paths = paths
        self.site = site
        self.setting = setting
        self.quiet = quiet
        self.unknown = Counter[str]()

    def troubles(self, fates: Sequence[Fate], level: float) -> Iterator[Trouble]:
        """Yield what disagrees; of shares, what chance makes in less than `level` of all comparisons."""
        seen: dict[int, list[Fate]] = {}
        for fate in fates:
            entries = [
                (number, entry, applies)
                for number, entry in enumerate(self.paths)
                if is_of(entry, fate.attempt) and (applies := self._applies(entry, fate)) is not False
            ]
            certain = [number for number, _, applies in entries if applies]
            if len(certain) > 1 or not entries:
                yield Trouble(f"{len(certain)} entries apply", fate)
                continue
            if not any(self._allows(entry, fate) for _, entry, _ in entries):
                yield Trouble("no row allows it", fate)
            yield from _reaching([entry for _, entry, _ in entries], fate)
            if certain and len(entries) == 1:
                seen.setdefault(certain[0], []).append(fate)
        for number, some in seen.items():
            yield from self._shares(self.paths[number], some, level)

    def silence(self, fate: Fate) -> Iterator[Trouble]:
        """Yield what speaks against a client's hearing nothing, however far its request came."""
        entries = [
            entry
            for entry in self.paths
            if is_of(entry, fate.attempt) and self._applies(entry, fate) is not False
        ]
        if entries and all(Fraction(entry["reaching"]["at_least"]["exact"]) == 1 for entry in entries):
            yield Trouble("should always reach an endpoint", fate)

    def _applies(self, entry: Shape, fate: Fate) -> bool | None:
        return self._known(entry["when"], fate, None)

    def _row_applies(self, row: Shape, fate: Fate) -> bool | None:
        return self._known(row["when"], fate, target_of(row))

    def _known(self, when: Iterable[Shape], fate: Fate, target: Target | None) -> bool | None:
        endpoint = target.only if target else None
        facts = Facts(self.site, fate.attempt, fate.sport, endpoint, *self.setting)
        answer = all_hold(when, facts)
        if answer is None:
            self.unknown.update(one["text"] for one in when if all_hold([one], facts) is None)
        return answer

    def _allows(self, entry: Shape, fate: Fate) -> bool:
        return any(
            _share(row) and self._row_applies(row, fate) is not False and self._is(row, fate)
            for row in _rows(entry)
        )

    def _is(self, row: Shape, fate: Fate) -> bool:
        """Whether a row describes what became of an attempt."""
        target, came = target_of(row), fate.arrived
        if row["outcome"] not in PASSED:
            return self._is_stopped(row["outcome"], target, fate)
        if came is None:
            return False
        if target is None:
            return not fate.rewritten and (fate.at == NODE) is (row["outcome"] == "LOCAL")
        source = self._source_is(row["snat"], fate.attempt.source, came.source)
        return target.has(came) and source and _reply_is(row["reply"], fate)

    def _is_stopped(self, outcome: str, target: Target | None, fate: Fate) -> bool:
        """Whether an attempt was stopped so: with its first packet, or with the one after the answer."""
        if fate.arrived is not None:
            return target is not None and target.has(fate.arrived) and fate.answered and not fate.went_on
        return self.quiet or bool(fate.refused) if outcome == "REJECT" else not fate.refused

    def _source_is(self, snat: str | None, before: str, after: str) -> bool:
        if snat == "MASQUERADE":
            return self.site.has(after)
        address = snat if snat is None or snat.count(":") > 1 else snat.partition(":")[0]
        return after == (address or before)

    def _shares(self, entry: Shape, fates: list[Fate], level: float) -> Iterator[Trouble]:
        """Yield what is seen too seldom or too often, where every row of an entry applies or does not."""
        groups: dict[tuple[int, ...], list[Fate]] = {}
        for fate in fates:
            applies = [self._row_applies(row, fate) for row in _rows(entry)]
            if None not in applies:
                groups.setdefault(tuple(n for n, one in enumerate(applies) if one), []).append(fate)
        for numbers, some in groups.items():
            rows = [_rows(entry)[number] for number in numbers]
            yield from _shares_of(rows, some, level)


def _shares_of(rows: Sequence[Shape], fates: Sequence[Fate], level: float) -> Iterator[Trouble]:
    total = sum(map(_share, rows))
    if total != 1:
        yield Trouble(f"the shares of {fates[0].attempt} sum to {total}")
        return
    if any(row.get("reply", "") is None and row["outcome"] == "ACCEPT" for row in rows):
        return
    expected: dict[Look, Fraction] = {}
    for row in rows:
        expected[_look(row)] = expected.get(_look(row), Fraction(0)) + _share(row)
    looks = {look: share for look, share in expected.items() if share}
    observed = Counter(_seen(fate, looks) for fate in fates)
    counts = [observed[look] for look in looks]
    if sum(counts) == len(fates) and chi_square_p(counts, list(looks.values())) < level:
        yield Trouble(f"{fates[0].attempt}: {dict(observed)} instead of {looks}")


def _look(row: Shape) -> Look:
    """How a row shows: where connections reach an endpoint, or that they do not."""
    if row["outcome"] in PASSED and "address" not in row:
        return "goes on"
    passes = row["outcome"] in PASSED and row["reply"] == "ACCEPT"
    return target_of(row) or "fails" if passes else "fails"


def _seen(fate: Fate, looks: Iterable[Look]) -> Look | None:
    """What of `looks` an attempt showed; None: something else, or several, where ranges overlap."""
    if fate.arrived is None or (fate.rewritten and not fate.reaches):
        return "fails"
    if not fate.rewritten:
        return "goes on"
    found = [look for look in looks if isinstance(look, Target) and look.has(fate.arrived)]
    return found[0] if len(found) == 1 else None


def _rows(entry: Shape) -> list[Shape]:
    return [*entry["endpoints"], *entry["leftover"]]


def _share(row: Shape) -> Fraction:
    return Fraction(row["exact"])


def _reply_is(reply: str | None, fate: Fate) -> bool:
    return reply is None or (fate.reaches if reply == "ACCEPT" else not fate.answered)


def _reaching(entries: Sequence[Shape], fate: Fate) -> Iterator[Trouble]:
    """Yield what contradicts how many connections are said to reach an endpoint, whichever entry applies."""
    if not fate.reaches and all(Fraction(entry["reaching"]["at_least"]["exact"]) == 1 for entry in entries):
        yield Trouble("should always reach an endpoint", fate)
    if fate.reaches and all(Fraction(entry["reaching"]["at_most"]["exact"]) == 0 for entry in entries):
        yield Trouble("should never reach an endpoint", fate)
