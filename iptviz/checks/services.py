"""What is wrong with a service's own chains: no endpoints, unfair shares, endpoints and frontends that clash."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from iptviz.checks.finding import Fitting, diagnosis, found
from iptviz.checks.wording import OUTSIDE, are, listed, percent, these
from iptviz.dump.rule import Rule
from iptviz.kube.balance import balance_of_endpoints, is_uneven
from iptviz.kube.families import MARK_DROP
from iptviz.kube.naming import fits
from iptviz.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator, Sequence
    from fractions import Fraction

    from iptviz.checks.examined import Examined, ExaminedTable
    from iptviz.checks.finding import Diagnosis, Finding
    from iptviz.kube.balance import Balance
    from iptviz.kube.era import Era
    from iptviz.kube.frontend_answer import FrontendAnswer
    from iptviz.kube.names import ServiceName
    from iptviz.kube.service_ports import ServicePort
    from iptviz.rules.form import Place

_MOST_FRONTENDS = 3
_MARKED = "MARKED"


class Places(NamedTuple):
    """Frontends that give shares (in [0, 1]) of connections, `least` to `most`, to no endpoint.

    `verdict` is REJECT or DROP, MARKED where a rule only marks them to be dropped (up to 1.24: not wherever they
    go), or empty where nothing ends these connections. `policy` is the one that is Local, if that is the reason,
    or may be. `outside`: a policy Local has other clients get other endpoints.
    """

    frontends: tuple[str, ...]
    verdict: str
    least: Fraction
    most: Fraction
    policy: str = ""
    outside: bool = False

    @property
    def whose(self) -> str:
        """Of which connections is spoken."""
        return f"the connections{OUTSIDE if self.outside else ''}"

    @property
    def listed(self) -> str:
        """The frontends in words, the first few of many."""
        return listed(self.frontends, _MOST_FRONTENDS)

    @property
    def refusal(self) -> str:
        """What kube-proxy's rules do to these connections in words; whether these are asked is another matter."""
        verb = {_MARKED: "only mark", "REJECT": "reject", "DROP": "drop"}.get(self.verdict, self.verdict)
        later = " to be dropped" if self.verdict == _MARKED else ""
        return f"kube-proxy's rules {verb} connections to {self.listed}{later}"

    @property
    def share(self) -> str:
        """The share of connections in words."""
        return spread(self.least, self.most)


def spread(least: Fraction, most: Fraction) -> str:
    """Return the shares between two in words, as one where they read alike."""
    first, last = percent(least), percent(most)
    return first if first == last else f"{first} to {last}"


def check(node: Examined | ExaminedTable) -> Iterator[Finding]:
    """Yield what is wrong with service ports; what befalls many of them alike is one finding."""
    alike: dict[tuple[Hashable, ...], list[Finding]] = {}
    for port in node.ports:
        for finding in port_findings(port, complete=node.complete, era=node.era):
            places = dict(finding.values).get("places")
            kind = (
                places[1:2] + places[4:]
                if isinstance(places, Places)
                else dict(finding.values).get("of_outside")
            )
            alike.setdefault((finding.id, finding.severity, finding.certainty, kind), []).append(finding)
    for findings in alike.values():
        yield findings[0] if len(findings) == 1 else _together(findings)
    yield from _renamed(node)


def check_table(node: ExaminedTable) -> Iterator[Finding]:
    """Yield the same of kube-proxy's table in nftables mode."""
    yield from check(node)


# --- many service ports ----------------------------------------------------------------------------------------


def _together(findings: list[Finding]) -> Finding:
    """Return findings about several services as one, with all their evidence; the worst shares come first."""
    values: list[dict[str, Any]] = [dict(finding.values) for finding in findings]
    if "balance" in values[0]:
        values.sort(key=lambda one: one["balance"].deviation, reverse=True)
    joined = values[0] | {"names": tuple(dict.fromkeys(name for one in values for name in one["names"]))}
    if "places" in joined:
        joined["places"] = _joined([one["places"] for one in values])
    evidence = tuple(dict.fromkeys(piece for finding in findings for piece in finding.evidence))
    return findings[0]._replace(
        service=None, values=tuple(joined.items()), evidence=evidence, times=max(len(findings), len(evidence))
    )


