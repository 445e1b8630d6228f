"""Chains that others than today's kube-proxy and today's network left behind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.checks.finding import Evidence, diagnosis, found
from iptviz.checks.wording import and_more
from iptviz.kube.leftovers import leftovers, masqueraded_twice, old_local_chains

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from iptviz.checks.examined import Examined
    from iptviz.checks.finding import Finding
    from iptviz.dump.model import Dump

_WRITERS = {
    "userspace": "kube-proxy's userspace mode, the default before 1.2",
    "dockershim": "host ports of dockershim, which Kubernetes 1.24 removed",
    "iptables": "kube-proxy's iptables mode, which another mode has replaced",
    "ipvs": "kube-proxy's IPVS mode, which the iptables mode has replaced",
}


def check(node: Examined) -> Iterator[Finding]:
    """Yield what other modes, other releases and other programs left."""
    dump, nat = node.dump, node.dump.tables.get("nat")
    yield from left(dump, node.node.tables_beyond(dump.family))
    if nat is None:
        return
    if old := old_local_chains(nat):
        evidence = [Evidence(nat.chains[chain].line, "") for chain in old.chains] + [
            Evidence(rule.line, rule.text) for rule in old.rules
        ]
        made = found(xlb_leftover, evidence, line=old.line, chain=old.chains[0], count=len(old.chains))
        yield made._replace(times=len(old.chains))
    if twice := masqueraded_twice(nat):
        yield found(stale_cni, twice, line=twice[0].line, chain=twice[0].chain, at=twice[1].line)


def left(dump: Dump, beyond: Iterable[str] = ()) -> Iterator[Finding]:
    """Yield what each writer left; the rule that still jumps there is evidence."""
    for remains in leftovers(dump, beyond):
        yield found(proxy_leftover, [remains.asked] if remains.asked else [], line=remains.line,
            state="asked" if remains.acts else "idle", complete=dump.complete or remains.asked is not None,
            writer=remains.writer, chain=remains.chains[0], count=len(remains.chains),
            asked=remains.asked.line if remains.asked else None, acts=remains.acts, whole=remains.whole,
        )  # fmt: skip


@diagnosis(
    {"asked": "high", "idle": "low"},
    reference="k/k#102314, #119265",
    absence=True,
    explains=("no-masquerade",),
)
def proxy_leftover(*, writer: str, chain: str, count: int, asked: int | None, acts: bool, whole: bool) -> str:
    """Chains are there that today's kube-proxy does not write.

    An older mode or another program left them.

    Why: Where a rule still leads to them they act: old DNAT and REJECT rules send connections to endpoints
    that are long gone, or refuse them. Where nothing leads to them, or they end nothing, they are harmless.

    Do: Clean up after a change of mode or of the proxy: kube-proxy --cleanup, or reboot the node.
    """
    nobody = "no rule jumps there any more" if whole else "no rule of this dump jumps there"
    idle = "" if acts else ", where no rule ends anything"
    still = nobody if asked is None else f"line {asked} still jumps there{idle}"
    return f"{and_more(chain, count - 1)}: {_WRITERS[writer]}; {still}"


@diagnosis("high", reference="k/k#132516")
def xlb_leftover(*, chain: str, count: int) -> str:
    """Chains KUBE-XLB-... of kube-proxy up to 1.23 stand beside KUBE-EXT-..., which took their place in 1.24.

    Why: From 1.28 on kube-proxy does not know them and never removes them. Their rules lead to chains of
    services and endpoints, and the kernel deletes no chain that a rule leads to: when such an endpoint goes,
    iptables-restore fails, and the node's rules stay as they are, perhaps weeks after the upgrade.

    Do: Drain and reboot the node, which removes all old chains. Or empty and delete each of them, once nothing
    leads to it: iptables -t nat -F KUBE-XLB-..., then iptables -t nat -X KUBE-XLB-....
    """
    return f"{and_more(chain, count - 1)}: of kube-proxy up to 1.23, beside KUBE-EXT- of 1.24 or later"


@diagnosis("high", reference="projectcalico/calico#12920")
def stale_cni(*, chain: str, at: int) -> str:
    """Both flannel and Calico masquerade what pods send: one of the two is usually left over.

    flannel with Calico for policies only (Canal) is intended and not a finding: Calico does not masquerade then.

    Why: flannel's chains stay in the kernel when flannel is removed. Its MASQUERADE may take connections between
    pods of different nodes: they come from the node's address, and network policies that admit pods drop them.

    Do: If the cluster was moved from one to the other, flush the chains of the one that is gone, or reboot the
    node. If flannel is the network on purpose, switch natOutgoing off in Calico's IP pools.
    """
    return f"flannel ({chain}) masquerades what pods send, and so does Calico (cali-nat-outgoing, line {at})"
