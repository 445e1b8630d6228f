"""In what two forms of a service port differ, and which ports of two lists came, went or differ.

Order of endpoints and rules is no difference, nor are the digits in which a probability is printed. What one side
does not tell is not compared.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from iptviz.compare.differences import PortChanges, PortDifference
    from iptviz.compare.form import PortForm


def differences(old: PortForm, new: PortForm) -> Iterator[PortDifference]:
    """Yield all in which a service port differs."""
    raise NotImplementedError


def compared(old: Iterable[PortForm], new: Iterable[PortForm]) -> PortChanges:
    """Return what differs between the service ports of two rule sets, matched by name, else by hash or place."""
    raise NotImplementedError
