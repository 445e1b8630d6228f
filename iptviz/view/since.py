"""What changed for the services of a trace since an older dump."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.view.blocks import Fact, Facts, Heading, later
from iptviz.view.changes import Changes
from iptviz.view.diff_services import service_lines
from iptviz.view.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iptviz.questions.trace import TraceResult
    from iptviz.view.blocks import Block

_COMPARED = "frontends, endpoints, shares, policies, SNAT and who reaches it"
"""What is compared of a service."""


def since_blocks(answer: TraceResult, *, fold: bool) -> Iterator[Block]:
    """Yield what changed; where nothing did, what was compared."""
    changes, since = answer.changes, answer.since
    if changes is None or since is None:
        return
    source = printable(since.source)
    if not changes.differ:
        text = f"no difference of this service since {source} in {_COMPARED}"
        yield Facts(later(lambda: (Fact("Since", text),)))
        return
    yield Heading(f"Changed since {source}")
    yield Changes(later(lambda: tuple(service_lines(changes, fold=fold))))
