"""The normal form of a service port: what it does, whoever tells it, in values that compare.

Rules of a dump tell one (`of_rules.py`), and the API does (`of_api.py`). What a source does not tell is None, or
stands in `untold`: it differs from nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from iptviz.kube.balance import balance_of_endpoints, is_uneven
from iptviz.kube.endpoint_form import EndpointForm
from iptviz.kube.frontends import CHAIN
from iptviz.records import NamedTuple
from iptviz.rules.form import UNKNOWN_PORTS
from iptviz.xtables.address import join_endpoint

if TYPE_CHECKING:
    from collections.abc import Sequence
    from fractions import Fraction

    from iptviz.kube.balance import Balance
    from iptviz.kube.names import ServiceName
    from iptviz.kube.outcome import Needs
    from iptviz.paths.fares import Fare
    from iptviz.rules.form import Place

__all__ = ["EndpointForm", "FrontendForm", "PortForm", "Untold"]

Untold = Literal["port", "kind", "endpoints", "shares", "nat", "rule", "chances"]
"""What a source may leave open of a frontend: its port; whether it is an external IP or a load balancer's;
whether there are more endpoints; what share each gets. Behind these why: rules of nat that are not shown may
lead connections on; a rule that is not understood decides; chances are not printed."""


class FrontendForm(NamedTuple):
    """One frontend of a service port, and what it does with new connections.

    `address` is None for a node port, which answers at the addresses that `at_addresses` says: those alone (True)
    or all but those, at all where it is None. `endpoints` stand in the order of the rules; they and `leftover`
    sum to 1 where shares are told. `verdict` is REJECT or DROP for what gets none. `masquerade` has conditions
    of each rule that masquerades, none for always. `local_only`: outside clients get this node's endpoints
    alone; None where nothing shows it. `reached` says how clients fare, None where nobody looked.

    `unseen` is what connections come to and an incomplete dump lacks: shares and `leftover` are then those of the
    rules that it shows. `leftover` is that of the usual case where a rule that is not understood decides.
    `lacks_port`: its rule shows no port, be it that the dump does not print it (`untold` then) or that it has
    none. Of kind `chain` it stands for the frontends of the chain `unled`, which an excerpt does not show: it can
    be compared with none.

    The API alone leaves a choice: `choices` are sets of endpoints, as texts, that would be as right as
    `endpoints`; `may_be_fewer`: so would some of them be.

    Of a dump `rule` is the one that leads to it, `refusing` that of the verdict: evidence, which is not compared.
    """

    kind: str
    address: str | None
    port: int | None
    protocol: str
    endpoints: Sequence[EndpointForm]
    leftover: Fraction | None
    verdict: str | None
    local_only: bool | None
    masquerade: tuple[Needs, ...] | None = None
    at_addresses: tuple[bool, tuple[str, ...]] | None = None
    reached: tuple[Fare, ...] | None = None
    untold: frozenset[Untold] = frozenset()
    choices: tuple[frozenset[str], ...] = ()
    may_be_fewer: bool = False
    chain: str | None = None
    rule: Place | None = None
    refusing: Place | None = None
    unseen: tuple[str, ...] = ()
    lacks_port: bool = False
    unled: str = ""

    @property
    def line(self) -> int | None:
        """The line of its rule, counted from 1; None without one, as in JSON."""
        return None if self.rule is None else self.rule.line or None

    @property
    def verdict_line(self) -> int | None:
        """The line of the rule that refuses; None without one, as in JSON."""
        return None if self.refusing is None else self.refusing.line or None

    @property
    def at(self) -> str:
        """Address and port as people write them: `10.96.0.1:443`, `:30080` for a node port, `:?` without one."""
        return join_endpoint(self.address or "", UNKNOWN_PORTS if self.lacks_port else self.port)

    @property
    def text(self) -> str:
        """The same with the protocol; or the chain that stands for the frontend."""
        return self.unled if self.kind == CHAIN else f"{self.at}/{self.protocol}"

    @property
    def fares(self) -> tuple[Fare, ...]:
        """How clients fare; empty where nobody looked."""
        return self.reached or ()

    @property
    def balance(self) -> Balance | None:
        """How evenly its endpoints share; None without any, and where that is not told."""
        return balance_of_endpoints(self.endpoints)

    @property
    def is_uneven(self) -> bool:
        """Whether they share less evenly than kube-proxy's rounding explains, or get not all connections."""
        return not self.unseen and is_uneven(self.endpoints, self.leftover)


class PortForm(NamedTuple):
    """One port of one service. Its frontends stand in the order of their kinds, the cluster IP first.

    `suffix` is the hash that kube-proxy's chains have of it, empty where no chain tells it. `affinity` is in
    seconds, None without any; a policy is None where nothing shows it. `source_ranges` are a set, in the order
    of the rules, None where no rule could show them; empty: all are admitted. `health_check` is a node port.
    `properties_told`: whether there is a rule that would show an affinity.
    """

    service: ServiceName
    protocol: str
    frontends: tuple[FrontendForm, ...]
    affinity: int | None
    internal_policy: str | None
    external_policy: str | None
    source_ranges: tuple[str, ...] | None
    health_check: int | None
    suffix: str = ""
    properties_told: bool = True

    @property
    def usual(self) -> FrontendForm:
        """The first frontend: what the service is said to do is what this does."""
        return self.frontends[0]

    @property
    def name(self) -> str:
        """The name as people write it, or what stands in for it."""
        return self.service.text or self.usual.chain or self.usual.text

    @property
    def key(self) -> tuple[str, ...]:
        """By what it is the same port elsewhere: its name; without one its hash, or where it is reached."""
        service = self.service
        if service.text:
            return (*service[:3], self.protocol)
        return ("", "", self.suffix or self.name, self.protocol)

    @property
    def has_endpoints(self) -> bool:
        """Whether some frontend leads to an endpoint."""
        return any(frontend.endpoints for frontend in self.frontends)
