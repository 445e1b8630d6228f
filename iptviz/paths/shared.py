"""The paths of many frontends: those that differ in names and addresses alone are followed once.

A frontend's own rules, from those that dispatch it to its endpoints', are brought into one form: the
addresses, ports and hashes in them are numbered as they come up. Two frontends whose forms are equal are
answered alike.
"""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING

from iptviz.intake.text import to_bytes, to_text
from iptviz.kube.families import ENDPOINT_CHAIN, HASHED_CHAINS
from iptviz.kube.frontends import SERVICE_KINDS
from iptviz.paths.endpoints_alike import Company, EndpointsAlike, OtherCompany
from iptviz.paths.surroundings import pod_networks
from iptviz.records import NamedTuple
from iptviz.rules.iptables import dump_rule
from iptviz.xtables.address import join_endpoint, parse_network, split_endpoint

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from iptviz.dump.model import Dump
    from iptviz.dump.rule import Rule
    from iptviz.engine.condition import Assumption, When
    from iptviz.kube.dispatching import DispatchingRules
    from iptviz.kube.frontend_answer import Everywhere, FrontendAnswer
    from iptviz.kube.frontends import Frontend
    from iptviz.kube.outcome import Needs
    from iptviz.paths.alike import Alike
    from iptviz.paths.elsewhere import Beside
    from iptviz.paths.model import Decider, FrontendPaths
    from iptviz.paths.survey import Survey
    from iptviz.xtables.address import Network

_SERVICE_CHAIN = "|".join(re.escape(name) for name in (*HASHED_CHAINS, ENDPOINT_CHAIN))
_CHAIN = re.compile(rf"(?:{_SERVICE_CHAIN})[^\s\"]++".encode())
_PARTS = re.compile(
    rb"""(?P<blank>^\[\d+:\d+\]\ |-m\ comment\ --comment\ (?:"(?:[^"\\\n]|\\.)*"|[^"\s]\S*)\s?)
       | (?P<chain>(?:""" + _SERVICE_CHAIN.encode() + rb""")[^\s"]++)
       | (?<=\ -[sd]\ )(?P<host>[0-9a-fA-F.:]+)(?=(?:/32|/128)?\s)
       | (?<=--to-destination\ )(?P<ip>\[[0-9a-fA-F:.]+\]|[0-9.]+)
       | (?<=--dport\ )(?P<port>\d+)""",
    re.VERBOSE | re.MULTILINE,
)  # fmt: skip


_BLANK = re.compile(
    rb"""^\[\d+:\d+\]\ |-m\ comment\ --comment\ (?:"(?:[^"\\\n]|\\.)*"|[^"\s]\S*)\s?""",
    re.VERBOSE | re.MULTILINE,
)
"""What no packet is asked: counters and comments."""
_DESTINATION = re.compile(rb"--to-destination (\[[^]]+\]|[0-9.]+|[0-9a-fA-F:]+)")


class _Form(NamedTuple):
    """What a frontend's rules have in common with others', and what is its own: in the order of coming up.

    `strays` are addresses to which rules send connections before a chain of the service is asked. `company` is
    equal for frontends whose endpoints are of the same kinds, None where it is not known.
    """

    key: object
    addresses: tuple[str, ...]
    endpoints: tuple[str, ...]
    chains: tuple[str, ...]
    rules: tuple[Rule, ...]
    strays: frozenset[str] = frozenset()
    company: Company | None = None


class Found(NamedTuple):
    """The paths of a frontend, with its answer and the addresses of the service's own endpoints.

    Where they are another's, `translation` says them of the one asked for.
    """

    answer: FrontendAnswer
    paths: FrontendPaths
    endpoints: frozenset[str]
    translation: Translation | None = None


