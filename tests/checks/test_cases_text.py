"""What is found in cases from public reports and experiments of what the text of a dump shows, or holds in vain."""

from __future__ import annotations

import pytest

import iptviz
from iptviz.checks.registry import catalogue
from iptviz.errors import IptvizError
from tests.conftest import SHARED, part_of

CASES = SHARED.parent / "cases"
OWN = {
    what
    for name in ("unprinted", "refused", "misplaced", "rules", "never_matching")
    for what in catalogue(name).diagnoses
}
FOUND = {
    "cni/dnat-unsupported-in-sep.rules": {"dnat-unreadable": "critical"},
    "cni/dnat-unsupported-revision.rules": {"dnat-unreadable": "medium"},
    "cni/miniupnpd-legacy/legacy.rules": {"dnat-unreadable": "medium", "duplicate-rules": "info"},
    "exact/i-in-output.rules": {"rule-contradiction": "low"},
    "exact/o-and-i-where-there-is-none.rules": {"rule-contradiction": "low"},
    "exact/redact-glued.rules": {"dangling-jump": "high"},
    "exact/redact-undeclared.rules": {"unreachable-rule": "low", "dangling-jump": "info"},
    "exact/undeclared-empty-chain.rules": {"dangling-jump": "high"},
    "exact/w-dup-rule.rules": {"duplicate-rules": "info"},
    "exact/w-jump-twice.rules": {"duplicate-rules": "info"},
    "meet/ferm-noflush-nft/legacy.rules": {"duplicate-rules": "info"},
    "reports/10-raw-accept-before-notrack.rules": {"shadowed-rule": "medium"},
    "wild/dnat-garbled.txt": {"dnat-unreadable": "critical"},
    "wild/marks-lost.txt": {"ports-not-printed": "critical", "marks-not-printed": "critical"},
    "wild/ports-lost.txt": {"ports-not-printed": "critical"},
    "wild/statistic-lost.txt": {"chances-not-printed": "critical"},
}
"""The cases that have such findings, each with its severity; all others have none."""
DUMPS = {
    path.relative_to(CASES).as_posix(): path
    for folder in ("cni", "deep", "exact", "meet", "reports", "tools", "wild")
    for path in sorted((CASES / folder).rglob("*"))
    if path.suffix in {".rules", ".txt"}
}


@pytest.mark.parametrize("name", sorted(FOUND))
def test_every_such_case_is_there(name: str) -> None:
    if not DUMPS:
        pytest.skip("needs the cases")
    assert name in DUMPS


@pytest.mark.parametrize("name", part_of(DUMPS, 4, FOUND))
def test_a_case_has_the_findings_that_it_is_about(name: str) -> None:
    try:
        dumps = iptviz.load_all(str(DUMPS[name]))[0]
    except IptvizError:
        assert name not in FOUND
        return
    found = {one.id: one.severity for dump in dumps for one in iptviz.check(dump).findings if one.id in OWN}
    assert found == FOUND.get(name, {})
