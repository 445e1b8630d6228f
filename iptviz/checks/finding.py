"""A finding as data: what was noticed, how bad it is, how sure, where, and what its sentence is made from."""

from __future__ import annotations

import re
from importlib import import_module
from typing import TYPE_CHECKING, Any

from iptviz.intake.remark import Remark
from iptviz.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Mapping

    from iptviz.intake.remark import Values
    from iptviz.kube.names import ServiceName
    from iptviz.rules.form import Place

SEVERITIES = ("critical", "high", "medium", "low", "info")
"""How bad a finding can be, the worst first."""

CERTAIN, IF_COMPLETE = "certain", "if-complete"
"""How sure: an absence in a dump that lacks lines holds only if those do not say otherwise."""


class Evidence(NamedTuple):
    """A line of the dump (counted from 1), and the rule that stands there; empty where it is no rule.

    `source` is another file of the node where it stands in that; the line is 0 where that has none, as JSON.
    """

    line: int
    text: str
    source: str = ""


class Finding(NamedTuple):
    """Something that is wrong, or worth knowing, in a dump.

    `id` is that of its diagnosis, which has the words. `severity` is one of `SEVERITIES`, `certainty`
    `CERTAIN` or `IF_COMPLETE`. `service` is the service that it concerns, None for several or the whole dump.
    The sentence is made from `values`, and begins with `line` where that is not 0. `times` says how often the
    cause was met, `evidence` where. `dump` is the number of the dump, 0 where the node has one alone.
    """

    id: str
    severity: str
    certainty: str
    evidence: tuple[Evidence, ...]
    service: ServiceName | None
    values: Values
    times: int = 1
    line: int = 0
    dump: int = 0

    @property
    def message(self) -> str:
        """The sentence, with the line in front that it is about."""
        return str(_worded_in("wording").sentence(self))

    @property
    def why(self) -> str:
        """Why it matters, with commands between backticks."""
        return str(self._fitting("matters_where"))

    @property
    def todo(self) -> str:
        """What to do, with commands between backticks."""
        return str(self._fitting("advice_where"))

    @property
    def advice(self) -> str:
        """What to do."""
        return plain(self.todo)

    def _fitting(self, what: str) -> Any:
        """Return documentation as far as it is about such a finding."""
        return getattr(_worded_in("registry").diagnosis_of(self.id), what)(dict(self.values))


def plain(documented: str) -> str:
    """Return what documentation says without the backticks in which it has commands."""
    return documented.replace("`", "")


def pieces(documented: str) -> tuple[tuple[str, bool], ...]:
    """Return what documentation says in pieces, each with whether it is a command, one in backticks."""
    return tuple((piece, place % 2 == 1) for place, piece in enumerate(documented.split("`")) if piece)


def _worded_in(module: str) -> Any:
    """Return a module that has words; those import what findings are made of, so it is not imported before."""
    return import_module(f"iptviz.checks.{module}")


class Withheld(NamedTuple):
    """Findings of one id and severity that an answer does not show, and how many."""

    id: str
    severity: str
    times: int


class Fitting(NamedTuple):
    """Which documentation is about a finding: that of `cases`, and of all; `known` words in it are replaced."""

    cases: frozenset[str]
    known: tuple[tuple[str, str], ...] = ()


Item = Finding | Remark
"""What an answer says beside itself: a finding, or a remark that is no diagnosis."""


