"""The question `fleet` asks: do many nodes agree, and which of them say what otherwise?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from iptviz.checks.finding import SEVERITIES
from iptviz.cluster.api import ApiCluster
from iptviz.errors import DumpError
from iptviz.fleets.comparing import compared
from iptviz.fleets.inputs import Work
from iptviz.fleets.places import expanded
from iptviz.progress import nobody
from iptviz.questions.document import document_of
from iptviz.questions.verify import read_objects
from iptviz.records import NamedTuple
from iptviz.source.origin import DEFAULT_LIMIT
from iptviz.supplied.files import Supplied, Unread

if TYPE_CHECKING:
    from collections.abc import Sequence

    from iptviz.fleets.differing import Group, OddFinding, Rightly
    from iptviz.fleets.inputs import Input
    from iptviz.fleets.summary import Summary, Unreadable
    from iptviz.intake.remark import Remark
    from iptviz.progress import Progress
    from iptviz.supplied.files import FileArgument

_READER = "iptviz.questions.summarizing:summary_of"
"""What makes summaries: who reads them, be it on another machine, imports it there."""


class FleetResult(NamedTuple):
    """What many nodes say: `groups` of nodes that say the same, the largest first, and what is odd.

    `odd` is what nodes say otherwise than the truth, the most harmful first: `truth` says whether that is what
    most nodes say, or an API listing. `rightly` is what is different and shall be. `summary` has the nodes, what
    `check` finds of them (which counts as found where `checks_count`), and what could not be read. `notes` say
    what the comparison lacks or hangs on: clocks that differ, names that occur twice, nodes of another cluster.
    `compared` is how many service ports are compared.
    """

    summary: Summary
    truth: Literal["majority", "api"]
    groups: tuple[Group, ...]
    odd: tuple[OddFinding, ...]
    rightly: tuple[Rightly, ...]
    notes: tuple[Remark, ...]
    compared: int
    checks_count: bool = False

    @property
    def differs(self) -> bool:
        """Whether something was found that counts."""
        found = (one.finding.severity != SEVERITIES[-1] for one in self.summary.noticed.values())
        return bool(self.odd) or (self.checks_count and any(found))

    def to_dict(self) -> dict[str, Any]:
        """Return the result as the document `iptviz.fleet.v1`."""
        return document_of("fleet", self)


def fleet(
    *dumps: str,
    api: FileArgument | Sequence[FileArgument] | ApiCluster = None,
    cache: str | None = None,
    jobs: int | None = None,
    scheduler: str | None = None,
    checks: bool = False,
    max_size: int = DEFAULT_LIMIT,
    progress: Progress = nobody,
) -> FleetResult:
    """Compare many nodes with each other, or with what the API says.

    `dumps` are files, bundles, patterns, folders and URLs (see `iptviz.fleets.places`); "-" is a list of them on
    standard input. `api` is what `kubectl get services,endpointslices -A -o json` prints, in one file or
    several. `cache` is a folder in which summaries are kept for the next time. `jobs` processes read, as many as
    there are processors where it is None; or the workers of the Dask scheduler at the address `scheduler`. With
    `checks` what `check` finds counts as found. Of each input at most `max_size` bytes are read.

    Raises:
        DumpError: nothing matches, or nothing can be read; the API's objects or the cache cannot be used; the
            scheduler does not answer.
    """
    cluster = _cluster(api)
    given = expanded(dumps)
    work = Work(_READER, max_size, _folder(cache))
    summary = _summary(given.inputs, work, jobs, scheduler, progress)
    summary = summary._replace(unreadable=(*given.unmatched, *summary.unreadable))
    if not summary.nodes:
        raise _nothing_read(summary.unreadable)
    progress("comparing the nodes", None)
    found = compared(summary, cluster)
    return FleetResult(
        summary, "majority" if cluster is None else "api", found.groups, found.odd, found.rightly,
        (*given.notes, *found.notes), found.compared, checks,
    )  # fmt: skip


def _cluster(api: FileArgument | Sequence[FileArgument] | ApiCluster) -> ApiCluster | None:
    if api is None or isinstance(api, ApiCluster):
        return api
    return read_objects([api] if isinstance(api, (str, Unread, Supplied)) else api)


def _folder(cache: str | None) -> str:
    if cache is None:
        return ""
    from iptviz.fleets.cache import checked_folder  # with all records that there are

    return checked_folder(cache)


def _summary(
    inputs: Sequence[Input], work: Work, jobs: int | None, scheduler: str | None, progress: Progress
) -> Summary:
    if scheduler is None:
        from iptviz.fleets.running import summarized

        return summarized(inputs, work, jobs=jobs, progress=progress)
    from iptviz.fleets.scheduler import summarized_by

    return summarized_by(scheduler, inputs, work, progress=progress)


_NAMED = 3


def _nothing_read(unreadable: Sequence[Unreadable]) -> DumpError:
    """Return the error for inputs none of which can be read."""
    first = [f"{one.source}: {one.reason}" for one in unreadable[:_NAMED]]
    more = [f"and {len(unreadable) - _NAMED:,} more"] if len(unreadable) > _NAMED else []
    if len(unreadable) == 1:
        return DumpError(unreadable[0].reason, where=unreadable[0].source)
    return DumpError(
        f"none of {len(unreadable)} inputs can be read" if unreadable else "no node found",
        hint="\n  ".join((*first, *more)),
    )
