"""Chains that others than today's kube-proxy left behind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.checks.finding import diagnosis, found
from iptviz.checks.wording import and_more
from iptviz.kube.leftovers import leftovers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iptviz.checks.examined import Examined
    from iptviz.checks.finding import Finding
    from iptviz.dump.model import Dump

_WRITERS = {
    "userspace": "kube-proxy's userspace mode, the default before 1.2",
    "dockershim": "host ports of dockershim, which Kubernetes 1.24 removed",
}


def check(node: Examined) -> Iterator[Finding]:
    """Yield what other modes and other programs left."""
    return left(node.dump)


def left(dump: Dump) -> Iterator[Finding]:
    """Yield what each writer left in the nat table; the rule that still leads there is evidence."""
    for remains in leftovers(dump):
        yield found(proxy_leftover, [remains.asked] if remains.asked else [], line=remains.line,
            state="asked" if remains.asked else "idle", complete=dump.complete or remains.asked is not None,
            writer=remains.writer, chain=remains.chains[0], count=len(remains.chains),
            asked=remains.asked.line if remains.asked else None, whole=remains.whole,
        )  # fmt: skip


@diagnosis({"asked": "high", "idle": "low"}, reference="k/k#102314, #119265", absence=True)
def proxy_leftover(*, writer: str, chain: str, count: int, asked: int | None, whole: bool) -> str:
    """Chains are there that today's kube-proxy does not write.

    An older mode or another program left them.

    Why: Where a rule still leads to them they act: old DNAT and REJECT rules send connections to endpoints
    that are long gone, or refuse them. Where nothing leads to them they are harmless.

    Do: Clean up after a change of mode or of the proxy: kube-proxy --cleanup, or reboot the node.
    """
    nobody = "nothing leads there any more" if whole else "nothing in this cut table leads there"
    still = nobody if asked is None else f"line {asked} still leads there"
    return f"{and_more(chain, count - 1)}: {_WRITERS[writer]}; {still}"
