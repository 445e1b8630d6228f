"""Clients in a picture: those with the same answer are one box, which leads to frontends and to what fails."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.view.fates import FAILING
from iptviz.view.picture import Box, Link
from iptviz.view.text import wrapped
from iptviz.view.together import groups_of
from iptviz.view.ways import answers_by_client

if TYPE_CHECKING:
    from iptviz.questions.trace import TraceResult
    from iptviz.view.fates import FateKind
    from iptviz.view.ways import WayLine

_WIDTH = 60
"""How wide the text of a box is, in signs, if its words allow."""

_KINDS: dict[FateKind, str] = {
    **dict.fromkeys(FAILING, "verdict"),
    "unchanged": "leftover",
    "local": "local",
    "depends": "unsure",
    "handed": "unsure",
    "unseen": "unsure",
}
"""What a box looks like that says what becomes of connections which are not reached for sure."""

REACHING = {"reached", "redirected"}
"""What gets to an endpoint, be it one that kube-proxy chose."""

_OTHERWISE: dict[FateKind, str] = {"depends": "otherwise"}

_LINKS = {"verdict": "fails", "leftover": "fails", "unsure": "unsure", "local": "reaches"}


class ClientsPicture:
    """The boxes and links of all clients of an answer, each box once."""

    def __init__(self, result: TraceResult) -> None:
        """Take an answer, which may not tell what becomes of clients; there is nothing then."""
        self.boxes: list[Box] = []
        self.links: dict[Link, None] = {}
        self._ids: dict[object, str] = {}
        groups = groups_of(result)
        for group in groups:
            where = group.frontends if len(groups) > 1 else ""
            frontends = [f"frontend/{service.frontend.text}" for service in group.services]
            for who, lines in answers_by_client(group.ways) if group.ways else ():
                self._add(frontends, where, who, lines)

    def _add(self, frontends: list[str], where: str, who: str, lines: tuple[WayLine, ...]) -> None:
        """Add what becomes of clients; `where` is empty where they can only mean these frontends."""
        clients = self._box("client", tuple(wrapped(who, _WIDTH)), (who, lines))
        for line in lines:
            weight = float(line.share)
            if word := line.word if line.kind in REACHING else _OTHERWISE.get(line.kind):
                reaching = (Link(clients, head, (word,), "reaches", weight) for head in frontends)
                self.links |= dict.fromkeys(reaching)
            if kind := _KINDS.get(line.kind):
                head = self._box(kind, tuple(wrapped(line.text, _WIDTH)), (kind, line.text))
                words = (line.word, *wrapped(where, _WIDTH))
                self.links[Link(clients, head, words, _LINKS[kind], weight)] = None

    def _box(self, kind: str, lines: tuple[str, ...], key: object) -> str:
        """Return the id of a box, which is added if there is none of this `key`."""
        if key not in self._ids:
            self._ids[key] = f"{kind}/way-{len(self._ids)}"
            self.boxes.append(Box(self._ids[key], kind, lines))
        return self._ids[key]