class SharedPaths:
    """Finds the paths of the frontends of one dump; those of `known` ones are not looked for again."""

    def __init__(
        self, survey: Survey, rules: DispatchingRules, known: Mapping[Frontend, FrontendPaths] | None = None
    ) -> None:
        self._known = known or {}
        self._survey = survey
        self._rules = rules
        self._dump: Dump = rules.dump
        self._plain: tuple[FrontendAnswer | None, _Form | None] = None, None
        self._found: dict[object, tuple[_Form, Found]] = {}
        self._endpoints: dict[tuple[Network, ...], EndpointsAlike] = {}
        self._beside: dict[tuple[Network, ...], Beside] = {}

    def of(self, answer: FrontendAnswer) -> Found:
        """Return what is found of a frontend, or of one whose rules have the same form.

        Raises:
            PacketError: what is assumed can be so of no kind of client.
        """
        form = self._plain_form(answer) or self._form(answer)
        known = self._found.get(form.key) if form.key is not None else None
        if known is not None:
            first, found = known
            return Found(found.answer, found.paths, found.endpoints, Translation(first, form))
        paths = self._known.get(answer.frontend) or self._survey.paths(
            answer.frontend, form.chains, form.endpoints
        )
        found = Found(answer, paths, frozenset(form.endpoints) - form.strays)
        if form.key is not None:
            self._found[form.key] = form, found
        return found

    def company(self, answer: FrontendAnswer) -> Company | None:
        """Return in what company a frontend's endpoints are.

        Where rules treat no two of a kind otherwise, and each connection goes to one of them, an endpoint fares
        well in whatever company it does so once. None where that is not known.
        """
        form = self._plain_form(answer)
        if form is None and answer.everywhere is not None:
            return self._company_by_policy(answer, answer.everywhere)
        return None if form is None else form.company

    def anywhere(self, company: Company) -> object:
        """Return what is equal for such company on other nodes, if all fare there alike; None: not known."""
        from iptviz.paths.elsewhere import Beside  # who asks of one node alone does without

        if company.networks not in self._beside:
            self._beside[company.networks] = Beside(self._survey, company.networks)
        return self._beside[company.networks].of(company)

    def written(self, frontend: Frontend) -> bytes:
        """Return the rules of a frontend alone and of its service's chains, without counters and comments."""
        rules = [*self._rules.about(frontend, "nat"), *self._rules.about(frontend, "filter")]
        return _BLANK.sub(b"", self._own_rules(rules)[0])

    def exact_form(self, answer: FrontendAnswer) -> tuple[object, tuple[str, ...]]:
        """Return what is equal for frontends that are answered alike, None: for no other, and its addresses.

        Where two have the same form, what one says of an address the other says of the one in the same place.
        """
        form = self._form(answer)
        return form.key, form.addresses

    # --- the form ---------------------------------------------------------------------------------------------

    def _plain_form(self, answer: FrontendAnswer) -> _Form | None:
        """Return the form of a frontend whose rules are kube-proxy's own, for all clients alike; else None.

        It is asked for twice: in what company endpoints are, and what is found.
        """
        asked, form = self._plain
        if asked is not answer:
            form = self._made_plain(answer)
            self._plain = answer, form
        return form

    def _made_plain(self, answer: FrontendAnswer) -> _Form | None:
        frontend, named = answer.frontend, _pods_named(answer)
        if answer.depends or answer.local_only or not self._is_plain(answer):
            return None
        networks = (named,) if named else self._pods
        alike = self._survey.alike(networks)
        ends = self._endpoints_among(networks, alike).form(answer.endpoints)
        if not alike.is_known or ends is None:
            return None
        address = parse_network(frontend.address) if frontend.address else None
        key = (
            frontend.kind, frontend.protocol, networks, alike.frontend(address, frontend.port), answer.masquerade,
            answer.affinity is None,
        )  # fmt: skip
        chains = (answer.chain,) if answer.chain else ()
        addresses = (frontend.address or "", *ends.addresses)
        is_all = bool(ends.addresses) and not answer.leftover
        company = Company(*key, ends.company) if is_all and ends.company is not None else None
        return _Form((*key, ends.key), addresses, ends.distinct, chains, (), company=company)

    def _company_by_policy(self, answer: FrontendAnswer, others: Everywhere) -> Company | None:
        """Return the same where a policy Local sends clients to this node's endpoints, others to all."""
        frontend, named = answer.frontend, set(others.networks)
        if not self._is_plain(answer) or len(named) > 1 or not _sources(answer.masquerade) <= named:
            return None
        networks = tuple(filter(None, map(parse_network, named))) or self._pods
        alike = self._survey.alike(networks)
        kinds = self._endpoints_among(networks, alike)
        local, everywhere = kinds.form(answer.endpoints), kinds.form(others.endpoints)
        if not alike.is_known or not (local and local.company and everywhere and everywhere.company):
            return None
        address = parse_network(frontend.address) if frontend.address else None
        return Company(
            frontend.kind, frontend.protocol, networks, alike.frontend(address, frontend.port), answer.masquerade,
            answer.affinity is None, local.company,
            OtherCompany(others.ways, others.masquerade, others.any_time, everywhere.company),
        )  # fmt: skip

    def _is_plain(self, answer: FrontendAnswer) -> bool:
        """Whether no rule about a frontend is but kube-proxy's own, nor keeps it from addresses of the node."""
        frontend = answer.frontend
        special = frontend.addresses or frontend.kind not in SERVICE_KINDS
        return answer.plain and not special and not self._rules.about(frontend, "filter")

    @cached_property
    def _pods(self) -> tuple[Network, ...]:
        return tuple(pod_networks(self._dump, ()))

    def _endpoints_among(self, networks: tuple[Network, ...], alike: Alike) -> EndpointsAlike:
        """Return what tells endpoints apart, also by whether they are in networks of pods."""
        if networks not in self._endpoints:
            self._endpoints[networks] = EndpointsAlike(alike)
        return self._endpoints[networks]

    def _form(self, answer: FrontendAnswer) -> _Form:
        frontend = answer.frontend
        rules = [*self._rules.about(frontend, "nat"), *self._rules.about(frontend, "filter")]
        text, chains = self._own_rules(rules)
        networks = pod_networks(self._dump, chains)
        alike = self._survey.alike(networks)
        numbered = _Numbered(alike, frontend)
        key = (
            frontend.kind, frontend.protocol, frontend.addresses, tuple(networks),
            alike.frontend(numbered.address, frontend.port), _PARTS.sub(numbered.replace, text),
            [rule.line for rule in rules].index(frontend.rule.line) if frontend.rule in rules else None,
        )  # fmt: skip
        endpoints = dict.fromkeys(
            (*(end.address for end in answer.endpoints), *map(to_text, numbered.destinations))
        )
        is_known = alike.is_known and frontend.kind in SERVICE_KINDS
        return _Form(
            key if is_known else None,
            tuple(numbered.addresses),
            tuple(endpoints),
            tuple(chains),
            tuple(rules),
            self._strays(frontend, rules, text),
        )

    def _strays(self, frontend: Frontend, rules: Sequence[Rule], text: bytes) -> frozenset[str]:
        """Return addresses to which rules before a frontend's own send connections, or another service's chains.

        `text` is that of all these rules, and of the chains that they lead to.
        """
        dispatching = b"\n".join(to_bytes(rule.text) for rule in rules)
        found = _destinations(dispatching)
        if len(set(_CHAIN.findall(dispatching))) > 1:
            found |= _destinations(text)
            found -= _destinations(self._own_rules([dump_rule(frontend.rule)])[0])
        return frozenset(found)

    def _own_rules(self, rules: Iterable[Rule]) -> tuple[bytes, list[str]]:
        """Return the text of rules, and of the service chains that they lead to, with these chains' names."""
        nat = self._dump.tables.get("nat")
        texts = [to_bytes(rule.text) for rule in rules]
        chains: dict[bytes, None] = {}
        pending = [name for text in texts for name in _CHAIN.findall(text)]
        while pending and nat is not None:
            name = pending.pop(0)
            if name in chains:
                continue
            chains[name] = None
            for start, end in nat.runs_of(to_text(name)):
                text = nat.data[start:end]
                texts.append(text)
                pending += [other for other in dict.fromkeys(_CHAIN.findall(text)) if other not in chains]
        return b"\n".join(texts), list(map(to_text, chains))


