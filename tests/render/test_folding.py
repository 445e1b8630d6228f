"""Long lists of endpoints: folded with right numbers, never losing what was asked for; --all shows all."""

from __future__ import annotations

import json
import re
from fractions import Fraction
from functools import cache
from typing import TYPE_CHECKING

import pytest

import iptviz
from iptviz.render.formats import FORMATS
from iptviz.terminal import Style
from iptviz.view.numbers import percent
from iptviz.view.packet_picture import packet_picture
from tests.kubeproxy import NEW, OLD, numbered, saved

if TYPE_CHECKING:
    from iptviz.questions.trace import TraceResult

SERVICE = "10.96.1.0"
ADDRESS = re.compile(r"\b10\.128\.\d+\.\d+:8080\b")
FOLDED = re.compile(r"and (\S+) more, (\S+ %)(?: to (\S+ %))? each, (\S+ %) together \((--all)\)")


@cache  # several tests look at the same answer
def traced(endpoints: int, target: str = SERVICE, era: str = NEW) -> TraceResult:
    return iptviz.trace(
        iptviz.load(saved(numbered(1, endpoints, era=era, node_ports=False)).encode()), target
    )


def addresses(endpoints: int, era: str = NEW) -> list[str]:
    """Return the endpoints in the order of the file: today's kube-proxy sorts them as text."""
    every = [f"10.128.{1 + number // 256}.{number % 256}:8080" for number in range(endpoints)]
    return sorted(every) if era == NEW else every


def tree(result: TraceResult, *, fold: bool = True) -> list[str]:
    return str(FORMATS["tree"].writer("trace")(result, Style(), fold=fold)).splitlines()


def shown_in(lines: list[str]) -> list[str]:
    """Return the endpoints that have a row of their own."""
    return [found[0] for line in lines if "KUBE-SEP-" in line and (found := ADDRESS.search(line))]


@pytest.mark.parametrize("era", [OLD, NEW])
@pytest.mark.parametrize("endpoints", [17, 200, 250])
def test_a_long_list_is_ten_rows_and_one_line(endpoints: int, era: str) -> None:
    result = traced(endpoints, era=era)
    lines = tree(result)
    assert shown_in(lines) == addresses(endpoints, era)[:10]
    (folded,) = (found for line in lines if (found := FOLDED.search(line)))
    hidden = [end.share for end in result.services[0].usual.endpoints[10:]]
    least, most = percent(min(hidden)), percent(max(hidden))
    assert int(folded[1]) == endpoints - 10 == len(hidden)
    assert (folded[2], folded[3] or folded[2]) == (least, most)
    assert folded[4] == percent(sum(hidden, Fraction(0)))


@pytest.mark.parametrize(
    ("endpoints", "text"),
    [
        (200, "and 190 more, 0.50 % each, 95.00 % together (--all)"),
        (250, "and 240 more, 0.40 % each, 96.00 % together (--all)"),
    ],
)
def test_the_line_says_how_many_and_how_much(endpoints: int, text: str) -> None:
    assert sum(text in line for line in tree(traced(endpoints))) == 1


@pytest.mark.parametrize("endpoints", [1, 10, 16])
def test_a_short_list_is_not_folded(endpoints: int) -> None:
    lines = tree(traced(endpoints))
    assert shown_in(lines) == addresses(endpoints)
    assert not any("more" in line for line in lines)


@pytest.mark.parametrize("endpoints", [17, 200, 250])
def test_all_shows_all(endpoints: int) -> None:
    lines = tree(traced(endpoints), fold=False)
    assert shown_in(lines) == addresses(endpoints)
    assert not any("--all" in line for line in lines)


@pytest.mark.parametrize("number", [0, 9, 10, 150, 199])
def test_the_endpoint_that_was_asked_for_is_always_shown(number: int) -> None:
    every = addresses(200)
    lines = tree(traced(200, every[number]))
    assert shown_in(lines) == sorted({*every[:10], every[number]})
    assert [shown_in([line]) for line in lines if "<- asked for" in line] == [[every[number]]]
    hidden = 190 if number < 10 else 189
    assert sum(f"and {hidden} more, 0.50 % each" in line for line in lines) == 1


def test_the_verdict_still_speaks_of_all() -> None:
    assert sum("200 endpoints, 0.50 % each" in line for line in tree(traced(200))) == 1


def test_json_is_never_folded() -> None:
    found = json.loads(str(FORMATS["json"].writer("trace")(traced(200), Style(), fold=True)))
    assert [f"{end['address']}:{end['port']}" for end in found["services"][0]["endpoints"]] == addresses(200)


# --- pictures ----------------------------------------------------------------------------------------------


def dot(result: TraceResult, *, fold: bool = True) -> str:
    return str(FORMATS["dot"].writer("trace")(result, Style(), fold=fold))


@pytest.mark.parametrize("endpoints", [200, 250])
def test_a_picture_folds_too_and_says_how_much(endpoints: int) -> None:
    text = dot(traced(endpoints))
    shown = set(ADDRESS.findall(text))
    assert shown == set(addresses(endpoints)[: len(shown)])
    assert 10 <= len(shown) <= 16
    rest = sum(
        (end.share for end in traced(endpoints).services[0].usual.endpoints[len(shown) :]), Fraction(0)
    )
    folded = f"<B>{endpoints - len(shown)} more endpoints</B><BR/>{percent(rest)} together<BR/>(--all)"
    assert folded in text
    boxes = {
        line.split(" [")[0].strip() for line in text.splitlines() if " -> " not in line and " [label=" in line
    }
    ends = {
        end.strip() for line in text.splitlines() if " -> " in line for end in line.split(" [")[0].split("->")
    }
    assert ends <= boxes  # no link to an endpoint that is not drawn


def test_a_picture_keeps_the_endpoint_that_was_asked_for() -> None:
    asked = addresses(200)[150]
    assert asked in ADDRESS.findall(dot(traced(200, asked)))


def test_a_whole_picture_has_all() -> None:
    text = dot(traced(200), fold=False)
    assert set(ADDRESS.findall(text)) == set(addresses(200))
    assert "--all" not in text


def test_the_line_to_the_folded_ones_is_as_wide_as_they_are_together() -> None:
    (link,) = re.findall(r"-> \"folded/\S+\" \[.*penwidth=([\d.]+)", dot(traced(200)))
    assert float(link) > 3.8  # of 4: 190 of 200 endpoints


def test_a_packets_picture_folds_its_cases_and_the_letters_that_a_link_has() -> None:
    rules = (f"-A POSTROUTING -m set --match-set s{n} src -j SNAT --to-source 192.0.2.{n}" for n in range(31))
    text = "\n".join(("*nat", ":POSTROUTING ACCEPT [0:0]", *rules, "COMMIT", ""))
    asked = {"src": "10.0.0.9", "dst": "10.0.0.1", "protocol": "udp", "dport": 53, "mark": 0}
    result = iptviz.packet(iptviz.load(text.encode()), local_ips=["10.0.0.2"], **asked)  # type: ignore[arg-type]
    folded, whole = packet_picture(result), packet_picture(result, fold=False)
    assert "and 22 more cases (--all)" in folded.footer
    letters = [line.partition(":")[0] for line in whole.footer if re.match("[A-Z]+: (when|otherwise)", line)]
    assert len(letters) == 32
    first = folded.links[0].lines
    assert first == ("A, B, C, D, E, F and 26 more: 100 %",)
