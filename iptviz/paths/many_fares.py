"""How clients fare at many frontends: what is found of one is said of all that rules do not tell apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from iptviz.engine.chance import CERTAIN, NEVER
from iptviz.kube.endpoint_form import addresses_of
from iptviz.paths.fares import Fare, Reached, fares_of, keeps_outside
from iptviz.paths.shared import SharedPaths
from iptviz.paths.surroundings import DumpSurroundings
from iptviz.paths.survey import MOST_HOSTS, Evidence, Survey
from iptviz.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from iptviz.engine.host import Host
    from iptviz.kube.dispatching import DispatchingRules
    from iptviz.kube.frontend_answer import FrontendAnswer
    from iptviz.kube.frontends import Frontend
    from iptviz.kube.service_ports import ServicePort
    from iptviz.paths.endpoints_alike import Company
    from iptviz.paths.fares import Cause
    from iptviz.paths.model import FrontendPaths
    from iptviz.paths.shared import Found, Translation

_MOST_KNOWN = 4_096
"""So many kinds of company are remembered before all are forgotten: a cluster has some dozens."""


class Met(NamedTuple):
    """What is told of a frontend, whichever it is: see `Reached`."""

    fares: tuple[Fare, ...]
    kept: bool | None


class Elsewhere:
    """What was found on nodes before, kept by whoever looks at many: in which company all fare well."""

    def __init__(self) -> None:
        self._well: dict[object, Met] = {}

    def get(self, company: object) -> Met | None:
        """Return how clients fare in company that `anywhere` tells; None where that was not met."""
        return self._well.get(company)

    def add(self, company: object, met: Met) -> None:
        """Remember that all fare well in such company."""
        if len(self._well) >= _MOST_KNOWN:
            self._well.clear()
        self._well[company] = met


def reached_in(
    rules: DispatchingRules,
    ports: Iterable[ServicePort],
    evidence: Evidence,
    *,
    by_decider: bool = False,
    known: Mapping[Frontend, FrontendPaths] | None = None,
    elsewhere: Elsewhere | None = None,
) -> tuple[tuple[Reached, ...], ...]:
    """Return for each service port of a dump how clients fare at its frontends; the paths of some may be known.

    `by_decider`: where other rules decide the same of other clients, they are told apart, and what fails for
    single clients is told. `elsewhere` is what was found on nodes before, and gets what is found here.
    """
    shared = SharedPaths(Survey(DumpSurroundings(rules.dump), evidence, by_decider=by_decider), rules, known)
    return reached_by(shared, ports, evidence.host, by_decider=by_decider, elsewhere=elsewhere)


class FindsPaths(Protocol):
    """What finds the paths of frontends of one source of rules."""

    def of(self, answer: FrontendAnswer) -> Found:
        """Return what is found of a frontend."""

    def company(self, answer: FrontendAnswer) -> Company | None:
        """Return what is equal for frontends with endpoints of the same kinds, None where it is not known."""

    def anywhere(self, company: Company) -> object:
        """Return what is equal for those of nodes where they fare alike, None where it is not known."""


def reached_by(
    shared: FindsPaths,
    ports: Iterable[ServicePort],
    host: Host,
    *,
    by_decider: bool = False,
    elsewhere: Elsewhere | None = None,
) -> tuple[tuple[Reached, ...], ...]:
    """Return the same, by what finds the paths."""
    looking = _Looking(shared, host, elsewhere, by_decider=by_decider)
    return tuple(tuple(map(looking.at, port.answers)) for port in ports)


class _Looking:
    """Looks at many frontends; what is said of one is said of all that are found alike."""

    def __init__(
        self, shared: FindsPaths, host: Host, elsewhere: Elsewhere | None, *, by_decider: bool
    ) -> None:
        self._shared = shared
        self._host = host
        self._elsewhere = elsewhere
        self._by_decider = by_decider
        self._met: dict[int, Met] = {}
        self._well: dict[Company, Met] = {}

    def at(self, answer: FrontendAnswer) -> Reached:
        """Return how clients fare at a frontend; of one whose port or address is not shown, that is not known."""
        frontend = answer.frontend
        if frontend.is_malformed or (frontend.port is None and frontend.unprinted is None):
            return Reached(answer.frontend, ())
        company = self._shared.company(answer)
        if company is None:
            return self._looked_at(answer)
        well = self._well.get(company)
        return Reached(answer.frontend, *well) if well is not None else self._in_company(answer, company)

    def _in_company(self, answer: FrontendAnswer, company: Company) -> Reached:
        """Return how clients fare at the first frontend of such company, if none of other nodes was met."""
        elsewhere = self._elsewhere
        anywhere = self._shared.anywhere(company) if elsewhere is not None else None
        known = elsewhere.get(anywhere) if elsewhere is not None and anywhere is not None else None
        reached = self._looked_at(answer) if known is None else Reached(answer.frontend, *known)
        is_whole = bool(reached.fares) and (known is not None or _has_few_endpoints(answer))
        if is_whole and all(map(_is_well, reached.fares)):
            met = self._well[company] = Met(reached.fares, reached.kept)
            if elsewhere is not None and anywhere is not None:
                elsewhere.add(anywhere, met)
        return reached

    def _looked_at(self, answer: FrontendAnswer) -> Reached:
        found = self._shared.of(answer)
        if found.translation is None:
            own = fares_of(answer, found.paths, found.endpoints, exceptions=self._by_decider)
            kept = keeps_outside(found.paths, found.endpoints, self._host)
            self._met[id(found.paths)] = Met(tuple(own), kept)
            return Reached(answer.frontend, *self._met[id(found.paths)])
        fares, kept = self._met[id(found.paths)]
        if any(fare.failures or fare.rewrites or fare.exceptions for fare in fares):
            fares = tuple(_translated(fare, found.translation) for fare in fares)
        return Reached(answer.frontend, fares, kept)


def _has_few_endpoints(answer: FrontendAnswer) -> bool:
    """Whether it is told of each endpoint what it sends to itself."""
    others = answer.everywhere.endpoints if answer.everywhere is not None else ()
    return len({*addresses_of(answer.endpoints), *addresses_of(others)}) <= MOST_HOSTS


def _is_well(fare: Fare) -> bool:
    """Whether all connections reach endpoints, as who they are; in unusual cases none may, whichever endpoint."""
    return fare.at_least in {NEVER, CERTAIN} and fare._replace(at_least=CERTAIN) == Fare(
        fare.clients, "yes", CERTAIN, CERTAIN, ()
    )


def _translated(fare: Fare, translation: Translation) -> Fare:
    if not fare.failures and not fare.rewrites and not fare.exceptions:
        return fare
    return fare._replace(
        rewrites=tuple(
            each._replace(
                when=translation.when(each.when),
                endpoints=tuple(map(translation.address, each.endpoints)),
            )
            for each in fare.rewrites
        ),
        failures=tuple(
            failure._replace(
                cause=_translated_cause(failure.cause, translation), when=translation.when(failure.when)
            )
            for failure in fare.failures
        ),
        exceptions=tuple(
            each._replace(cause=_translated_cause(each.cause, translation), when=translation.when(each.when))
            for each in fare.exceptions
        ),
    )


def _translated_cause(cause: Cause, translation: Translation) -> Cause:
    return cause._replace(by=translation.decider(cause.by), to=translation.endpoint(cause.to))