def _destinations(text: bytes) -> set[str]:
    """Return the addresses to which rules send connections, of ranges the first."""
    return {to_text(found.strip(b"[]")) for found in _DESTINATION.findall(text)}


def _sources(masquerade: Iterable[Needs]) -> set[str]:
    """Return the networks whose connections are not masqueraded."""
    return {
        need.condition.value
        for needs in masquerade
        for need in needs
        if need.condition.kind == "source-cidr" and not need.holds
    }


def _pods_named(answer: FrontendAnswer) -> Network | None:
    """Return the network of pods that a service's rules name, if it is one."""
    named = _sources(answer.masquerade)
    return parse_network(named.pop()) if len(named) == 1 else None


class _Numbered:
    """Numbers the addresses, ports and chains of a frontend's rules as they come up."""

    def __init__(self, alike: Alike, frontend: Frontend) -> None:
        self._alike = alike
        self._port = str(frontend.port).encode()
        self.address = parse_network(frontend.address) if frontend.address else None
        self.addresses: dict[str, bytes] = {frontend.address: b"@0"} if frontend.address else {}
        self.destinations: dict[bytes, None] = {}
        self._chains: dict[bytes, bytes] = {}

    def replace(self, found: re.Match[bytes]) -> bytes:
        """Return what stands for a part of a rule."""
        kind, text = found.lastgroup, found[0]
        if kind == "blank":
            return b""
        if kind == "chain":
            prefix = text[: text.rindex(b"-")]
            return self._chains.setdefault(text, b"%s-#%d" % (prefix, len(self._chains)))
        if kind == "port":
            return b"@port" if text == self._port else text
        if kind == "ip":
            text = text.strip(b"[]")
            self.destinations[text] = None
        return self._number(text)

    def _number(self, text: bytes) -> bytes:
        written = to_text(text)
        if written not in self.addresses:
            network = parse_network(written)
            place = -1 if network is None else self._alike.endpoint(network)
            self.addresses[written] = b"@%d:%d" % (len(self.addresses), place)
        return self.addresses[written]


