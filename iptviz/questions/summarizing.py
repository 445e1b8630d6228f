"""The summary of a node: what is kept of it to compare it with thousands of others, made where its dump is."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from iptviz.checks.wording import text
from iptviz.dump.model import Dump
from iptviz.errors import DumpError, IptvizError
from iptviz.fleets.forms import common_form, pod_networks
from iptviz.fleets.summary import NodeFacts, Noticed, Summary, Unreadable, merged
from iptviz.intake.index import TABLE_NAMES
from iptviz.kube.era import NEWEST_KNOWN
from iptviz.kube.families import (
    ANTREA,
    AWS,
    AZURE,
    CALICO,
    CILIUM,
    CNI,
    FLANNEL,
    KIND,
    KUBE_ROUTER,
    OPENSHIFT,
    OVN,
    SERVICES,
    WEAVE,
    family_of,
)
from iptviz.kube.mode import mode_of, mode_of_ruleset
from iptviz.kube.published import published_ports
from iptviz.kube.releases import spans_text
from iptviz.kube.synced import lost_hooks
from iptviz.node.listing import NftListing
from iptviz.node.many import nodes_in
from iptviz.paths.many_fares import Elsewhere
from iptviz.questions.check import check_listed
from iptviz.questions.services import services
from iptviz.source.origin import DEFAULT_LIMIT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iptviz.checks.finding import Finding
    from iptviz.compare.ports.form import PortForm
    from iptviz.fleets.summary import CauseKey, Nodes, PortKey
    from iptviz.node.listing import RuleSource
    from iptviz.node.snapshot import Snapshot
    from iptviz.questions.services import ServicesResult
    from iptviz.source.origin import DumpLike

_CNIS = {
    ANTREA, AWS, AZURE, CALICO, CILIUM, CNI, FLANNEL, KIND, KUBE_ROUTER, OPENSHIFT, OVN, WEAVE,
}  # fmt: skip
"""Who makes the network of pods, or a part of it."""

_ALONE: Nodes = 1
"""The set of the only node of a summary."""

_ELSEWHERE = Elsewhere()
"""What this process found on nodes before."""


def summary_of(origin: DumpLike, source: str, *, max_size: int = DEFAULT_LIMIT) -> Summary:
    """Return the summary of all nodes in a file or bundle, which answers call `source`.

    What cannot be read is told in the summary.
    """
    try:
        found = list(nodes_in(origin, max_size=max_size))
    except DumpError as error:
        return _unreadable(source, error)
    return merged(_summary(node, source) for node in found)


def _unreadable(source: str, error: IptvizError) -> Summary:
    return Summary((), {}, {}, (Unreadable(source, error.what),))


def _summary(node: Snapshot | DumpError, source: str) -> Summary:
    if isinstance(node, DumpError):
        return _unreadable(source, node)
    try:
        found = services(node, elsewhere=_ELSEWHERE)
    except IptvizError as error:
        return _unreadable(source, error)
    ports = {key: {form: _ALONE} for key, form in _ports(found)}
    return Summary((_facts(node, found, source, len(ports)),), ports, _noticed(found))


def _ports(found: ServicesResult) -> Iterator[tuple[PortKey, PortForm]]:
    for answer in found.answers:
        for form in answer.forms:
            common = common_form(form)
            yield (answer.dump.family, *common.key), common


def _noticed(found: ServicesResult) -> dict[CauseKey, Noticed]:
    """Return what `check` finds, of each cause one finding."""
    noticed: dict[CauseKey, Noticed] = {}
    for finding in check_listed(found).findings:
        said = _LINES.sub("", text(finding))
        known = noticed.setdefault(_cause(finding), Noticed(finding, _ALONE, said))
        if known.said != said:
            noticed[_cause(finding)] = known._replace(said="")
    return noticed


_LINES = re.compile(r"\blines? [\d,]+(?:(?:, | and |-)[\d,]+)*")
"""Where something stands in a dump: the same rules stand in other lines on other nodes."""


def _cause(finding: Finding) -> CauseKey:
    return finding.id, finding.severity, finding.service.text if finding.service is not None else ""


# --- what is told of a node ------------------------------------------------------------------------------------


def _facts(node: Snapshot, found: ServicesResult, source: str, ports: int) -> NodeFacts:
    first = next((answer for answer in found.answers if answer.total), found)
    dumps = node.dumps
    releases = first.era.releases if first.era.dated else frozenset()
    return NodeFacts(
        name=node.name,
        source=source,
        mode=_mode(first.dump),
        era=spans_text(releases) if releases else "",
        releases=tuple(sorted(one for one in releases if one <= NEWEST_KNOWN)),
        backend=first.dump.backend or "",
        cnis=tuple(sorted({name for dump in dumps for name in _cnis(dump)})),
        saved=next((time for dump in dumps if (time := _saved(dump.time)) is not None), None),
        complete=all(answer.dump.complete for answer in found.answers),
        services=ports,
        pods=tuple(
            sorted({one for answer in found.answers for form in answer.forms for one in pod_networks(form)})
        ),
        host_ports=tuple(
            sorted({one.text for dump in dumps for one in published_ports(dump) if not one.address})
        ),
        lost_hooks=tuple(hook for answer in found.answers for hook in _lost_hooks(answer)),
        unseen=node.unseen_tables(dumps[0]) if dumps else TABLE_NAMES,
        modes=_modes(node, found),
    )


def _modes(node: Snapshot, found: ServicesResult) -> tuple[tuple[str, str], ...]:
    """Return the mode of the rules of each family; of several backends that of the one with services."""
    modes = {dump.family: _mode(dump) for dump in reversed(node.dumps)}
    modes |= {answer.dump.family: _mode(answer.dump) for answer in found.answers if answer.total}
    return tuple(sorted(modes.items()))


def _lost_hooks(answer: ServicesResult) -> Iterator[str]:
    if isinstance(answer.dump, Dump) and answer.total:
        family = " (IPv6)" if answer.dump.family == "ipv6" else ""
        yield from (f"{hook}{family}" for hook in lost_hooks(answer.dump))


def _mode(source: RuleSource) -> str:
    """Return how the services of a node are kept, as far as the source of its rules tells."""
    if isinstance(source, Dump):
        mode = mode_of(source)
        return "flushed" if _is_emptied(source) else mode.lacking or mode.name
    if isinstance(source, NftListing):
        listed = mode_of_ruleset(source.ruleset, (source.family,))
        return "none" if listed is None else listed.name
    return "ipvs"


def _is_emptied(dump: Dump) -> bool:
    """Whether somebody took the rules of nat away and left its chains: kube-proxy always has some service."""
    nat = dump.tables.get("nat")
    emptied = nat is not None and SERVICES in nat.chains and not any(True for _ in nat.rules_of(SERVICES))
    return emptied and dump.complete


def _cnis(dump: Dump) -> Iterator[str]:
    """Yield whose chains make the network of pods."""
    for table in dump.tables.values():
        for chain in (name for name in table.chains if not name.startswith("KUBE-")):
            family = family_of(chain, table.name)
            if family is not None and family.writer in _CNIS:
                yield family.writer.name


_FORMS = ("%a %b %d %H:%M:%S %Y", "%Y-%m-%d %H:%M:%S UTC")
"""How times are written: by iptables-save, in the node's own time zone, which nothing tells; of files in
bundles."""


def _saved(time: str | None) -> float | None:
    """Return a time in seconds since 1970, as if it were UTC; None where it is none."""
    for form in _FORMS if time else ():
        try:
            return datetime.strptime(re.sub(r"\s+", " ", time or ""), form).replace(tzinfo=UTC).timestamp()
        except ValueError:
            continue
    return None
