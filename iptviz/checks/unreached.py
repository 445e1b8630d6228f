"""Services that clients surely do not reach, by a cause that no other finding tells."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.checks.finding import Evidence, diagnosis, found
from iptviz.checks.told import Told
from iptviz.checks.wording import listed
from iptviz.engine.chance import NEVER
from iptviz.engine.condition import clauses
from iptviz.paths.blocked import HOOKS
from iptviz.paths.deciders import is_in
from iptviz.paths.likely import usual_clients
from iptviz.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from iptviz.checks.examined import Examined
    from iptviz.checks.finding import Finding
    from iptviz.engine.condition import When
    from iptviz.kube.frontends import Frontend
    from iptviz.kube.service_ports import ServicePort
    from iptviz.paths.fares import Failure, Fare
    from iptviz.paths.model import Decider
    from iptviz.paths.usual import UsualClients

_NAMED = 3
_WHOSE = {"outside": "outside clients", "pod": "pods", "node": "the node"}
_ENDED = {"rule", "answer"}
"""Why connections fail that a rule or policy ends, or the kernel's routing."""

_INTENDED = {"source ranges"}
"""Why connections fail that are meant to."""

_OF_CLIENTS = {"source-cidr", "source-range", "in-interface"}
_WITHOUT_ENDPOINT = {"not DNATed", "redirected"}


class Unreached(NamedTuple):
    """Connections that fail, in words: `groups` of clients, each when something is so.

    `frontends` are those that they are for, of the service ports `names`; `part`: some of the connections alone.
    `why` is that of the cause, `by` who decides, if anybody, with which `outcome`; `to` is where they go.
    """

    groups: tuple[tuple[tuple[str, ...], str], ...]
    frontends: tuple[str, ...]
    names: tuple[str, ...]
    part: bool
    why: str
    outcome: str
    by: str
    to: str

    @property
    def what(self) -> str:
        """What is not reached: frontends of one service port, or several service ports."""
        if len(self.names) > 1:
            return f"{len(self.names):,} service ports ({listed(self.names, _NAMED)})"
        own = listed(self.frontends, _NAMED)
        return own if self.names == self.frontends else f"{own} of {self.names[0]}"

    @property
    def verb(self) -> str:
        """How that is: `are not reached`."""
        many = len(self.names) > 1 or len(self.frontends) > 1
        return f"{'are' if many else 'is'} {'in part ' * self.part}not reached"

    @property
    def who(self) -> str:
        """By whom: `pods when THIS, and the node`."""
        return ", and ".join(
            _people(clients) + (f" when {when}" if when else "") for clients, when in self.groups
        )

    @property
    def cause(self) -> str:
        """Why these connections fail."""
        if self.why in _ENDED:
            by = f" by {self.by}" if self.by else ""
            return f"{'the answers meet ' * (self.why == 'answer')}{self.outcome}{by}"
        if self.why == "not DNATed" and self.by:
            return f"{self.by} ends nat before an endpoint is chosen"
        return f"they go to {self.to}, not an endpoint of the service" if self.to else _CAUSES[self.why]


_CAUSES = {
    "not DNATed": "no rule sends these connections to an endpoint",
    "redirected": "they go elsewhere than to an endpoint of the service",
    "no local endpoints": "no endpoint on this node",
    "not known": "the deciding rule is unknown",
}


def _people(clients: Sequence[str]) -> str:
    """Return clients in words: `pods and the node`."""
    *first, last = [_WHOSE.get(client, client) for client in clients]
    return f"{', '.join(first)} and {last}" if first else last


class _Case(NamedTuple):
    """Clients of a kind that fail at a frontend of a service port: `sure`, or only if conditions hold.

    `whole`: whatever else is so, none of their connections gets to an endpoint.
    """

    port: ServicePort
    frontend: Frontend
    client: str
    failure: Failure
    sure: bool
    whole: bool

    @property
    def when(self) -> str:
        """What else must be so, in words."""
        return "" if self.whole or not self.failure.when else clauses(self.failure.when)


def check_rest(node: Examined, others: Sequence[Finding]) -> Iterator[Finding]:
    """Yield who fails at which services, by causes that are in none of the `others`, each cause once."""
    causes: dict[object, list[_Case]] = {}
    told: Told | None = None
    for case in _cases(node):
        told = told or Told(node, others)
        if not told.tells(case.failure.cause, case.client, case.frontend):
            causes.setdefault(_key(case), []).append(case)
    for cases in causes.values():
        yield _found(node, cases)


