"""An endpoint of a service port, whoever tells it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.records import NamedTuple
from iptviz.xtables.address import join_endpoint

if TYPE_CHECKING:
    from fractions import Fraction


class EndpointForm(NamedTuple):
    """An endpoint and the share (in [0, 1]) of new connections that it gets, None where that is not told."""

    address: str
    port: int | None
    share: Fraction | None

    @property
    def text(self) -> str:
        """The endpoint as people write it."""
        return join_endpoint(self.address, self.port)
