"""The rules that kube-proxy writes by the hundred thousand (`iptviz.intake.bulk`), many of them read at once."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from iptviz.kube.families import MARK_MASQUERADE
from iptviz.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Mentioned = tuple[str, str, str, str]
    """A rule's chain, its target, the first destination of that, and its comment; empty where it has none."""

    Row = tuple[str, ...]


class Pseudonyms(NamedTuple):
    """What literals become: chains, addresses that are known, ports, and others by what stands before them."""

    chains: Mapping[str, str]
    addresses: Mapping[str, str]
    ports: Mapping[str, str]
    others: Mapping[str, Mapping[str, str]]


class Form(NamedTuple):
    """A form of rules.

    `pattern` finds `lines` of them, one after the other: a row. `mentioned` is what the rules of rows name;
    `written` is what they become, or raises KeyError where an address is not known.
    """

    pattern: re.Pattern[str]
    lines: int
    mentioned: Callable[[list[Row]], list[Mentioned]]
    written: Callable[[list[Row], Pseudonyms], str]


def read_bulk(text: str) -> tuple[Form, list[Any]] | None:
    """Return of which one form all rules of whole lines are, and their rows; None where there is none."""
    form = next((form for form in _FORMS if form.pattern.match(text)), None)
    rows = form.pattern.findall(text) if form else []
    return (form, rows) if form and len(rows) * form.lines == text.count("\n") else None


TARGET = "DNAT"
"""The one target of these rules: where a chain is called like that, it is none."""
_COUNT = "(?:0|[1-9][0-9]{0,19})"
_COUNTED = rf"(\[{_COUNT}:{_COUNT}\] |)"
_ENDPOINT, _SERVICE = r"(KUBE-SEP-[A-Z0-9]++)", r"(KUBE-SVC-[A-Z0-9]++)"
_PORT = "([0-9]{1,5}+)"


def _endpoints(address: str, length: str, begin: str, end: str) -> Form:
    """Return the form of the two rules of an endpoint: of what the pod itself sends, and of what it is sent."""

    def mentioned(rows: list[Row]) -> list[Mentioned]:
        return [
            rule
            for _, chain, _, _, again, to, port in rows
            for rule in (
                (chain, MARK_MASQUERADE, "", ""),
                (again, TARGET, f"{begin}{to}{end}:{port}", ""),
            )
        ]

    def written(rows: list[Row], become: Pseudonyms) -> str:
        chains, addresses, ports, _ = become
        mark = chains[MARK_MASQUERADE]
        return "".join(
            [
                f"{counted}-A {chains[chain]} -s {addresses[source]}{length} -j {mark}\n"
                f"{more}-A {chains[again]} -p tcp -m tcp -j {TARGET} --to-destination "
                f"{begin}{addresses[to]}{end}:{ports[port]}\n"
                for counted, chain, source, more, again, to, port in rows
            ]
        )

    pattern = re.compile(
        rf"^{_COUNTED}-A {_ENDPOINT} -s {address}{length} -j {MARK_MASQUERADE}\n"
        rf"{_COUNTED}-A {_ENDPOINT} -p tcp -m tcp -j {TARGET} "
        rf"--to-destination {re.escape(begin)}{address}{re.escape(end)}:{_PORT}\n",
        re.MULTILINE,
    )
    return Form(pattern, 2, mentioned, written)


def _mentioned_by_service(rows: list[Row]) -> list[Mentioned]:
    return [
        (chain, endpoint, "", "") if endpoint else (chain, MARK_MASQUERADE, "", comment[1:-1])
        for _, chain, _, endpoint, _, _, comment, _ in rows
    ]


def _written_of_service(rows: list[Row], become: Pseudonyms) -> str:
    chains, _, _, others = become
    sources, destinations, comments, ports = map(
        others.__getitem__, (" -s ", " -d ", " --comment ", " --dport ")
    )
    mark = chains[MARK_MASQUERADE]
    return "".join(
        [
            f"{counted}-A {chains[chain]} {chance}-j {chains[endpoint]}\n"
            if endpoint
            else f"{counted}-A {chains[chain]} ! -s {sources[source]} -d {destinations[to]} -p tcp "
            f"-m comment --comment {comments[comment]} -m tcp --dport {ports[port]} -j {mark}\n"
            for counted, chain, chance, endpoint, source, to, comment, port in rows
        ]
    )


_NETWORK = "([0-9a-f:][0-9a-f.:]*+/[0-9]++)"
_FORMS = (
    _endpoints(r"([0-9.]++)", "/32", "", ""),
    _endpoints(r"([0-9a-f:]++)", "/128", "[", "]"),
    Form(
        re.compile(
            rf"^{_COUNTED}-A {_SERVICE} "
            rf"(?:(-m statistic --mode random --probability [0-9]\.[0-9]++ |)-j {_ENDPOINT}"
            rf"|! -s {_NETWORK} -d {_NETWORK}"
            rf' -p tcp -m comment --comment ("[^"\\!-][^"\\\n]*+") -m tcp --dport {_PORT}'
            rf" -j {MARK_MASQUERADE})\n",
            re.MULTILINE,
        ),
        1,
        _mentioned_by_service,
        _written_of_service,
    ),
)
"""What nine of ten rules of a large cluster look like."""
