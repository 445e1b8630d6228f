"""What is said of findings in pseudonyms."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.checks.wording import listed

if TYPE_CHECKING:
    from collections.abc import Callable

    from iptviz.checks.finding import Withheld

_NAMED = 3


def _not_in_pseudonyms(*, withheld: tuple[Withheld, ...]) -> str:
    count = sum(one.times for one in withheld)
    told = [
        f"{one.id} ({one.severity}{f', {one.times:,} times' if one.times > 1 else ''})" for one in withheld
    ]
    findings = "1 finding is" if count == 1 else f"{count:,} findings are"
    return f"{findings} not shown in pseudonyms: {listed(told, _NAMED)}"


REMARKS: dict[str, str | Callable[..., str]] = {"not-in-pseudonyms": _not_in_pseudonyms}
