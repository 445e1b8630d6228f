"""What dates a dump: forms that kube-proxy began or ceased to write with some release.

A row says what is seen, which minor releases of Kubernetes 1.x write it, and how to find it. Where a release was
not read, the range is the wider one; patch releases that took a form over early widen it, too.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from iptviz.kube.names import SERVICES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iptviz.dump.model import Dump

OLDEST, NEWEST = 1, 99
"""The first release, and what stands for all that are yet to come."""

Releases = frozenset[int]


def releases(*spans: tuple[int, int]) -> Releases:
    """Return the releases from the first to the last of each span."""
    return frozenset(minor for first, last in spans for minor in range(first, last + 1))


def since(minor: int) -> Releases:
    """Return a release and all later ones."""
    return releases((minor, NEWEST))


def until(minor: int) -> Releases:
    """Return a release and all earlier ones."""
    return releases((OLDEST, minor))


class Form(NamedTuple):
    """A form: in which chain of which table a rule that matches `pattern` stands; any rule if it is empty."""

    text: str
    releases: Releases
    table: str
    chain: str
    pattern: str = ""
    of: str = "kube-proxy"


class Cue(NamedTuple):
    """A form that was seen, by `rule` or by a chain's declaration at `line`."""

    text: str
    releases: Releases
    line: int
    of: str


_KUBELET = "kubelet"
FORMS = (
    Form("KUBE-MARK-MASQ chain", since(2), "nat", "KUBE-MARK-MASQ"),
    Form("cluster IPs masqueraded in KUBE-SERVICES", releases((2, 21)), "nat", "KUBE-SERVICES",
         'cluster IP".* -j KUBE-MARK-MASQ'),
    Form("external IPs dispatched by two rules", until(20), "nat", "KUBE-SERVICES", "! --physdev-is-in"),
    Form("an unnamed port written `namespace/name:`", until(19), "nat", "KUBE-SERVICES",
         r'--comment "[^"\s/]+/[^"\s:]+: cluster IP"'),
    Form("an unnamed port written `namespace/name`", since(19), "nat", "KUBE-SERVICES",
         r'--comment "[^"\s/]+/[^"\s:]+ cluster IP"'),
    Form("single rule in KUBE-POSTROUTING", releases((2, 18)), "nat", "KUBE-POSTROUTING",
         "-m mark --mark .* -j MASQUERADE"),
    Form("three rules in KUBE-POSTROUTING", since(16), "nat", "KUBE-POSTROUTING", "! --mark .* -j RETURN"),
    Form("--random-fully", since(15), "nat", "KUBE-POSTROUTING", "--random-fully"),
    Form("node ports twice, with nfacct", since(31), "nat", "KUBE-NODEPORTS", "-m nfacct"),
    Form("KUBE-FORWARD chain", since(8), "filter", "KUBE-FORWARD"),
    Form("INVALID dropped in KUBE-FORWARD", since(15), "filter", "KUBE-FORWARD", "--ctstate INVALID .*-j DROP"),
    Form("INVALID counted by nfacct", since(31), "filter", "KUBE-FORWARD", "-m nfacct"),
    Form("forwarding by pod networks", releases((8, 17)), "filter", "KUBE-FORWARD",
         "(?:-s|-d) .*pod (?:source|destination) rule"),
    Form("two forwarding rules without networks", releases((18, 22)), "filter", "KUBE-FORWARD",
         "KUBE-FORWARD -m comment --comment \"kubernetes forwarding conntrack pod source rule"),
    Form("one forwarding conntrack rule", since(23), "filter", "KUBE-FORWARD", "forwarding conntrack rule"),
    Form("KUBE-EXTERNAL-SERVICES chain", since(10), "filter", "KUBE-EXTERNAL-SERVICES"),
    Form("KUBE-EXTERNAL-SERVICES asked by FORWARD", since(19), "filter", "FORWARD", "-j KUBE-EXTERNAL-SERVICES"),
    Form("KUBE-PROXY-CANARY chain", since(17), "nat", "KUBE-PROXY-CANARY"),
    Form("KUBE-NODEPORTS chain in filter", since(21), "filter", "KUBE-NODEPORTS"),
    Form("KUBE-PROXY-FIREWALL chain", since(25), "filter", "KUBE-PROXY-FIREWALL"),
    Form("a rule in KUBE-MARK-DROP", releases((4, 27)), "nat", "KUBE-MARK-DROP", "-j MARK", _KUBELET),
    Form("KUBE-KUBELET-CANARY chain", since(17), "nat", "KUBE-KUBELET-CANARY", "", _KUBELET),
    Form("KUBE-IPTABLES-HINT chain", since(24), "mangle", "KUBE-IPTABLES-HINT", "", _KUBELET),
)  # fmt: skip

_WORDS = (
    ("KUBE-EXT- chains", since(24), b"-A KUBE-EXT-"),
    ("KUBE-SVL- chains", since(24), b"-A KUBE-SVL-"),
    ("KUBE-XLB- chains", releases((4, 23)), b"-A KUBE-XLB-"),
    ("comments `Balancing rule` in KUBE-XLB-", releases((4, 22)), b'"Balancing rule '),
    ("KUBE-FW- ends in a rule without target", since(27), b"will be dropped by KUBE-PROXY-FIREWALL"),
)
"""What stands in the nat table, in chains of single services."""

# With -A for a beginning: the search for it skips what does not concern it.
_MASQUERADED = re.compile(rb'-A KUBE-SV[CL]-\S++ [^\n]*cluster IP"[^\n]* -j KUBE-MARK-MASQ$', re.MULTILINE)
_ABSENT = (
    ("no KUBE-FORWARD chain", until(8), "KUBE-FORWARD"),
    ("no KUBE-EXTERNAL-SERVICES chain", until(9), "KUBE-EXTERNAL-SERVICES"),
)
"""Chains of the filter table that kube-proxy makes whether it has rules for them or not."""


def cues_of(dump: Dump) -> Iterator[Cue]:
    """Yield what dates the dump, but for what takes counting: see `iptviz.kube.counted_cues`."""
    for form in FORMS:
        table = dump.tables.get(form.table)
        if table is None or not table.has_chain(form.chain):
            continue
        if not form.pattern:
            yield Cue(form.text, form.releases, table.chains[form.chain].line, form.of)
        else:
            rules = (rule for rule in table.rules_of(form.chain) if re.search(form.pattern, rule.text))
            if (rule := next(rules, None)) is not None:
                yield Cue(form.text, form.releases, rule.line, form.of)
    yield from _service_cues(dump)
    yield from _absent_cues(dump)


def _absent_cues(dump: Dump) -> Iterator[Cue]:
    """Yield what a complete dump lacks of chains that later releases always make."""
    table = dump.tables.get("filter")
    if table is None or not dump.complete or not table.has_chain(SERVICES):
        return
    for text, written, chain in _ABSENT:
        if not table.has_chain(chain):
            yield Cue(text, written, table.line, "kube-proxy")


def _service_cues(dump: Dump) -> Iterator[Cue]:
    nat = dump.tables.get("nat")
    if nat is None:
        return
    for text, written, word in _WORDS:
        at = next((at for block in nat.blocks() if (at := nat.data.find(word, *block)) >= 0), None)
        if at is not None:
            yield Cue(text, written, nat.lines.at(at), "kube-proxy")
    found = next(filter(None, (_MASQUERADED.search(nat.data, *block) for block in nat.blocks())), None)
    if found is not None:
        yield Cue(
            "cluster IPs masqueraded in KUBE-SVC-", since(22), nat.lines.at(found.start()), "kube-proxy"
        )
