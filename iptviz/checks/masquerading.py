"""Known weaknesses of rules that kube-proxy, or flannel, writes on every node: masquerading, INVALID packets."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from iptviz.checks.finding import diagnosis, found
from iptviz.checks.wording import are, listed
from iptviz.engine.settings import Settings
from iptviz.kube.families import FLANNEL, KUBE_PROXY, POSTROUTING, family_of
from iptviz.kube.releases import NEWEST, OLDEST
from iptviz.xtables.values.numbers import read_mark

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iptviz.checks.examined import Examined
    from iptviz.checks.finding import Finding
    from iptviz.dump.rule import Rule
    from iptviz.dump.table import Table

_FULLY = "--random-fully"
_SERVICES_SNAT = "kubernetes service traffic requiring SNAT"
_FORWARD = "KUBE-FORWARD"
_LIBERAL = "net.netfilter.nf_conntrack_tcp_be_liberal"
_DROPS_INVALID = 16
"""The first release of which all dumps drop INVALID packets."""
_RANDOM_FROM = 16
"""The first release (1.x) of which all dumps have --random-fully, where iptables knows it."""
_LEAVE_THE_MARK = frozenset({16, 17, 18})
"""Releases of which some leave the mark on what they masquerade."""
_IPTABLES = re.compile(r"v(\d+)\.(\d+)\.(\d+)")
_PRINTS_RANDOM = (1, 6, 2)
_TUNNELS = ("vxlan", "VXLAN", "flannel.1 ", "flannel-v6.1 ")
"""What stands in rules or routes where a VXLAN tunnel is: the name of its interface, or a comment of Calico."""


def check(node: Examined) -> Iterator[Finding]:
    """Yield what rules that are as their program writes them bring with them."""
    nat, table = node.dump.tables.get("nat"), node.dump.tables.get("filter")
    if nat is not None:
        masquerading = _masquerading(nat)
        yield from _twice(node, nat, masquerading)
        yield from _guessing(node, masquerading)
    if table is not None:
        yield from _invalid(node, table)


def _masquerading(nat: Table) -> list[Rule]:
    """Return the rules that masquerade for kube-proxy and for flannel."""
    return [rule for rule in nat.rules_with("-j MASQUERADE") if _writes_it(rule)]


def _writes_it(rule: Rule) -> bool:
    family = family_of(rule.chain)
    if family is not None and family.writer in {KUBE_PROXY, FLANNEL}:
        return True
    return rule.chain == "POSTROUTING" and (rule.comment or "") in {_SERVICES_SNAT, "flanneld masq"}


def _is_random(rule: Rule) -> bool:
    return rule.target is not None and any(option.name == _FULLY for option in rule.target.options)


def _twice(node: Examined, nat: Table, rules: list[Rule]) -> Iterator[Finding]:
    """Yield the rule that masquerades what is marked, and leaves the mark where it is."""
    for rule in rules:
        if rule.chain == POSTROUTING and _is_random(rule):
            own = list(nat.rules_of(POSTROUTING))
            if not any(map(_clears, own[: rule.number - 1])):
                usual = bool(node.era.releases & _LEAVE_THE_MARK) and not any(map(_clears, own))
                state = "release" if usual and not _has_tunnel(node) else "tunnel"
                yield found(double_masquerade, [rule], line=rule.line, state=state, known=state == "tunnel")
            return


def _has_tunnel(node: Examined) -> bool:
    """Whether a route or a rule tells of a VXLAN tunnel."""
    routes = node.evidence.host.routes
    devices = (f"{route.device} " for route in (routes.routes if routes else ()))
    return any(word in device for device in devices for word in _TUNNELS) or any(
        next(iter(table.rules_with(word)), None) for table in node.dump.tables.values() for word in _TUNNELS
    )


def _clears(rule: Rule) -> bool:
    """Whether a rule takes bits off the mark: it flips them, or sets them to zero."""
    value = rule.target.value("--set-xmark") if rule.target and rule.target.name == "MARK" else None
    mark = read_mark(value or "")
    return mark is not None and (mark.value & ~mark.mask != 0 or mark.mask & ~mark.value != 0)


def _guessing(node: Examined, rules: list[Rule]) -> Iterator[Finding]:
    """Yield the rules whose source ports may clash, all in one finding."""
    releases = node.era.releases
    plain = [rule for rule in rules if not _is_random(rule)]
    if not plain or (max(releases, default=NEWEST) >= _RANDOM_FROM and not _prints_random(node.dump.tool)):
        return
    yield found(no_random_fully, plain, line=plain[0].line,
        state="later" if min(releases, default=OLDEST) >= _RANDOM_FROM else "release",
        chains=tuple(dict.fromkeys(rule.chain for rule in plain)),
    )  # fmt: skip


def _prints_random(tool: str | None) -> bool:
    """Whether the iptables that saved a dump prints the option: older ones leave it out."""
    version = _IPTABLES.search(tool or "")
    return version is None or tuple(map(int, version.groups())) >= _PRINTS_RANDOM


def _invalid(node: Examined, table: Table) -> Iterator[Finding]:
    """Yield that INVALID packets were dropped, or that the rule is not there that drops them."""
    rules = table.rules_of(_FORWARD)
    dropping = [rule for rule in rules if _drops_invalid(rule)]
    for rule in dropping:
        if rule.counters is not None and rule.counters.packets:
            yield found(invalid_drop, [rule], line=rule.line, packets=rule.counters.packets)
    written = bool(node.era.releases) and min(node.era.releases) >= _DROPS_INVALID
    liberal = Settings(node.evidence.host).value(_LIBERAL)
    if not dropping and len(rules) > 1 and written and not liberal and node.dump.complete:
        yield found(invalid_drop, rules[:1], line=rules[0].line, packets=0)


def _drops_invalid(rule: Rule) -> bool:
    option = next((match.option("--ctstate") for match in rule.matches if match.name == "conntrack"), None)
    drops = rule.target is not None and rule.target.name == "DROP"
    return drops and option is not None and not option.negated and "INVALID" in option.values


# --- the words -------------------------------------------------------------------------------------------------


@diagnosis({"tunnel": "medium", "release": "info"}, reference="k/k#88986, #92035")
def double_masquerade(*, known: bool) -> str:
    """KUBE-POSTROUTING masquerades with --random-fully and leaves the mark on the packet.

    kube-proxy 1.16 to 1.18 wrote that before 1.16.13, 1.17.9 and 1.18.6. An old rule above the new ones, which
    an update leaves until the node is rebooted, does the same.

    Why: A packet keeps its mark inside a VXLAN tunnel, so its outer packet is masqueraded, too. Kernels before
    4.14.181, 4.19.123, 5.4.41 and 5.6.13 then send wrong checksums: connections to a service take 63
    seconds to begin.

    Do: Update kube-proxy and kubelet, then reboot the node or take the old rule out of KUBE-POSTROUTING. Until
    then, switch the tunnel's offloading off: ethtool -K flannel.1 tx-checksum-ip-generic off.
    """
    where = "what a VXLAN tunnel carries" if known else "where pods use a VXLAN tunnel, what it carries"
    return f"{POSTROUTING} masquerades with --random-fully and leaves the mark: {where} is masqueraded twice"


@diagnosis({"later": "low", "release": "info"}, reference="flannel-io/flannel#1004, k/k#76699")
def no_random_fully(*, chains: tuple[str, ...]) -> str:
    """MASQUERADE without --random-fully.

    kube-proxy before 1.16 always writes it so; then the severity is info.

    Why: Two connections that begin at the same time may be given one source port; the kernel drops the first
    packet of one of them, and its client tries again a second later. That shows as rare delays under load.

    Do: kube-proxy adds the option from 1.16 on where iptables is 1.6.2 or newer, and flannel does today: update
    them, with the iptables of their images. Until then, conntrack -S shows by insert_failed whether it happens.
    """
    return f"{listed(chains, 3)} {are(chains, 'masquerades', 'masquerade')} without --random-fully"


@diagnosis("info", reference="k/k#74839, #94861")
def invalid_drop(*, packets: int) -> str:
    """What conntrack calls INVALID is dropped in KUBE-FORWARD, or the rule that does it is not there.

    Why: Where answers take another way than requests, conntrack sees half of each connection, calls its packets
    INVALID, and the rule drops them. Without the rule, such packets reach clients with the endpoint's address
    instead of the service's, and clients answer with resets.

    Do: Where packets are dropped, see whether routes are the same both ways. To keep such connections, set
    net.netfilter.nf_conntrack_tcp_be_liberal=1: kube-proxy leaves the rule out then, from 1.29 on.
    """
    if packets:
        return f"dropped {packets:,} packet{'s' * (packets > 1)} that conntrack calls INVALID"
    unless = f"which kube-proxy writes unless {_LIBERAL} is set"
    return f"{_FORWARD} lacks the rule that drops INVALID packets, {unless}"
