"""Lines of what changed of other chains and rules, and of findings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from iptviz.checks.finding import SEVERITIES
from iptviz.checks.wording import sentence
from iptviz.kube.families import ENDPOINT_CHAIN, ENTRY_CHAINS, SERVICE_CHAINS, beginning_of
from iptviz.questions.wanted import INFO
from iptviz.view.changes import ChangeLine, apart, line
from iptviz.view.numbers import counted
from iptviz.view.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from iptviz.checks.finding import Finding
    from iptviz.compare.chains.forms import ChainChange, Crossing, RuleChange, RuleForm
    from iptviz.questions.diff_pair import PairDiff
    from iptviz.questions.finding_changes import FindingChanges
    from iptviz.view.changes import Sign

    Kind = Literal["added", "removed", "changed"]
    Alike = dict[tuple[str, str, Kind], list[ChainChange]]

_MOST_CHAINS = 30
_MOST_RULES = 10
_MOST_CROSSED = 3
"""So many are told one by one, unless all are asked for."""


def told_of(pair: PairDiff) -> list[ChainChange]:
    """Return the chains to be told, those that packets meet first of all, and at last what changes nothing."""
    return sorted(pair.told_chains, key=lambda one: (one.inert, not _is_built_in(one)))


def _is_built_in(change: ChainChange) -> bool:
    return bool(change.old_policy or change.new_policy)


def chain_lines(pair: PairDiff, *, fold: bool) -> Iterator[ChangeLine]:
    """Yield the lines of all chains that differ; folded, some of many."""
    told = told_of(pair)
    if fold:
        told, alike = _parted(told)
    shown = told[:_MOST_CHAINS] if fold and len(told) > _MOST_CHAINS + 1 else told
    for change in shown:
        yield from _chain(change, fold=fold)
    if more := len(told) - len(shown):
        yield line("", f"and {counted(more, 'more chain')} (--all)", 1)

    if fold:
        for (table, family, kind), those in alike.items():
            rules = counted(sum(len(change.unexplained) for change in those), "rule")
            text = f"{counted(len(those), 'chain')} {kind}, {rules}; no service port differs by it (--all)"
            yield line(_SIGNS[kind], printable(f"{table} {family}...   {text}"))


def _parted(told: list[ChainChange]) -> tuple[list[ChainChange], Alike]:
    """Part chains from those that kube-proxy has for each service, of which many differ in one way at once."""
    alike: dict[tuple[str, str, Kind], list[ChainChange]] = {}
    for change in told:
        if change.table == "nat" and change.chain.startswith(_OF_SERVICES):
            alike.setdefault((change.table, beginning_of(change.chain), change.kind), []).append(change)
    many = {key: those for key, those in alike.items() if len(those) > _MOST_ALIKE}
    folded = {id(change) for those in many.values() for change in those}
    return [change for change in told if id(change) not in folded], many


_OF_SERVICES = (*SERVICE_CHAINS, *ENTRY_CHAINS, ENDPOINT_CHAIN)
_MOST_ALIKE = 3
"""More chains of services that differ, though no service port does, are told as one."""

_SIGNS: Mapping[str, Sign] = {"added": "+", "removed": "-", "changed": "~"}


def _chain(change: ChainChange, *, fold: bool) -> Iterator[ChangeLine]:
    at = change.new_line or change.old_line
    place = f"line {at}" if at else ""
    head = f"{change.table} {change.chain}"
    yield line(
        _SIGNS[change.kind], printable(f"{head}   {summary(change)}"), place=place, is_bad=_drops(change)
    )
    rules = change.unexplained
    shown = rules[:_MOST_RULES] if fold and len(rules) > _MOST_RULES + 1 else rules
    for rule in shown:
        yield from _RULES[rule.kind](rule)
    if more := len(rules) - len(shown):
        yield line("", f"and {counted(more, 'more rule')} (--all)", 1)


def _drops(change: ChainChange) -> bool:
    return change.policy_changed and change.new_policy == "DROP"


def summary(change: ChainChange) -> str:
    """Return in short what became of a chain."""
    if change.inert:
        return f"empty chain {change.kind}, no rule leads to it: changes nothing"
    counts = [
        counted(number, "rule") + f" {kind}"
        for kind in ("removed", "changed", "added", "moved")
        if (number := sum(rule.kind == kind for rule in change.unexplained))
    ]
    policy = [f"policy {change.old_policy} -> {change.new_policy}"] if change.policy_changed else []
    if change.kind == "changed":
        return ", ".join([*policy, *counts])
    none = "no rules" if change.rules_shown else "its rules are not compared"
    return f"chain {change.kind}, {counted(len(change.rules), 'rule') if change.rules else none}"


def _added(change: RuleChange) -> Iterator[ChangeLine]:
    if change.new:
        yield _rule("+", change.new)


def _removed(change: RuleChange) -> Iterator[ChangeLine]:
    if change.old:
        yield _rule("-", change.old)


def _changed(change: RuleChange) -> Iterator[ChangeLine]:
    """Yield both forms of a rule, with the words that differ told apart."""
    if change.old and change.new:
        old, new = apart(printable(change.old.text), printable(change.new.text))
        yield ChangeLine("-", old, 1, _place(change.old))
        yield ChangeLine("+", new, 1, _place(change.new))


def _moved(change: RuleChange) -> Iterator[ChangeLine]:
    if change.old and change.new:
        lines = [str(form.line or "?") for form in (change.old, change.new)]
        place = f"line {' -> '.join(lines)}" if lines != ["?", "?"] else ""
        yield line("~", f"moved: {printable(change.new.text)}", 1, place)
        for crossed in change.crossings[:_MOST_CROSSED]:
            yield line("", printable(_crossing(crossed)), 2, f"line {crossed.rule.line}")
        if more := len(change.crossings) - _MOST_CROSSED:
            yield from [line("", f"and {counted(more, 'more rule')}", 2)] if more > 0 else []


def _crossing(crossed: Crossing) -> str:
    where = "before" if crossed.before else "behind"
    sure = "which decides for some packets" if crossed.decides else "which may decide"
    return f"asked {where} now, {sure}: {crossed.rule.text}"


_RULES: Mapping[str, Callable[[RuleChange], Iterator[ChangeLine]]] = {
    "added": _added,
    "removed": _removed,
    "changed": _changed,
    "moved": _moved,
}


def _rule(sign: Sign, form: RuleForm) -> ChangeLine:
    return line(sign, printable(form.text), 1, _place(form))


def _place(form: RuleForm) -> str:
    """Return the line of a rule; JSON has none."""
    return f"line {form.line}" if form.line else ""


# --- findings --------------------------------------------------------------------------------------------------


def finding_lines(findings: FindingChanges, *, fold: bool) -> Iterator[ChangeLine]:
    """Yield new findings and those that are gone, the worst first; folded, without those of severity info."""
    for sign, those in (("+", findings.new), ("-", findings.gone)):
        for finding in _worst_first(those):
            if not (fold and finding.severity == INFO):
                yield _finding(sign, finding)  # type: ignore[arg-type]
    for old, new in findings.changed:
        if not (fold and new.severity == INFO):
            yield _finding("~", new)
            yield line("", printable(f"before: {sentence(old)}"), 1)


def _worst_first(findings: Iterable[Finding]) -> list[Finding]:
    return sorted(findings, key=lambda one: SEVERITIES.index(one.severity))


def _finding(sign: Sign, finding: Finding) -> ChangeLine:
    bad = sign == "+" and finding.severity in {"critical", "high"}
    return line(sign, printable(f"{finding.severity} {finding.id}: {sentence(finding)}"), is_bad=bad)


def folded_info(findings: Sequence[FindingChanges]) -> int:
    """Return how many findings are folded because they are no more than information."""
    all_of_them = (
        one for found in findings for one in (*found.new, *found.gone, *(new for _, new in found.changed))
    )
    return sum(one.severity == INFO for one in all_of_them)
