"""The comments of kube-proxy's rules: one grammar, a row for each form.

Source: pkg/proxy/iptables/proxier.go, release by release; where no release is given, all write it. Comments come
from a file that anybody may have written: one pattern takes them apart, anchored and without going back.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from iptviz.intake.text import to_text
from iptviz.kube.names import NAMELESS, ServiceName, read_service_name
from iptviz.kube.releases import NEWEST, OLDEST, Releases, releases
from iptviz.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from iptviz.dump.table import Table


class CommentForm(NamedTuple):
    """A form: the words before a service port's name, a number among them written N, and those behind it.

    `says` is what the rule does, or why. `frontend` is the kind of frontend that the rule is about. `open` says
    that something follows `after`: an endpoint, a chain. `first` and `last` are releases of Kubernetes 1.x.
    """

    says: str
    before: str = ""
    after: str = ""
    frontend: str = ""
    open: bool = False
    first: int = OLDEST
    last: int = NEWEST

    @property
    def releases(self) -> Releases:
        """The releases that write it."""
        return releases((self.first, self.last))


SERVICE_PORT = CommentForm("service port")
WAY = CommentForm("way to an endpoint", "", " -> ", open=True, first=24)
NUMBERED_WAY = CommentForm("numbered way", "Balancing rule N for ", first=4, last=22)
NO_LOCAL_ENDPOINTS = CommentForm("no local endpoints", "", " has no local endpoints", first=4)
NOT_ADMITTED = CommentForm(
    "not in source ranges", "", " traffic not accepted by ", "load-balancer-ip", open=True, first=25
)
HEALTH_CHECK = CommentForm("health check", "", " health check node port", first=21)
FIREWALL_END = CommentForm(
    "end of source ranges", "other traffic to ", " will be dropped by KUBE-PROXY-FIREWALL", first=27
)
_TRAFFIC = CommentForm("some traffic", "", " ", open=True)
"""Words about traffic for a service that no release read so far writes."""

FORMS = (
    CommentForm("cluster IP", "", " cluster IP", "cluster-ip"),
    CommentForm("external IP", "", " external IP", "external-ip"),
    CommentForm("load-balancer IP", "", " loadbalancer IP", "load-balancer-ip"),
    SERVICE_PORT,
    WAY,
    NUMBERED_WAY,
    CommentForm("no endpoints", "", " has no endpoints", first=2),
    NO_LOCAL_ENDPOINTS,
    HEALTH_CHECK,
    NOT_ADMITTED,
    FIREWALL_END,
    CommentForm("masquerade", "masquerade traffic for ", " external destinations", first=24),
    CommentForm("pods bypass the policy", "pod traffic for ", " external destinations", first=24),
    CommentForm("masquerade the node", "masquerade LOCAL traffic for ", " LB IP", first=15, last=23),
    CommentForm("masquerade the node", "masquerade LOCAL traffic for ", " external destinations", first=24),
    CommentForm("the node bypasses the policy", "route LOCAL traffic for ", " LB IP to service chain",
                first=15, last=23),
    CommentForm("the node bypasses the policy", "route LOCAL traffic for ", " external destinations", first=24),
)  # fmt: skip

GENERAL = frozenset(
    (
        "kubernetes service portals", "kubernetes externally-visible service portals",
        "kubernetes postrouting rules", "kubernetes service traffic requiring SNAT",
        "kubernetes forward rules", "kubernetes forwarding rules", "kubernetes forwarding conntrack rule",
        "kubernetes forwarding conntrack pod source rule", "kubernetes forwarding conntrack pod destination rule",
        "kubernetes load balancer firewall", "kubernetes health check service ports",
        "kubernetes service nodeports; NOTE: this must be the last rule in this chain",
        "kubernetes firewall for dropping marked packets", "block incoming localnet connections",
        "Redirect pods trying to reach external loadbalancer VIP to clusterIP",
        "handle ClusterIPs; NOTE: this must be before the NodePort rules", "flanneld forward", "flanneld masq",
        *(f"{words} hosts" for ip in ("IPv4", "IPv6") for words in (
            f"Allow {ip} VXLAN packets from allowed", f"Drop {ip} VXLAN packets from non-allowed",
            f"Allow {ip} VXLAN packets to other allowed",
        )),
    )
)  # fmt: skip
"""Comments that name nobody: those of kube-proxy, kubelet, flannel and Calico that are the same in every
cluster."""

_CLOSED = {(form.before, form.after): form for form in FORMS if not form.open}
_OPEN = tuple(form for form in FORMS if form.open)
_PARTS = re.compile(
    r"(?P<before>Balancing rule \d++ for "
    r"|(?:masquerade|pod|other|masquerade LOCAL|route LOCAL) traffic (?:for|to) )?"
    r"(?P<name>\S++)(?P<after> .*+)?"
)
_NUMBER = re.compile(r"\d++")


class Comment(NamedTuple):
    """A comment that is about a service port: `before`, `name`, the form's words and `rest` make it up."""

    form: CommentForm
    before: str
    name: str
    rest: str

    @property
    def service(self) -> ServiceName:
        """The service port that it names, `NAMELESS` where what stands there is no name."""
        return read_service_name(self.name)


def read_comment(text: str | None) -> Comment | None:
    """Take a comment apart, None where it has no form of kube-proxy's that is about a service port."""
    found = _PARTS.fullmatch(text or "")
    if found is None:
        return None
    before, name, after = found["before"] or "", found["name"], found["after"] or ""
    form = _CLOSED.get((_NUMBER.sub("N", before) if before else "", after))
    if form is None and after:
        form = (
            _TRAFFIC
            if "traffic" in before
            else next((form for form in _OPEN if after.startswith(form.after)), None)
        )
    return Comment(form, before, name, after.removeprefix(form.after)) if form else None


def service_of_comment(text: str | None) -> ServiceName | None:
    """Return the service port that a kube-proxy comment speaks of, or None."""
    comment = read_comment(text)
    service = comment.service if comment else NAMELESS
    return None if service is NAMELESS else service


def way_of_comment(text: str | None) -> str:
    """Return the endpoint that the comment of a rule that leads to one names, or nothing."""
    comment = read_comment(text)
    return comment.rest if comment and comment.form is WAY else ""


# --- comments read from bytes, where a dump has very many of them ----------------------------------------------

_NAMED = re.compile(rb'--comment "?([^"\s/]++/[^"\s]++)')


def services_named_in(tables: Iterable[Table]) -> Iterator[ServiceName]:
    """Yield, each once, the service ports with whose names comments of `tables` begin."""
    found: dict[bytes, None] = {}
    for table in tables:
        for block in table.blocks():
            found.update(dict.fromkeys(_NAMED.findall(table.data, *block)))
    yield from (name for text in found if (name := service_of_comment(to_text(text))) is not None)


# --- comments of others ----------------------------------------------------------------------------------------

_PORTMAP = re.compile(r'dnat name: \\?"(?P<network>[^"\\]*+)\\?" id: \\?"(?P<id>[^"\\]*+)')


def container_of_comment(text: str) -> tuple[str, str] | None:
    """Return network and container that a comment of the CNI plug-in portmap names, or None.

    Source: containernetworking/plugins, plugins/meta/portmap/portmap.go.
    """
    found = _PORTMAP.match(text)
    return (found["network"], found["id"]) if found else None
