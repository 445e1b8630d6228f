"""What is found of a frontend in nftables mode, said of another whose own rules have the same form."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from iptviz.kube.endpoint_form import AlikeEndpoints, PortShares, shares_of
from iptviz.kube.names import NAMELESS
from iptviz.kube.nftables.forms import forms_of
from iptviz.records import NamedTuple
from iptviz.rules.native.place import NftPlace, table_name

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from iptviz.kube.frontend_answer import FrontendAnswer
    from iptviz.kube.frontends import Frontend
    from iptviz.kube.nftables.forms import OwnForm
    from iptviz.kube.nftables.table import ProxyTable
    from iptviz.kube.outcome import Verdict
    from iptviz.nft.model import Rule
    from iptviz.rules.form import Place


class Renaming:
    """Says of a frontend of the form `to` what was found of one whose own rules have the same form."""

    def __init__(self, table: ProxyTable, of: OwnForm, to: OwnForm) -> None:
        self._table = table
        self._of, self._to = of, to

    @cached_property
    def addresses(self) -> Mapping[str, str]:
        """The addresses of the one, and those of the other in the same places."""
        return dict(zip(self._of.addresses, self._to.addresses, strict=True))

    @cached_property
    def chains(self) -> Mapping[str, str]:
        """The same of their chains."""
        forms = forms_of(self._table)
        return dict(zip(forms.chains(self._of), forms.chains(self._to), strict=True))

    @cached_property
    def lines(self) -> Mapping[int, int]:
        """The same of the lines of the rules in their chains."""
        chains = self._table.nft.chains
        pairs = ((chains[own].rules, chains[other].rules) for own, other in self.chains.items())
        return {rule.line: same.line for those in pairs for rule, same in zip(*those, strict=True)}

    @cached_property
    def elements(self) -> list[tuple[NftPlace, NftPlace]]:
        """The same of the places of their elements."""
        pairs = zip(self._of.elements, self._to.elements, strict=True)
        asked = ((self._table.asked(own[0]), own, other) for own, other in pairs)
        return [
            (self._table.place(one.rule, own[2], own[1]), self._table.place(one.rule, other[2], other[1]))
            for one, own, other in asked
            if one is not None
        ]

    def place(self, place: Place) -> Place | None:
        """Return where the other has what the one has in a place; None where that is not known."""
        if not isinstance(place, NftPlace):
            return None
        chain = self.chains.get(place.chain)
        if place.element is not None:
            same = (other for own, other in self.elements if own == place and own.line == place.line)
            return next(same, None)
        if chain is None:
            return place
        return self._table.place(self.rule(chain, place.number))

    def rule(self, chain: str, number: int) -> Rule:
        """Return a rule of the other's, by its place in its chain, counted from 1."""
        return self._table.nft.chains[chain].rules[number - 1]

    @property
    def table_name(self) -> str:
        """What answers call the table."""
        return table_name(self._table.nft)

    def sets_in(self, text: str) -> str:
        """Return a text with the names of the other's sets of clients, which begin as the names of chains end."""
        for own, other in self.chains.items():
            text = text.replace(_suffix(own), _suffix(other))
        return text


def _suffix(chain: str) -> str:
    """Return what the name of a chain has behind its kind: so has that of its set of clients."""
    return chain.partition("-")[2]


class AnswersAlike:
    """Answers for frontends: those of one form are asked once; `ask` asks the engine."""

    def __init__(self, table: ProxyTable, ask: Callable[[Frontend], FrontendAnswer]) -> None:
        self._table = table
        self._forms = forms_of(table)
        self._ask = ask
        self._known: dict[int, tuple[OwnForm, FrontendAnswer]] = {}
        self._ends: dict[int, _Ends | None] = {}

    def of(self, frontend: Frontend) -> FrontendAnswer:
        """Return what comes of a connection to a frontend."""
        form = self._forms.of(frontend)
        if form.number is None or frontend.service is NAMELESS:
            return self._ask(frontend)
        known = self._known.get(form.number)
        if known is None:
            answer = self._ask(frontend)
            self._known[form.number] = form, answer
            return answer
        return self._said(*known, frontend, form) or self._ask(frontend)

    def _said(
        self, first: OwnForm, answer: FrontendAnswer, frontend: Frontend, form: OwnForm
    ) -> FrontendAnswer | None:
        """Return an answer as one about another frontend; None where that cannot be said."""
        if form.number not in self._ends:
            self._ends[form.number or 0] = _ends(first, answer)
        ends = self._ends[form.number or 0]
        if ends is None:
            return None
        named = Renaming(self._table, first, form)
        verdict: Verdict | None = answer.verdict
        if verdict is not None:
            rule = named.place(verdict.rule)
            if rule is None:
                return None
            verdict = verdict._replace(rule=rule)
        chain = answer.chain
        if chain is not None and chain not in first.chains:
            return None
        own = form.chains[first.chains.index(chain)] if chain is not None else None
        return answer._replace(
            frontend=frontend,
            service=frontend.service,
            chain=own,
            endpoints=AlikeEndpoints(form.joined, ends.places, ends.shares) if ends.places else (),
            verdict=verdict,
            elsewhere=tuple(map(form.addresses.__getitem__, ends.elsewhere)) if ends.elsewhere else (),
        )


class _Ends(NamedTuple):
    """The places of the endpoints' addresses in a form, with their ports and shares; those that others get."""

    places: tuple[int, ...]
    shares: PortShares
    elsewhere: tuple[int, ...]


def _ends(form: OwnForm, answer: FrontendAnswer) -> _Ends | None:
    """Return where the endpoints' addresses are in a form.

    None where one is none of the form's own, where conditions name what is, or where the listing lacks a chain.
    """
    if answer.unseen:
        return None
    own = {address: place for place, address in enumerate(form.addresses)}
    said = [need.condition.value for needs in answer.masquerade for need in needs]
    if any(word in value for value in said for word in (*form.addresses, *form.chains) if word):
        return None
    ends = [end.address for end in answer.endpoints]
    if not own.keys() >= {*ends, *answer.elsewhere}:
        return None
    return _Ends(
        tuple([own[address] for address in ends]),
        shares_of(answer.endpoints),
        tuple([own[address] for address in answer.elsewhere]),
    )