class Diagnosis(NamedTuple):
    """A kind of finding: its id, how bad it is, the function that words it, and the documentation.

    `severity` is one of `SEVERITIES`, or one for each state that the finding can be in. `words` makes the
    sentence of a finding's values; its docstring is the documentation. `absence` says that something is
    missing, which a dump that lacks lines does not prove. `reference` is where the pattern stood in public
    (`k/k#N` is kubernetes/kubernetes issue or pull request N), empty where no case is known.
    `explains` are ids of findings that only follow from this one, and are not made beside it. `general`: it is
    about rules alone, and not made where another finding is about the same rule. `fitting` tells by its
    values which of the paragraphs that are about some cases, `Do (policy): ...`, are about a finding.
    """

    id: str
    severity: str | Mapping[str, str]
    words: Callable[..., str]
    reference: str = ""
    absence: bool = False
    shared_advice: str = ""
    explains: frozenset[str] = frozenset()
    general: bool = False
    fitting: Callable[..., Fitting] | None = None

    @property
    def severities(self) -> tuple[str, ...]:
        """The severities that it can have, the worst first."""
        own = {self.severity} if isinstance(self.severity, str) else set(self.severity.values())
        return tuple(severity for severity in SEVERITIES if severity in own)

    @property
    def title(self) -> str:
        """What it means, in one sentence."""
        return self._paragraphs[0]

    @property
    def means(self) -> str:
        """What it means, with all that is to be said of that."""
        return " ".join(text for text in self._paragraphs if not _PART.match(text))

    @property
    def matters(self) -> str:
        """Why it matters."""
        return self._part(_WHY, None)

    @property
    def advice(self) -> str:
        """What to do."""
        return self._part(_DO, None) or self.shared_advice

    def matters_where(self, values: Mapping[str, Any]) -> str:
        """Return why a finding with such values matters."""
        return self._part(_WHY, self._fit(values))

    def advice_where(self, values: Mapping[str, Any]) -> str:
        """Return what to do about a finding with such values."""
        return self._part(_DO, self._fit(values)) or self.shared_advice

    def _fit(self, values: Mapping[str, Any]) -> Fitting | None:
        return self.fitting(**values) if self.fitting else None

    def _part(self, label: str, fit: Fitting | None) -> str:
        """Return the paragraphs with a label: all, or those that fit."""
        parts = [part for text in self._paragraphs if (part := _PART.match(text)) and part["label"] == label]
        told = " ".join(
            part["text"] for part in parts if fit is None or not part["case"] or part["case"] in fit.cases
        )
        for word, known in fit.known if fit else ():
            told = told.replace(word, known)
        return told

    @property
    def _paragraphs(self) -> list[str]:
        """The paragraphs of the docstring; those of why it matters and of what to do begin with a word."""
        return [" ".join(text.split()) for text in (self.words.__doc__ or "").split("\n\n")]


_WHY, _DO = "Why", "Do"
_PART = re.compile(rf"(?P<label>{_WHY}|{_DO})(?: \((?P<case>[^)]+)\))?: (?P<text>.*)")


def diagnosis(
    severity: str | Mapping[str, str],
    *,
    reference: str = "",
    absence: bool = False,
    advice: str = "",
    explains: Iterable[str] = (),
    general: bool = False,
    fitting: Callable[..., Fitting] | None = None,
) -> Callable[[Callable[..., str]], Diagnosis]:
    """Return what makes a diagnosis of the function that words it; its name is the id.

    `advice` is what to do where the docstring does not say it; `fitting` tells which cases are a finding's.
    """

    def made(words: Callable[..., str]) -> Diagnosis:
        what = words.__name__.replace("_", "-")
        return Diagnosis(
            what, severity, words, reference, absence, advice, frozenset(explains), general, fitting
        )

    return made


def found(
    what: Diagnosis,
    rules: Iterable[Place | Evidence] = (),
    *,
    line: int = 0,
    state: str = "",
    complete: bool = True,
    service: ServiceName | None = None,
    **values: Hashable,
) -> Finding:
    """Return a finding of the kind `what`, with `rules` as evidence.

    `complete` says whether the dump lacks nothing; `values` are those that its sentence is made from.
    """
    severity = what.severity if isinstance(what.severity, str) else what.severity[state]
    evidence = tuple(rule if isinstance(rule, Evidence) else Evidence(rule.line, rule.text) for rule in rules)
    certainty = IF_COMPLETE if what.absence and not complete else CERTAIN
    named = service if service is not None and service.name else None
    return Finding(
        what.id, severity, certainty, evidence, named, tuple(values.items()), max(len(evidence), 1), line
    )


def distinct(items: Iterable[Item]) -> tuple[Item, ...]:
    """Return each sentence once, in order; a finding about several services is about none alone."""
    kept: dict[tuple[object, ...], Item] = {}
    for item in items:
        key = item.id, item.values, item.line
        before = kept.setdefault(key, item)
        if isinstance(before, Finding) and isinstance(item, Finding) and before.service != item.service:
            kept[key] = before._replace(service=None)
    return tuple(kept.values())


def as_remark(finding: Finding) -> Remark:
    """Return a finding as no diagnosis: the same words, where a condition decides whether it is so."""
    return Remark(finding.line, finding.id, finding.values)


def findings_among(items: Iterable[Item]) -> tuple[Finding, ...]:
    """Return the findings of what an answer says; one cause is one of them, with all its evidence."""
    causes: dict[tuple[object, ...], Finding] = {}
    for item in items:
        if isinstance(item, Finding):
            cause = item.id, item.severity, item.certainty, item.service, item.values
            first = causes.setdefault(cause, item)
            if first is not item:
                evidence = tuple(dict.fromkeys((*first.evidence, *item.evidence)))
                causes[cause] = first._replace(evidence=evidence, times=max(first.times, len(evidence)))
    return tuple(causes.values())