# --- what is found of one frontend, said of another -------------------------------------------------------------


class Translation:
    """Says of `to` what was found of a frontend whose rules have the same form."""

    def __init__(self, of: _Form, to: _Form) -> None:
        self._of, self._to = of, to

    @cached_property
    def _addresses(self) -> Mapping[str, str]:
        return dict(zip(self._of.addresses, self._to.addresses, strict=True))

    @cached_property
    def _rules(self) -> Mapping[int, Rule]:
        return {rule.line: other for rule, other in zip(self._of.rules, self._to.rules, strict=True)}

    def decider(self, by: Decider | None) -> Decider | None:
        """Return who decides: of a frontend's own rules the one at the same place."""
        rule = self._rules.get(by.line or 0) if by is not None and by.number is not None else None
        if by is None or rule is None:
            return by
        return by._replace(number=rule.number, line=rule.line, text=rule.text)

    def address(self, text: str) -> str:
        """Return an address of the frontend or of an endpoint of its service."""
        return self._addresses.get(text, text)

    def endpoint(self, text: str) -> str:
        """Return such an address, with its port if there is one; empty for none."""
        address, port = split_endpoint(text) if text else ("", None)
        return join_endpoint(self.address(address), port) if address else text

    def when(self, when: When) -> When:
        """Return conditions about the addresses of the frontend and its endpoints."""
        return tuple(map(self._assumption, when)) if when else when

    def _assumption(self, assumption: Assumption) -> Assumption:
        condition = assumption.condition
        if not (condition.rewritten or condition.kind in _NAMING):
            return assumption
        return assumption._replace(
            condition=condition._replace(
                value=_ADDRESS.sub(self._address, condition.value),
                rewritten=_ADDRESS.sub(self._address, condition.rewritten),
            )
        )

    def _address(self, found: re.Match[str]) -> str:
        return self.address(found[0])


_NAMING = {"endpoint-local", "source-cidr", "destination-cidr", "local"}
"""Kinds of conditions whose values may be addresses of the service's own."""
# A single address, and no end of a range: what begins a network may be an address of the service's, too.
_ADDRESS = re.compile(r"(?<![\w.:-])[0-9a-fA-F:]*[.:][0-9a-fA-F.:]++(?!-|/(?!(?:32|128)(?!\d)))")
