"""The paths of the frontends of kube-proxy's table in nftables mode."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.paths.shared import Found

if TYPE_CHECKING:
    from collections.abc import Mapping

    from iptviz.kube.frontend_answer import FrontendAnswer
    from iptviz.kube.frontends import Frontend
    from iptviz.paths.model import FrontendPaths
    from iptviz.paths.survey import Survey


class NativePaths:
    """Finds the paths of frontends; those of `known` ones are not looked for again."""

    def __init__(self, survey: Survey, known: Mapping[Frontend, FrontendPaths] | None = None) -> None:
        self._survey = survey
        self._known = known or {}

    def of(self, answer: FrontendAnswer) -> Found:
        """Return what is found of a frontend.

        Raises:
            PacketError: what is assumed can be so of no kind of client.
        """
        usual = (end.address for end in answer.endpoints)
        endpoints = tuple(dict.fromkeys((*usual, *answer.elsewhere)))
        chains = (answer.chain,) if answer.chain else ()
        paths = self._known.get(answer.frontend) or self._survey.paths(answer.frontend, chains, endpoints)
        return Found(answer, paths, frozenset(endpoints))
