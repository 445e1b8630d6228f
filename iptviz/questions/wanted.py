"""Which findings are asked for: by their ids, and by how severe they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.checks.finding import SEVERITIES
from iptviz.checks.registry import CATALOGUES, catalogue
from iptviz.errors import TargetError, near
from iptviz.questions.explain_finding import named
from iptviz.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from iptviz.checks.finding import Diagnosis, Finding

INFO = SEVERITIES[-1]
"""The severity of what is no fault, but what answers depend on."""


def lookable() -> dict[str, Diagnosis]:
    """Return the diagnoses that a check of a node looks for, by id; others take more than a node to be found."""
    return {
        what: made
        for name in CATALOGUES
        if catalogue(name).looks
        for what, made in catalogue(name).diagnoses.items()
    }


class Wanted(NamedTuple):
    """Which findings are asked for."""

    select: Sequence[str]
    ignore: Sequence[str]
    min_severity: str

    def validate(self) -> None:
        """Raise TargetError where something is asked for that there is not."""
        for what in (*self.select, *self.ignore):
            named(what)
        if self.min_severity not in SEVERITIES:
            raise TargetError(
                f'unknown severity "{self.min_severity}"',
                hint=f"severities: {', '.join(SEVERITIES)}; {near(self.min_severity, SEVERITIES)}".rstrip(
                    "; "
                ),
            )
        for what in self.select:
            if what not in lookable():
                raise TargetError(
                    f"check does not look for {what}: a dump alone cannot show it",
                    hint="compare the dump with the API: iptviz verify DUMP KUBECTL.json",
                )
        if not any(map(self.looks_for, lookable())):
            raise TargetError("the options leave no finding to look for", hint=self._why_nothing())

    def _why_nothing(self) -> str:
        """Return which options leave nothing to look for."""
        if not any(map(self.is_named, lookable())):
            return "--ignore covers all of --select" if self.select else "--ignore covers all findings"
        return f"no selected finding reaches severity {self.min_severity}"

    def includes(self, finding: Finding) -> bool:
        """Whether a finding is asked for."""
        return self.is_named(finding.id) and self._is_severe(finding.severity)

    def looks_for(self, what: str) -> bool:
        """Whether findings of an id can be asked for."""
        return self.is_named(what) and any(map(self._is_severe, lookable()[what].severities))

    def is_named(self, what: str) -> bool:
        """Whether findings of an id are asked for, however severe they are."""
        return (not self.select or what in self.select) and what not in self.ignore

    def _is_severe(self, severity: str) -> bool:
        return SEVERITIES.index(severity) <= SEVERITIES.index(self.min_severity)