def _joined(places: Sequence[Places]) -> Places:
    """Return places that end connections alike as one."""
    return Places(
        tuple(frontend for one in places for frontend in one.frontends),
        places[0].verdict,
        min(one.least for one in places),
        max(one.most for one in places),
        *places[0][4:],
    )


def _renamed(node: Examined | ExaminedTable) -> Iterator[Finding]:
    """Yield that hashes do not fit the names in comments: who edits a dump edits many."""
    odd: dict[tuple[str, str], Place] = {}
    for port in node.ports:
        for answer in port.answers if port.service.named_by == "comment" else ():
            frontend = answer.frontend
            chain = frontend.leads_to or answer.chain or ""
            named = own if (own := frontend.service).name else port.service
            if not fits(chain, named, frontend.protocol):
                odd.setdefault((chain, named.text), frontend.rule)
    if odd:
        chains, names = zip(*odd, strict=True)
        yield found(hash_mismatch, odd.values(), chains=chains, names=tuple(dict.fromkeys(names)))


# --- one service port ------------------------------------------------------------------------------------------


def port_findings(port: ServicePort, *, complete: bool, era: Era | None) -> Iterator[Finding]:
    """Yield what is wrong with a service port, the first of whose answers is for its usual clients.

    `complete` and `era` are the dump's; rules without an era show every policy. Frontends that suffer alike are
    one finding. Nothing is said of shares that come of a flaw within the chains, which is a finding of its own.
    """
    service, answers = port.service, port.answers
    usual = answers[0]
    name = service.text or usual.chain or usual.frontend.text
    # Up to 1.9 the chain of a service without endpoints is empty.
    endless = not port.has_endpoints
    refused = endless and any(answer.verdict for answer in answers)
    unseen = _INTERNAL if endless and _may_be_local(port, era) else ""
    alike: dict[tuple[str, str, str, bool], list[FrontendAnswer]] = {}
    troubles: dict[str, Diagnosis] = {}
    for answer in answers:
        if what := _trouble(answer, first=answer is usual, refused=refused, endless=endless):
            policy = _policy(answer) if what is local_drop else unseen if what is no_endpoints else ""
            troubles[what.id] = what
            outside = answer.by_policy and what is connections_lost
            alike.setdefault((what.id, _ending(answer), policy, outside), []).append(answer)
    for (what_id, kind, policy, outside), some in alike.items():
        lost = [answer.leftover for answer in some]
        texts = tuple(answer.frontend.text for answer in some)
        places = Places(texts, kind, min(lost), max(lost), policy, outside)
        steered = policy == _EXTERNAL and port.health_check is not None
        # A rule that refuses is proof, whatever lines the dump lacks.
        yield found(
            troubles[what_id], _deciding(some), complete=complete or bool(kind), service=service,
            state="steered" if steered else "met", names=(name,), places=places,
        )  # fmt: skip
    yield from _uneven(port, name, complete=complete)


def _may_be_local(port: ServicePort, era: Era | None) -> bool:
    """Whether a service without endpoints may have some elsewhere, by an internal policy that no rule shows.

    That had no effect beside an external policy Local, which the port of a health check shows.
    """
    return port.health_check is None and era is not None and era.hides_policy


def _uneven(port: ServicePort, name: str, *, complete: bool) -> Iterator[Finding]:
    """Yield of which chains endpoints get uneven shares: that of all clients, and that of those outside."""
    seen: set[str | None] = {None}
    for answer in port.answers:
        if answer.chain in seen:
            continue
        seen.add(answer.chain)
        whole = answer.settled and not (answer.leftover or answer.flawed or answer.taken_by)
        if whole and shares_unevenly(answer):
            yield found(uneven_shares, [answer.frontend.rule], complete=complete, service=port.service,
                names=(name,), balance=balance_of_endpoints(answer.endpoints), of_outside=answer.by_policy,
            )  # fmt: skip


