"""Where ipvsadm prints a virtual server, or one of its real servers: what answers name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.records import NamedTuple

if TYPE_CHECKING:
    from iptviz.grammar.parts import Counters
    from iptviz.supplied.ipvs import RealServer, VirtualServer


class _Ipvs(NamedTuple):
    """What stands for a table."""

    name: str = "IPVS"


_IPVS = _Ipvs()


class ServerPlace(NamedTuple):
    """A virtual server, or the real one that is the `number`-th of its own, counted from 1: a `Place`."""

    virtual: VirtualServer
    real: RealServer | None = None
    number: int = 0

    @property
    def line(self) -> int:
        """The line, counted from 1."""
        return self.virtual.line if self.real is None else self.real.line

    @property
    def chain(self) -> str:
        """What stands for a chain: the virtual server, with what picks one of its real servers."""
        virtual = self.virtual
        return " ".join(filter(None, ("virtual server", virtual.protocol, virtual.at, virtual.scheduler)))

    @property
    def text(self) -> str:
        """What the line says."""
        return self.chain if self.real is None else f"real server {self.real.end}"

    @property
    def table(self) -> _Ipvs:
        """What stands for a table."""
        return _IPVS

    @property
    def comment(self) -> str | None:
        """Nothing: IPVS keeps none."""
        return None

    @property
    def counters(self) -> Counters | None:
        """Nothing: ipvsadm counts all packets of connections, not connections alone as nat does."""
        return None


def is_virtual(place: object) -> bool:
    """Whether a place is one of a virtual server: no rule."""
    return isinstance(place, ServerPlace)


def virtual_of(place: object) -> VirtualServer | None:
    """Return the virtual server of a place; None of a rule."""
    return place.virtual if isinstance(place, ServerPlace) else None
