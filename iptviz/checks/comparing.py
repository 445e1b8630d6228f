"""What is not compared of two dumps, and why; none of it is wrong with a node."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.checks.wording import sentence
from iptviz.errors import meant, quoted
from iptviz.node.kinds import KINDS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from iptviz.intake.remark import Remark

SIDES = {"old": "OLD", "new": "NEW"}
"""What answers call the two sides of a comparison, as the usage does."""


def _dump_on_one_side(*, side: str, family: str, backend: str | None, source: str) -> str:
    what = f"{family} rules of {backend}" if backend else f"{family} rules"
    return f"{what}: only {SIDES[side]} has them ({source})"


def _evidence_on_one_side(*, side: str, kinds: Sequence[str]) -> str:
    told = ", ".join(KINDS[kind].tells or kind for kind in kinds)
    return f"{told}: only {SIDES[side]} has them, so both sides are read without"


def _services_not_compared(*, side: str, source: str, because: Remark) -> str:
    return f"services: {SIDES[side]} ({source}) does not show them: {sentence(because)}"


def _table_not_compared(*, family: str, table: str, sides: Sequence[str], why: str) -> str:
    return f"{_HOW_MUCH.get(why, 'parts')} of {family} {table}: {_sides(sides)} {_WHY[why]}"


def _sides(sides: Sequence[str]) -> str:
    return " and ".join(SIDES[side] for side in sides)


_HOW_MUCH = dict.fromkeys(("not-shown", "by-name", "eras"), "all")
_WHY = {
    "not-shown": "may have rules there that the dump does not show",
    "cut": "may have rules there that are not shown",
    "excerpt": "may lack lines there",
    "by-name": "may hide what rules ask there, and only name it",
    "eras": "were written by different releases of kube-proxy there",
}


def _fact_not_compared(*, fact: str, sides: Sequence[str]) -> str:
    return f"{_FACTS[fact]}: {_sides(sides)} may lack them"


_FACTS = {
    "comments": "comments of rules",
    "interfaces": "interfaces of rules",
    "host-names": "addresses that are printed as names",
    "words": "words of a listing that cannot be read",
    "line-ends": "ends of lines that were cut",
    "unprinted": "ports, marks, chances and addresses that an iptables could not print of rules of another one",
}


def _property_not_compared(*, what: str, count: int, family: str) -> str:
    noun = _OF_PORTS if what in _OWN_TO_PORTS else "frontend"
    of = f"{count:,} {family} {noun}{'' if count == 1 else 's'}"
    return f"{_PROPERTIES.get(what, what)} of {of}: not known on one side"


_OF_PORTS = "service port"
_OWN_TO_PORTS = {
    "services",
    "affinity",
    "internal policy",
    "external policy",
    "source ranges",
    "health check",
}
_PROPERTIES = {
    "services": "presence",
    "frontends": "some addresses or ports",
    "endpoints": "all endpoints",
    "shares": "shares",
    "port": "ports",
    "kind": "kinds",
    "masquerade": "SNAT",
    "reached": "reachability",
    "affinity": "session affinity",
    "internal policy": "internalTrafficPolicy",
    "external policy": "externalTrafficPolicy",
    "source ranges": "loadBalancerSourceRanges",
    "health check": "health check ports",
}


def _findings_not_compared(*, count: int, family: str) -> str:
    noun = "finding" if count == 1 else "findings"
    return f"{count:,} {noun} of check in {family} rules: rules that one side does not show may decide"


def _namespace_on_no_side(*, typed: str, names: Sequence[str]) -> str:
    return f"no service in namespace {quoted(typed)} on either side{f'; {meant(names)}' if names else ''}"


def _local_set_aside(*, count: int) -> str:
    noun = "difference" if count == 1 else "differences"
    return f"{count:,} {noun} left out that a node's own place explains (--ignore-local)"


def _eras_differ(*, old_era: Remark, new_era: Remark) -> str:
    return f"{sentence(old_era)} in OLD, {sentence(new_era)} in NEW"


REMARKS: dict[str, str | Callable[..., str]] = {
    "dump-on-one-side": _dump_on_one_side,
    "evidence-on-one-side": _evidence_on_one_side,
    "services-not-compared": _services_not_compared,
    "table-not-compared": _table_not_compared,
    "fact-not-compared": _fact_not_compared,
    "property-not-compared": _property_not_compared,
    "findings-not-compared": _findings_not_compared,
    "native-not-checked": "findings of check in tables of nft",
    "rules-of-two-languages": "other chains and rules of {family}: one side has them from iptables, one from nft",
    "only-services": "other chains and rules, findings of check (--services-only)",
    "only-namespace": "services of other namespaces, other chains and rules, findings of check "
    "(--namespace {namespace})",
    "namespace-on-no-side": _namespace_on_no_side,
    "local-set-aside": _local_set_aside,
    "there-before": "{source} has it: {frontend}",
    "backends-differ": "written by different backends: OLD {old}, NEW {new}",
    "eras-differ": _eras_differ,
}
