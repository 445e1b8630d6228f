"""What some nodes of a fleet say otherwise than the others, or than the API: sentences, documentation, remarks.

What `verify` finds of one node has its documentation beside that comparison (`against_api.py`). Of a fleet, one
sentence serves for many nodes: it is made of an `Otherwise`, for each id by `sentence_between`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.checks.finding import Fitting, diagnosis
from iptviz.checks.wording import are, listed
from iptviz.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from iptviz.intake.remark import Values

_MOST_NODES = 3
_MOST_ENDPOINTS = 3


class Otherwise(NamedTuple):
    """What some nodes say otherwise: the `name` of the service port, or what stands in for it, with its protocol.

    `at` is the frontend, empty for all of them; `endpoints` are `address:port`. `nodes` are the labels of those
    that say so, empty where the sentence shall not name them, `of` how many could. `by_api`: the API is the
    truth. `values` has the rest, by name: `here` is what these nodes have, `elsewhere` what the truth is, `what`
    is the property that differs, `hooks` are chains of nat, `ports` host ports, or how many service ports differ,
    and `seconds` is how much older the node's rules are than the newest ones.
    """

    name: str = ""
    at: str = ""
    endpoints: tuple[str, ...] = ()
    nodes: tuple[str, ...] = ()
    of: int = 0
    by_api: bool = False
    values: Values = ()

    def said(self, name: str, otherwise: str = "not known") -> str:
        """Return one of the values as text."""
        value = dict(self.values).get(name)
        return otherwise if value is None else _text(value)

    def number(self, name: str) -> int:
        """Return one of the values that is a count; 0 where there is none."""
        value = dict(self.values).get(name, 0)
        return int(value) if isinstance(value, int | float) else 0

    @property
    def where(self) -> str:
        """The service port, and its frontend."""
        return f"{self.name} at {self.at}" if self.at else self.name

    @property
    def on(self) -> str:
        """On which nodes; empty where they are not to be named."""
        return f" on {listed(self.nodes, _MOST_NODES)}" if self.nodes else ""

    @property
    def the_endpoints(self) -> str:
        """The first endpoints, and how many more there are."""
        noun = are(self.endpoints, "endpoint", "endpoints")
        return f"{noun} {listed(self.endpoints, _MOST_ENDPOINTS)}"

    @property
    def whose(self) -> str:
        """Who says what is right."""
        return "in the API" if self.by_api else "on most nodes"

    def beside(self, words: str) -> str:
        """Return a remark on who says what is right; none where the nodes are not named either."""
        return f", {words} {self.whose}" if self.nodes else ""


def _texts(value: object) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, tuple) else ()


def _text(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple | frozenset) else str(value)


# --- sentences of what verify finds, too ------------------------------------------------------------------------


def _service_missing(otherwise: Otherwise) -> str:
    return f"{otherwise.where} is missing{otherwise.on}{otherwise.beside('there')}"


def _service_extra(otherwise: Otherwise) -> str:
    return f"{otherwise.where} is extra{otherwise.on}{otherwise.beside('not')}"


def _endpoint_missing(otherwise: Otherwise) -> str:
    return f"{otherwise.where} lacks {otherwise.the_endpoints}{otherwise.on}{otherwise.beside('there')}"


def _endpoint_extra(otherwise: Otherwise) -> str:
    return (
        f"{otherwise.where} still leads to {otherwise.the_endpoints}{otherwise.on}{otherwise.beside('not')}"
    )


def _share_differs(otherwise: Otherwise) -> str:
    shares = f"other shares of connections for {otherwise.the_endpoints}"
    return f"{otherwise.where}: {shares}{otherwise.on} than {otherwise.whose}"


# --- what only a comparison of nodes finds ----------------------------------------------------------------------

_BEHIND = (
    "On these nodes, look at the log of kube-proxy and at its metric "
    "kubeproxy_sync_proxy_rules_last_timestamp_seconds, and restart it."
)


@diagnosis("medium", advice=_BEHIND)
def property_differs(*, otherwise: Otherwise) -> str:
    """A property of a service port (policy, session affinity, SNAT, source ranges) differs between nodes.

    Why: Clients are treated differently depending on the node that their connections enter by.
    """
    what = otherwise.said("what", "a property")
    here, elsewhere = otherwise.said("here"), otherwise.said("elsewhere")
    of_port = f"{otherwise.where}: " if otherwise.where else ""
    return f"{of_port}{what} {here} instead of {elsewhere}{otherwise.on}"


@diagnosis("high", reference="rancher/rke2#10469", absence=True)
def hostport_gone(*, otherwise: Otherwise) -> str:
    """A node does not publish the host ports that other nodes publish.

    Why: Connections to host ports of pods on this node (ingress controllers often use them) are not rewritten:
    they are refused or time out.

    Do: Check whether a pod with these host ports runs on the node. If it does, restart it: the CNI plugin portmap
    writes its rules again when a pod starts. Then find out what flushed the nat table.
    """
    ports = otherwise.endpoints or _texts(dict(otherwise.values).get("ports"))
    verb = are(ports, "is", "are")
    noun = are(ports, "host port", "host ports")
    named = f"{noun} {listed(ports, _MOST_ENDPOINTS)} {verb}" if ports else "all host ports are"
    return f"{named} missing{otherwise.on}{otherwise.beside('there')}"


@diagnosis("critical", absence=True)
def hook_missing(*, otherwise: Otherwise) -> str:
    """On a node, a chain of the nat table no longer leads to the rules for services, as it does on other nodes.

    Why: Connections that pass this chain are not rewritten (those of pods and other hosts pass PREROUTING, those
    of the node itself OUTPUT): services do not work for them.

    Do: Restart kube-proxy on these nodes, which writes its jumps again, and find out what removed them: another
    firewall program, or `iptables-restore` without --noflush.
    """
    hooks = _texts(dict(otherwise.values).get("hooks"))
    which = f"nat {listed(hooks, _MOST_ENDPOINTS)} {are(hooks, 'leads', 'lead')}"
    return f"{which} to no services{otherwise.on}{otherwise.beside('unlike')}"


def _of_mode(*, otherwise: Otherwise) -> Fitting:
    """Return whether the advice is about a node without services in its rules, or about one in another mode."""
    return Fitting(frozenset({"gone" if otherwise.said("here") in MODES else "other"}))


@diagnosis({"gone": "critical", "other": "medium"}, fitting=_of_mode)
def mode_differs(*, otherwise: Otherwise) -> str:
    """Nodes of a cluster run kube-proxy in different modes, or on one of them nothing leads to services.

    Why (gone): Where no rule leads to services, connections to them time out on this node.

    Why (other): The modes treat some connections differently (to a node port from the node itself, to services
    without endpoints), so that a service works through one node and not through another.

    Do (gone): Where no rule leads to services, restart kube-proxy, and find out what removed its rules: another
    firewall program, or `iptables -F`.

    Do (other): Where modes are mixed, finish the migration, or set `mode` in the configuration of kube-proxy on
    these nodes, and restart it.
    """
    here, elsewhere = mode_text(otherwise.said("here")), otherwise.said("elsewhere", "")
    beside = f"; {mode_text(elsewhere)} {_others(otherwise)}" if elsewhere else ""
    return f"{here}{otherwise.on}{beside}"


def mode_text(mode: str) -> str:
    """Return a mode of kube-proxy in words, or why none is known."""
    return MODES.get(mode, f"kube-proxy in {mode} mode")


MODES = {
    "flushed": "rules of kube-proxy flushed from nat",
    "none": "no rules of kube-proxy",
    "elsewhere": "no services in iptables",
    "no-nat": "no nat table in the dump",
    "cut": "mode not shown by the dump",
}
"""What `iptviz.kube.mode` says where it tells no mode."""


@diagnosis("low")
def era_differs(*, otherwise: Otherwise) -> str:
    """Rules of nodes were written by different releases of kube-proxy.

    Why: A node that an upgrade left behind has the faults that later releases of kube-proxy do not have.

    Do: Compare `kubectl get nodes` with the images of the kube-proxy pods, and finish the upgrade.
    """
    here, elsewhere = otherwise.said("here"), otherwise.said("elsewhere")
    return f"rules of kube-proxy {here}{otherwise.on}, of {elsewhere} {_others(otherwise)}"


def _others(otherwise: Otherwise) -> str:
    return "on most nodes" if dict(otherwise.values).get("most") else "on others"


@diagnosis("critical", advice=_BEHIND)
def stale_node(*, otherwise: Otherwise) -> str:
    """Many service ports of a node are as they were before: kube-proxy has stopped to write rules there.

    Why: Pods come and go, and the node does not notice: more and more of its connections go to endpoints that are
    gone, and services that are new do not work there at all.
    """
    ports, seconds = otherwise.number("ports"), otherwise.number("seconds")
    whose = "the API" if otherwise.by_api else "the others"
    count = f": {_counted(ports, 'service port')} behind {whose}" if ports else ""
    age = f", saved {duration_text(seconds)} before most" if seconds >= _LONG else ""
    return f"rules are out of date{otherwise.on}{count}{age}"


@diagnosis("high")
def no_majority(*, otherwise: Otherwise) -> str:
    """Nodes have a service port otherwise than each other, and no form of it is on most of them.

    Why: Some of them are wrong, or they are in zones that rightly have other endpoints: nodes alone do not tell.

    Do: Compare them with the API: `iptviz fleet DUMP... --api KUBECTL.json`.
    """
    if otherwise.said("what", "") == "missing":
        return f"{otherwise.where} is missing{otherwise.on}, and there on as many others"
    to = otherwise.the_endpoints if otherwise.endpoints else "no endpoint that its rules tell"
    return f"{otherwise.where} leads to {to}{otherwise.on}, which is so on no majority of nodes"


_LONG = 600
"""So many seconds between dumps are worth a word."""

_SENTENCES: dict[str, Callable[[Otherwise], str]] = {
    "service-missing": _service_missing,
    "service-extra": _service_extra,
    "endpoint-missing": _endpoint_missing,
    "endpoint-extra": _endpoint_extra,
    "share-differs": _share_differs,
}
"""What nodes say otherwise and one node says otherwise than the API: documented with that."""

_OWN = {
    made.id: made
    for made in (
        property_differs,
        hook_missing,
        hostport_gone,
        mode_differs,
        era_differs,
        stale_node,
        no_majority,
    )
}


def sentence_between(what: str, otherwise: Otherwise) -> str:
    """Return the sentence of what nodes say otherwise."""
    made = _SENTENCES.get(what)
    return made(otherwise) if made else _OWN[what].words(otherwise=otherwise)


# --- remarks ----------------------------------------------------------------------------------------------------


def duration_text(seconds: float) -> str:
    """Return a time span roughly, in its largest unit: `3 days`."""
    for noun, size in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds >= size:
            return _counted(int(seconds // size), noun)
    return _counted(int(seconds), "second")


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _clocks(*, first: float, last: float, nodes: Sequence[str]) -> str:
    spread = f"dumps were saved {duration_text(last - first)} apart"
    if not nodes:
        return f"{spread}: what changed in between differs, too"
    return (
        f"{spread}: {_named(nodes)} long before or after the others, so what changed in between differs, too"
    )


def _name_twice(*, names: Sequence[str]) -> str:
    return f"the same node name several times: {_named(names)}; each dump counts as a node"


def _other_cluster(*, nodes: Sequence[str], others: int | Sequence[object]) -> str:
    than = f"with the {_counted(_number(others), 'other node')}"
    return f"{_named(nodes)} {are(nodes, 'has', 'have')} no service port in common {than}: another cluster?"


def _given_again(*, count: int, first: str) -> str:
    return f"{_counted(count, 'file')} given several times, read once (first: {first})"


def _passed_over(*, folder: str, count: int, first: str) -> str:
    return f"{folder}: {_counted(count, 'file')} without iptables rules passed over (first: {first})"


def _number(value: int | Sequence[object]) -> int:
    return value if isinstance(value, int) else len(value)


def _incomplete(*, nodes: Sequence[str]) -> str:
    return f"incomplete dumps: what {_named(nodes)} {are(nodes, 'lacks', 'lack')} is not reported as missing"


def _tie(*, count: int) -> str:
    return (
        f"no majority for {_counted(count, 'service port')}: which nodes are right is not known (pass --api)"
    )


def _divided(*, count: int) -> str:
    return (
        f"{_counted(count, 'service port')} with other endpoints on other sets of nodes: zones (topology), or "
        "rules that are out of date; not compared (pass --api)"
    )


def _own(*, count: int) -> str:
    return (
        f"{_counted(count, 'service port')} with endpoints that no other node has: internalTrafficPolicy=Local, "
        "which kube-proxy 1.21 to 1.23 does not show, or rules that are out of date; endpoints not compared "
        "(pass --api)"
    )


def _named(names: Sequence[str]) -> str:
    return listed(names, _MOST_NODES)


REMARKS: dict[str, str | Callable[..., str]] = {
    "fleet-clocks": _clocks,
    "fleet-name-twice": _name_twice,
    "fleet-other-cluster": _other_cluster,
    "fleet-given-again": _given_again,
    "fleet-passed-over": _passed_over,
    "fleet-incomplete": _incomplete,
    "fleet-few": "only one node: no other to compare it with",
    "fleet-tie": _tie,
    "fleet-divided": _divided,
    "fleet-own": _own,
}