def shares_unevenly(answer: FrontendAnswer) -> bool:
    """Whether endpoints share less evenly than kube-proxy's rounding explains, or not all connections."""
    return not answer.unseen and answer.shares_known and is_uneven(answer.endpoints, answer.leftover)


def _trouble(answer: FrontendAnswer, *, first: bool, refused: bool, endless: bool) -> Diagnosis | None:
    """Return what befalls connections that get no endpoint, or nothing.

    Nothing is said of a frontend whose port the dump does not tell, nor where another service gets them, a flaw
    within the chains keeps them from endpoints, or a condition decides: but a policy Local means other clients to
    get other endpoints. `endless`: no frontend of the service has any.
    """
    if answer.unseen and (first or answer.leftover):
        return service_unseen
    if not answer.leftover or answer.frontend.port is None or answer.taken_by:
        return None
    if answer.verdict and answer.local_only and not answer.endpoints:
        return local_drop
    if not answer.settled or (answer.flawed and not refused):
        return None
    # What has endpoints for other clients lacks a rule.
    return no_endpoints if endless or (answer.verdict and not answer.endpoints) else connections_lost


_INTERNAL, _EXTERNAL = "internalTrafficPolicy", "externalTrafficPolicy"


def _policy(answer: FrontendAnswer) -> str:
    """Return the policy that is about the clients of a frontend."""
    return _INTERNAL if answer.frontend.kind == "cluster-ip" else _EXTERNAL


def _ending(answer: FrontendAnswer) -> str:
    """Return what ends the connections that get no endpoint, as Places have it."""
    if answer.verdict is None:
        return ""
    rule = answer.verdict.rule
    return _MARKED if isinstance(rule, Rule) and rule.jump == MARK_DROP else answer.verdict.kind


def _deciding(answers: Iterable[FrontendAnswer]) -> list[Place]:
    """Return the rules that refuse; where none does, those of the frontends."""
    rules = (answer.verdict.rule if answer.verdict else answer.frontend.rule for answer in answers)
    return list(dict.fromkeys(rules))


# --- rules that clash ------------------------------------------------------------------------------------------


def edited_hash(chain: str | None, service: ServiceName, rule: Place) -> Finding:
    """Return the finding that a chain's hash is not that of the service which `rule`, leading there, names."""
    return found(hash_mismatch, [rule], service=service, chains=(chain,), names=(service.text,))


# --- the words -------------------------------------------------------------------------------------------------


def _of_unseen(*, places: Places, **_: object) -> Fitting:
    """Return whether the service has no endpoints, or none on this node by a policy that no rule shows."""
    return Fitting(frozenset({"policy not shown" if places.policy else "no endpoints"}))


@diagnosis("high", reference="k/k#97360", absence=True, fitting=_of_unseen)
def no_endpoints(*, names: tuple[str, ...], places: Places) -> str:
    """The service has no ready endpoint, so kube-proxy has its connections refused.

    kube-proxy 1.21 to 1.23 writes the same rules where internalTrafficPolicy is Local and no endpoint is on this
    node.

    Why (no endpoints): Clients get `connection refused` at once, or time out, on every node.

    Why (policy not shown): Where internalTrafficPolicy is Local, clients on this node get `connection refused`,
    and those on nodes with endpoints reach these; else those on every node get it. No rule of kube-proxy 1.21 to
    1.23 tells which.

    Do: Check what selects its pods and whether they are ready: kubectl get endpointslices, kubectl get pods.

    Do (policy not shown): Check whether internalTrafficPolicy is Local: kubectl get services -o yaml.
    """
    fate = places.refusal if places.verdict else f"connections to {places.listed} go on without DNAT"
    others = f", or {places.policy}=Local and none on this node" if places.policy else ""
    return f"{these(names)} {are(names, 'has', 'have')} no endpoints{others}: {fate}"


def _of_policy(*, places: Places, **_: object) -> Fitting:
    """Return whose connections are dropped: those from outside, or those of this node and its pods."""
    return Fitting(frozenset({places.policy}))


