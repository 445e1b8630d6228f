"""What dates a dump: forms that kube-proxy began or ceased to write with some release.

A row says what is seen, which minor releases of Kubernetes 1.x write it, and how to find it. Where a release was
not read, the range is the wider one; patch releases that took a form over early widen it, too.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from iptviz.kube.comments import FIREWALL_END, NUMBERED_WAY
from iptviz.kube.families import KUBE_PROXY, KUBELET, KUBELET_CANARY, PROXY_CANARY, SERVICES, family_of
from iptviz.kube.releases import Releases, releases, since, until
from iptviz.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iptviz.dump.model import Dump
    from iptviz.dump.table import Table


class RuleForm(NamedTuple):
    """A form of rules that match `pattern`, in a chain of a table, and the releases that write it.

    What a pattern matches lies within a line.
    """

    text: str
    releases: Releases
    table: str
    chain: str
    pattern: str
    of: str = KUBE_PROXY.name


class Cue(NamedTuple):
    """A form that was seen, by `rule` or by a chain's declaration at `line`."""

    text: str
    releases: Releases
    line: int
    of: str


FORMS = (
    RuleForm("cluster IPs masqueraded in KUBE-SERVICES", releases((2, 21)), "nat", "KUBE-SERVICES",
         'cluster IP".* -j KUBE-MARK-MASQ'),
    RuleForm("external IPs dispatched by two rules", until(20), "nat", "KUBE-SERVICES", "! --physdev-is-in"),
    RuleForm("an unnamed port written `namespace/name:`", until(19), "nat", "KUBE-SERVICES",
         r'--comment "[^"\s/]+/[^"\s:]+: cluster IP"'),
    RuleForm("an unnamed port written `namespace/name`", since(19), "nat", "KUBE-SERVICES",
         r'--comment "[^"\s/]+/[^"\s:]+ cluster IP"'),
    RuleForm("single rule in KUBE-POSTROUTING", releases((2, 18)), "nat", "KUBE-POSTROUTING",
         "-m mark --mark .* -j MASQUERADE"),
    RuleForm("three rules in KUBE-POSTROUTING", since(16), "nat", "KUBE-POSTROUTING", "! --mark .* -j RETURN"),
    RuleForm("--random-fully", since(15), "nat", "KUBE-POSTROUTING", "--random-fully"),
    RuleForm("node ports twice, with nfacct", since(31), "nat", "KUBE-NODEPORTS", "-m nfacct"),
    RuleForm("INVALID dropped in KUBE-FORWARD", since(15), "filter", "KUBE-FORWARD",
         "--ctstate INVALID .*-j DROP"),
    RuleForm("INVALID counted by nfacct", since(31), "filter", "KUBE-FORWARD", "-m nfacct"),
    RuleForm("forwarding by pod networks", releases((8, 17)), "filter", "KUBE-FORWARD",
         "(?:-s|-d) .*pod (?:source|destination) rule"),
    RuleForm("two forwarding rules without networks", releases((18, 22)), "filter", "KUBE-FORWARD",
         "KUBE-FORWARD -m comment --comment \"kubernetes forwarding conntrack pod source rule"),
    RuleForm("one forwarding conntrack rule", since(23), "filter", "KUBE-FORWARD", "forwarding conntrack rule"),
    RuleForm("KUBE-EXTERNAL-SERVICES called from FORWARD", since(19), "filter", "FORWARD",
         "-j KUBE-EXTERNAL-SERVICES"),
    RuleForm("a rule in KUBE-MARK-DROP", releases((4, 27)), "nat", "KUBE-MARK-DROP", "-j MARK", KUBELET.name),
)  # fmt: skip

CHAINS = (
    ("KUBE-MARK-MASQ", "nat"), ("KUBE-FORWARD", "filter"), ("KUBE-EXTERNAL-SERVICES", "filter"),
    ("KUBE-PROXY-CANARY", "nat"), ("KUBE-NODEPORTS", "filter"), ("KUBE-PROXY-FIREWALL", "filter"),
    ("KUBE-KUBELET-CANARY", "nat"), ("KUBE-IPTABLES-HINT", "mangle"),
)  # fmt: skip
"""Chains that date a dump by being in it: their families tell since when they are written, and by whom."""

