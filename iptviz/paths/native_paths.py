"""The paths of the frontends of kube-proxy's table in nftables mode: those of one form are followed once."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from iptviz.kube.nftables.alike import Renaming
from iptviz.kube.nftables.forms import forms_of
from iptviz.paths.shared import Found, Translation
from iptviz.xtables.address import parse_network

if TYPE_CHECKING:
    from collections.abc import Mapping

    from iptviz.engine.condition import Assumption
    from iptviz.kube.frontend_answer import FrontendAnswer
    from iptviz.kube.frontends import Frontend
    from iptviz.kube.nftables.forms import OwnForm
    from iptviz.kube.nftables.table import ProxyTable
    from iptviz.nft.model import Rule
    from iptviz.paths.endpoints_alike import Company
    from iptviz.paths.model import Decider, FrontendPaths
    from iptviz.paths.survey import Survey
    from iptviz.rules.native.place import NftPlace
    from iptviz.xtables.address import Network


class NativePaths:
    """Finds the paths of frontends; those of `known` ones are not looked for again."""

    def __init__(
        self, survey: Survey, table: ProxyTable, known: Mapping[Frontend, FrontendPaths] | None = None
    ) -> None:
        self._survey = survey
        self._table = table
        self._forms = forms_of(table)
        self._known = known or {}
        self._found: dict[object, tuple[OwnForm, Found]] = {}
        self._networks: dict[int, tuple[Network, ...]] = {}

    def of(self, answer: FrontendAnswer) -> Found:
        """Return what is found of a frontend, or of one whose own rules have the same form.

        Raises:
            PacketError: what is assumed can be so of no kind of client.
        """
        form = self._forms.of(answer.frontend)
        key = self._key(answer, form)
        known = self._found.get(key) if key is not None else None
        if known is not None:
            first, found = known
            named = Renaming(self._table, first, form)
            return found._replace(answer=answer, translation=NativeTranslation(named))
        usual = (end.address for end in answer.endpoints)
        endpoints = tuple(dict.fromkeys((*usual, *answer.elsewhere)))
        chains = (answer.chain,) if answer.chain else ()
        paths = self._known.get(answer.frontend) or self._survey.paths(answer.frontend, chains, endpoints)
        found = Found(answer, paths, frozenset(endpoints))
        if key is not None:
            self._found[key] = form, found
        return found

    def company(self, answer: FrontendAnswer) -> None:
        """Return that nothing is known of kinds of endpoints: their form tells."""

    def anywhere(self, company: Company) -> None:
        """Return that nothing is known of other nodes."""

    @cached_property
    def _is_one_text(self) -> bool:
        """Whether all rules stand in one text, so that their lines are in order."""
        evidence = self._survey.evidence
        return not evidence.dumps and evidence.listing is not None and evidence.listing.is_one_text

    def _key(self, answer: FrontendAnswer, form: OwnForm) -> object:
        """Return what is equal for frontends that fare alike; None where none is known to."""
        frontend = answer.frontend
        if form.number is None:
            return None
        if form.number not in self._networks:
            chains = (answer.chain,) if answer.chain else ()
            self._networks[form.number] = tuple(self._survey.around.pod_networks(chains))
        networks = self._networks[form.number]
        alike = self._survey.alike(networks)
        if form.ends and not self._is_one_text:
            return None  # of several rules that end connections the first is told, by lines of one text
        if not alike.is_known:
            return None
        address = parse_network(frontend.address) if frontend.address else None
        untracked = bool(frontend.address) and self._survey.around.is_untracked(frontend.address or "")
        return (
            form.number, networks, alike.native_frontend(address, frontend.port), untracked,
            tuple(alike.native_endpoints.of([one for one in form.addresses[1:] if one not in form.asked])),
            tuple([alike.native_frontend(parse_network(one), None) for one in form.asked_in_order]),
        )  # fmt: skip


class NativeTranslation(Translation):
    """Says of a frontend what was found of one whose own rules have the same form."""

    def __init__(self, named: Renaming) -> None:
        self._named = named

    def address(self, text: str) -> str:
        """Return an address of the frontend, or of its rules."""
        return self._named.addresses.get(text, text)

    def decider(self, by: Decider | None) -> Decider | None:
        """Return who decides: of a frontend's own rules and elements that at the same place."""
        if by is None or by.number is None or by.table != self._named.table_name:
            return by
        for own, other in self._named.elements:
            if (by.line, by.text) == (own.line or None, own.text):
                return _at(by, own.comment, other)
        chain = self._named.chains.get(by.chain)
        if chain is None:
            return by
        rule = self._named.rule(by.chain, by.number)
        return _at(by._replace(chain=chain), rule.comment, self._named.rule(chain, by.number))

    def _assumption(self, assumption: Assumption) -> Assumption:
        """Return a condition, in which also sets of clients may be named, and lines."""
        told = super()._assumption(assumption)
        since = told.condition.since
        if since is not None:
            told = told._replace(condition=told.condition._replace(since=self._named.lines.get(since, since)))
        value = told.condition.value
        if "/" not in value or "@" not in value:
            return told
        return told._replace(condition=told.condition._replace(value=self._named.sets_in(value)))


def _at(by: Decider, comment: str | None, other: Rule | NftPlace) -> Decider:
    """Return who decides at another place; its comment, where that of the one is told, which is `comment`."""
    said = other.comment if by.comment == (comment or "") else by.comment
    return by._replace(line=other.line or None, text=other.text, comment=said or "")
