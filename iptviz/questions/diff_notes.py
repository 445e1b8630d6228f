"""What is said beside the differences of two nodes: what was not compared and why, and what else differs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.checks.era import era_remark
from iptviz.dump.model import Dump
from iptviz.errors import near_names
from iptviz.intake.remark import remark
from iptviz.kube.dispatching import DispatchingRules
from iptviz.kube.naming import Naming
from iptviz.kube.service_ports import service_ports
from iptviz.questions.diff_modes import era_in

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from iptviz.checks.finding import Item
    from iptviz.kube.era import Era
    from iptviz.node.listing import NftListing
    from iptviz.questions.diff_pair import PairDiff


def uncompared(pairs: Sequence[PairDiff]) -> Iterator[Item]:
    """Yield what one side does not show, or both do not."""
    for pair in pairs:
        family = pair.new.family
        for what, count in pair.ports.not_compared.items() if pair.ports else ():
            yield remark("property-not-compared", what=what, count=count, family=family)
        if pair.chains:
            for one in pair.chains.uncompared:
                yield remark(
                    "table-not-compared",
                    family=family,
                    table=one.table,
                    sides=one.sides,
                    why=one.why,
                )
            for fact, sides in pair.chains.untold:
                yield remark("fact-not-compared", fact=fact, sides=sides)
        if count := pair.findings.open:
            yield remark("findings-not-compared", count=count, family=family)
    yield from _of_listings(pairs)


def _of_listings(pairs: Sequence[PairDiff]) -> Iterator[Item]:
    """Yield what is not compared where services are in a listing of nft: once for both families."""
    found: dict[Item, None] = {}
    for pair in pairs:
        is_dump = [isinstance(source, Dump) for source in pair[:2]]
        if all(is_dump):
            continue
        found[remark("native-not-checked")] = None
        others = (pair.new.family, [other[:2] for other in pairs])
        if any(is_dump) and not _has_dumps(*others):
            found[remark("rules-of-two-languages", family=pair.new.family)] = None
    yield from found


def _has_dumps(family: str, pairs: Sequence[tuple[Dump | NftListing, ...]]) -> bool:
    return any(all(isinstance(one, Dump) and one.family == family for one in pair) for pair in pairs)


def not_asked(*, services_only: bool, namespace: str | None) -> Iterator[Item]:
    """Yield what was left out as nobody asked for it."""
    if namespace is not None:
        yield remark("only-namespace", namespace=namespace)
    elif services_only:
        yield remark("only-services")


def diff_notes(pairs: Sequence[PairDiff], namespace: str | None) -> Iterator[Item]:
    """Yield what else differs of two nodes, and what was left out or not found."""
    for pair in pairs:
        backends = [source.backend for source in pair[:2] if isinstance(source, Dump)] or [None]
        if None not in backends and backends[0] != backends[-1]:
            yield remark("backends-differ", old=backends[0], new=backends[-1])
        eras = [era for source in pair[:2] if (era := era_in(source)) is not None]
        if pair.ports and _are_apart(eras):
            yield remark("eras-differ", old_era=era_remark(eras[0]), new_era=era_remark(eras[1]))
    if count := sum(pair.set_aside for pair in pairs):
        yield remark("local-set-aside", count=count)
    if namespace is not None and not any(sum(pair.counts) for pair in pairs):
        known = {name for pair in pairs for source in pair[:2] for name in _namespaces(source)}
        names = near_names(namespace, sorted(known - {""}))
        yield remark("namespace-on-no-side", typed=namespace, names=names)


def _are_apart(eras: Sequence[Era]) -> bool:
    """Whether no release can have written both sides."""
    return len(eras) > 1 and all(era.dated for era in eras) and not eras[0].releases & eras[1].releases


def _namespaces(source: Dump | NftListing) -> Iterator[str]:
    if isinstance(source, Dump):
        ports = service_ports(DispatchingRules(source), Naming(source, ()))
    else:
        from iptviz.questions.native_services import ports_in

        ports = ports_in(source)
    return (port.service.namespace for port in ports)