_CANARIES = {PROXY_CANARY, KUBELET_CANARY}
"""Chains that stand in filter, too: they are looked for there where nat is not shown."""

_OF_SERVICES = ("KUBE-EXT-", "KUBE-SVL-", "KUBE-XLB-")
"""Beginnings of names of chains of single services that date a dump likewise."""

_COMMENTS = (
    ("comments `Balancing rule` in KUBE-XLB-", NUMBERED_WAY, '"Balancing rule '),
    ("KUBE-FW- ends in a rule without target", FIREWALL_END, FIREWALL_END.after),
)
"""Forms of comments in chains of single services, and what of them is looked for."""

# With -A for a beginning: the search for it skips what does not concern it.
_MASQUERADED = re.compile(rb'-A KUBE-SV[CL]-\S++ [^\n]*cluster IP"[^\n]* -j KUBE-MARK-MASQ$', re.MULTILINE)
_ABSENT = (
    ("no KUBE-FORWARD chain", until(8), "KUBE-FORWARD"),
    ("no KUBE-EXTERNAL-SERVICES chain", until(9), "KUBE-EXTERNAL-SERVICES"),
)
"""Chains of the filter table that kube-proxy makes whether it has rules for them or not."""


def cues_of(dump: Dump) -> Iterator[Cue]:
    """Yield what dates the dump, but for what takes counting: see `iptviz.kube.counted_cues`."""
    yield from _chain_cues(dump)
    for form in FORMS:
        table = dump.tables.get(form.table)
        at = None if table is None else _first(table, form)
        if table is not None and at is not None:
            yield Cue(form.text, form.releases, table.lines.at(at), form.of)
    yield from _service_cues(dump)
    yield from _absent_cues(dump)


def _first(table: Table, form: RuleForm) -> int | None:
    """Return where the first rule of a form stands in the text, which is searched as it is."""
    pattern = re.compile(form.pattern.encode())
    found = (pattern.search(table.data, *run) for run in table.runs_of(form.chain))
    return next((one.start() for one in found if one), None)


def _chain_cues(dump: Dump) -> Iterator[Cue]:
    """Yield which chains are there that some releases alone write."""
    for chain, name in CHAINS:
        shown = dump.tables.get(name) or (dump.tables.get("filter") if chain in _CANARIES else None)
        table, family = shown, family_of(chain, name)
        if table is not None and family is not None and table.has_chain(chain):
            where = " in filter" if chain == "KUBE-NODEPORTS" else ""  # it is in nat since the first release
            line = table.chains[chain].line
            yield Cue(f"{chain} chain{where}", family.releases, line, family.writer.name)


def _absent_cues(dump: Dump) -> Iterator[Cue]:
    """Yield what a complete dump lacks of chains that later releases always make."""
    table = dump.tables.get("filter")
    if table is None or not dump.complete or not table.has_chain(SERVICES):
        return
    for text, written, chain in _ABSENT:
        if not table.has_chain(chain):
            yield Cue(text, written, table.line, KUBE_PROXY.name)


def _words() -> Iterator[tuple[str, Releases, str]]:
    """Yield what dates chains of single services, the releases that write it, and what to look for."""
    for prefix in _OF_SERVICES:
        if family := family_of(prefix):
            yield f"{prefix} chains", family.releases, f"-A {prefix}"
    for text, form, word in _COMMENTS:
        yield text, form.releases, word


def _service_cues(dump: Dump) -> Iterator[Cue]:
    nat = dump.tables.get("nat")
    if nat is None:
        return
    for text, written, word in _words():
        if first := next(nat.rules_with(word), None):
            yield Cue(text, written, first.line, KUBE_PROXY.name)
    found = next(filter(None, (_MASQUERADED.search(nat.data, *block) for block in nat.blocks())), None)
    if found is not None:
        yield Cue(
            "cluster IPs masqueraded in KUBE-SVC-", since(22), nat.lines.at(found.start()), KUBE_PROXY.name
        )