def _key(case: _Case) -> object:
    """Return what is equal for one cause: the rule of a hook, or the chain of some program."""
    why, outcome, by, to = case.failure.cause
    place = by and (
        by.table,
        by.chain,
        by.line if by.chain in HOOKS else None,
        "" if by.table else by.text,
    )
    return why, "" if why in _WITHOUT_ENDPOINT else outcome, place, to


def _found(node: Examined, cases: Sequence[_Case]) -> Finding:
    """Return one cause; of the conditions under which clients of a kind fail, those that come first."""
    cause = cases[0].failure.cause
    conditions: dict[str, str] = {}
    for case in cases:
        conditions.setdefault(case.client, case.when)
    people: dict[str, list[str]] = {}
    for client, when in conditions.items():
        people.setdefault(when, []).append(client)
    names = tuple(dict.fromkeys(case.port.name for case in cases))
    unreached = Unreached(
        tuple((tuple(clients), when) for when, clients in people.items()),
        tuple(dict.fromkeys(case.frontend.text for case in cases)), names,
        all(not case.whole and not case.when for case in cases),
        cause.why, cause.outcome, _by_text(cause.by), cause.to,
    )  # fmt: skip
    made = found(service_not_reached, _evidence(node, cases),
        state="sure" if any(case.sure for case in cases) else "some", complete=node.dump.complete,
        service=cases[0].port.service if len(names) == 1 else None, unreached=unreached,
    )  # fmt: skip
    return made._replace(times=len(names))


def _by_text(by: Decider | None) -> str:
    if by is None:
        return ""
    if not by.table:
        return f"routing ({by.text})" if by.text else "routing"
    return (
        f"rule {by.number} of {by.table} {by.chain}" if by.number else f"{by.text} of {by.table} {by.chain}"
    )


def _evidence(node: Examined, cases: Sequence[_Case]) -> list[Evidence]:
    """Return the rules that decide; where none does, those of the frontends."""
    deciding = {by.line: by for case in cases if (by := case.failure.cause.by) and is_in(node.dump, by)}
    lines = {
        line: Evidence(line, by.text if by.number else f":{by.chain} {by.text.removeprefix('policy ')}")
        for line, by in deciding.items()
        if line
    }
    if not lines:
        rules = (case.frontend.rule for case in cases)
        lines = {rule.line: Evidence(rule.line, rule.text) for rule in rules}
    return [lines[line] for line in sorted(lines)]


# --- who fails -------------------------------------------------------------------------------------------------


def _cases(node: Examined) -> Iterator[_Case]:
    """Yield who fails where, by the cause of most failures: surely, or where rules single usual clients out."""
    usual: UsualClients | None = None
    for port, each in zip(node.ports, node.reached, strict=True):
        for reached in each:
            for fare in reached.fares:
                if not fare.failures or not _may_count(fare):
                    continue
                usual = usual or usual_clients(node.dump, node.evidence.host)
                for client in fare.clients:
                    failure = fare.failures[0]
                    stranger = client == "outside" and reached.frontend.kind == "cluster-ip"
                    if not stranger and (fare.fails or _are_usual(usual, failure.when, client)):
                        yield _Case(
                            port, reached.frontend, client, failure, fare.fails, fare.at_most == NEVER
                        )


def _may_count(fare: Fare) -> bool:
    """Whether clients fail, and not as they should, for sure or where it is they who are singled out.

    Where a program decides, nothing is sure.
    """
    (why, outcome, *_), when = fare.failures[0].cause, fare.failures[0].when
    if why in _INTENDED or outcome == "QUEUE" or fare.word == "no endpoints":
        return False
    single = bool(when) and all(one.condition.kind in _OF_CLIENTS for one in when)
    return fare.fails or (fare.may_fail and why in _WITHOUT_ENDPOINT and single)


def _are_usual(usual: UsualClients, when: When, client: str) -> bool:
    """Whether conditions leave usual clients of a kind; the node itself sends from none of the pods' networks."""
    of_pods = client == "node" and any(one.holds and one.condition.kind == "source-cidr" for one in when)
    return not of_pods and bool(usual.are_meant(when, client))


# --- the words -------------------------------------------------------------------------------------------------


@diagnosis({"sure": "high", "some": "medium"}, absence=True)
def service_not_reached(*, unreached: Unreached) -> str:
    """Clients do not reach a service, for none of the usual reasons.

    Where rules single them out, by their network or their interface, it is of medium severity.

    Why: These connections fail on this node, whatever the endpoints do.

    Do: Follow such a connection: iptviz trace ADDRESS:PORT DUMP shows its rules. If they
    are kube-proxy's, restart it, which writes them anew; if others', find out which program wrote them.
    """
    return f"{unreached.what} {unreached.verb} by {unreached.who}: {unreached.cause}"