@diagnosis({"met": "high", "steered": "low"}, reference="kubernetes/website#2499", fitting=_of_policy)
def local_drop(*, names: tuple[str, ...], places: Places) -> str:
    """A service whose traffic policy is Local has no ready endpoint on this node.

    Connections to it are dropped: with externalTrafficPolicy those from outside the cluster, with
    internalTrafficPolicy those of this node to the cluster IP. The severity is low where the service has a health
    check port, which tells its load balancer to avoid this node.

    Why: Clients that still connect to this node time out.

    Why (externalTrafficPolicy): With externalTrafficPolicy=Local these are clients of a node port outside the
    cluster, or a load balancer that does not use the health check port.

    Why (internalTrafficPolicy): With internalTrafficPolicy=Local these are pods of this node that connect to the
    cluster IP, or the node itself.

    Do: Run a pod of the service on each node that has clients, or set the policy to Cluster.

    Do (externalTrafficPolicy): Check that the load balancer uses healthCheckNodePort.
    """
    lacking = f"{are(names, 'has', 'have')} {places.policy}=Local and no endpoint on this node"
    return f"{these(names)} {lacking}: {places.refusal}"


@diagnosis("high", absence=True)
def connections_lost(*, names: tuple[str, ...], places: Places) -> str:
    """Some connections run through all rules of a service's chain and meet no endpoint.

    The last rule has a probability below 1, or a rule is missing.

    Why: Of many clients some fail, seemingly at random.

    Do: Compare the chain's rules with the service's endpoints; restart kube-proxy, which writes it anew.
    """
    ends = {"": "get no endpoint", _MARKED: "are marked to be dropped"}
    fate = ends.get(places.verdict, f"end in {places.verdict}")
    return f"{these(names)}: {places.share} of {places.whose} to {places.listed} {fate}"


@diagnosis("info")
def service_unseen(*, names: tuple[str, ...], places: Places) -> str:
    """A chain that a service's connections enter has no rules in this dump, or no end.

    The dump is incomplete.

    Why: The dump does not show where these connections go.

    Do: Take the whole dump from the node: iptables-save, not filtered by grep and not shortened.
    """
    which = f"{places.share} of the connections" if places.most else "connections"
    return f"{these(names)}: where {which} to {places.listed} go is not in this dump"


@diagnosis("high", absence=True)
def uneven_shares(*, names: tuple[str, ...], balance: Balance, of_outside: bool) -> str:
    """A service's endpoints get uneven shares of its connections.

    The effective shares differ from each other by more than kube-proxy's rounding explains.

    Why: Some endpoints carry more than others. Raw probabilities of 0.25, 0.33, 0.5 are even; equal ones
    (0.333 three times) are not.

    Do: Find out which program wrote these rules: kube-proxy writes even ones. Restart it, which writes the chain
    anew.
    """
    shares = f"{spread(balance.least, balance.most)} of the connections{OUTSIDE if of_outside else ''}"
    if len(names) == 1:
        return f"{names[0]}: its {balance.endpoints} endpoints get {shares} each, which is not even"
    return f"{these(names)} share connections unevenly: {names[0]}'s endpoints get {shares} each"


@diagnosis("low")
def hash_mismatch(*, chains: tuple[str, ...], names: tuple[str, ...]) -> str:
    """The hash in a service chain's name is not that of the service in the comment.

    The name of a service chain ends in a hash of the service's name.

    Why: kube-proxy never writes that: names were changed after the dump was made, or rules were written by
    hand. Names in the answer may be wrong, addresses and shares are not concerned.

    Do: Find out whether the dump was edited; iptviz redact keeps names and hashes
    together.
    """
    hashes = (
        f"the hash of {chains[0]} is" if len(chains) == 1 else f"the hashes of {len(chains):,} chains are"
    )
    those = names[0] if len(chains) == 1 else f"the services in their comments ({listed(names, 3)})"
    return f"{hashes} not {are(chains, 'that', 'those')} of {those}: edited, or names made up?"
