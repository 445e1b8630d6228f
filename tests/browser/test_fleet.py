"""The page of a fleet in a real browser: rows fold, more of the map is shown on demand, axe finds nothing."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from iptviz.render.formats import FORMATS
from iptviz.terminal import Style
from iptviz.view.heat import heat_map
from tests.browser.test_report import Opened
from tests.view.made_fleets import agreeing, facts, fleet_of, large, odd, sixty

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from iptviz.questions.fleet import FleetResult

MOST_BYTES = 2_000_000
"""What a page of 5,000 nodes may weigh."""


@cache
def written(make: Callable[[], FleetResult]) -> str:
    return str(FORMATS["html"].writer("fleet")(make(), Style(), fold=True))


def hostile() -> FleetResult:
    text = "<img src=x onerror=alert(1)>\x1b[31m\u202e</script>"
    nodes = [facts(f"{text}{number}", source=text, cnis=(text,)) for number in range(70)]
    one = odd("endpoint-extra", [1], 70, 1, text)
    findings = [
        one._replace(nodes=1 << place, service=one.service and one.service._replace(name=f"{text}{place}"))
        for place in range(1, 65)
    ]
    return fleet_of(nodes, findings)


@pytest.fixture
def opened(browser: Any, tmp_path: Path) -> Iterator[Callable[..., Any]]:
    pages = []

    def load(make: Callable[[], FleetResult], scheme: str = "light", width: int = 1280) -> Any:
        file = tmp_path / "fleet.html"
        file.write_text(written(make), encoding="utf-8")
        page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
        pages.append(Opened(page))
        page.goto(file.as_uri())
        return page

    yield load
    for one in pages:
        assert one.wrong == []
        one.page.close()


def states(page: Any, row: int) -> str:
    signs: str = page.evaluate(
        "(row) => [...document.querySelectorAll('#map tbody tr')[row].cells].slice(1)"
        ".map((cell) => cell.textContent[0]).join('')",
        row,
    )
    return signs


@pytest.mark.parametrize(("make", "scheme"), [(sixty, "light"), (sixty, "dark"), (agreeing, "dark")])
def test_axe_finds_nothing(
    opened: Callable[..., Any], axe_script: str, make: Callable[[], FleetResult], scheme: str
) -> None:
    page = opened(make, scheme)
    page.evaluate(Path(axe_script).read_text(encoding="utf-8"))
    found = page.evaluate("axe.run()")
    assert [(one["id"], [node["target"] for node in one["nodes"]][:3]) for one in found["violations"]] == []
    assert len(found["passes"]) > 20


def test_the_map_says_in_words_what_its_signs_and_colours_say(opened: Callable[..., Any]) -> None:
    page = opened(sixty)
    assert states(page, 1) == ".-X....."
    row = page.get_by_role("row").filter(has=page.get_by_role("rowheader", name="node-30", exact=True))
    assert row.get_by_role("cell", name="X service missing").count() == 1
    assert page.get_by_role("columnheader", name="120 ports: team-6/svc-300:http/tcp ...").count() == 1
    legend = page.locator(".legend li").all_inner_texts()
    assert "X service missing" in [" ".join(text.split()) for text in legend]


def test_a_row_unfolds_by_keyboard_to_the_names_of_its_nodes(opened: Callable[..., Any]) -> None:
    page = opened(sixty)
    summary = page.locator("#map tbody summary").first
    names = page.locator("#map tbody details p").first
    assert not names.is_visible()
    summary.press("Enter")
    assert names.is_visible()
    assert len(names.inner_text().split(", ")) == 49
    summary.press("Enter")
    assert not names.is_visible()


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("make", [sixty, large])
def test_nothing_is_wider_than_the_page(
    opened: Callable[..., Any], make: Callable[[], FleetResult], width: int
) -> None:
    page = opened(make, width=width)
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_headings_stay_where_the_map_is_scrolled(opened: Callable[..., Any]) -> None:
    page = opened(large)
    before = page.locator("#map thead th").first.bounding_box()
    page.locator(".heat").evaluate("(one) => one.scrollTo(600, 600)")
    assert page.locator("#map thead th").first.bounding_box() == before
    assert page.locator(".heat").evaluate("(one) => one.scrollTop") > 0


def test_a_page_of_thousands_of_nodes_is_small_and_opens_fast(opened: Callable[..., Any]) -> None:
    assert len(written(large).encode()) < MOST_BYTES
    page = opened(large)
    timing = page.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd")
    assert timing < 3_000
    assert page.locator("#map tbody tr").count() == 50


def test_the_rest_of_the_map_is_shown_on_demand(opened: Callable[..., Any]) -> None:
    page = opened(large)
    short = states(page, 1)
    page.locator("#more-rows").press("Enter")
    assert page.locator("#map tbody tr").count() == 150
    page.click("#more-columns")
    assert page.locator("#map thead th").count() == 141
    assert states(page, 1)[:40] == short
    assert {len(states(page, row)) for row in (0, 49, 50, 149)} == {140}
    page.evaluate(
        "['more-rows', 'more-columns'].forEach((id) => {"
        " const button = document.getElementById(id); while (!button.hidden) button.click(); })"
    )
    rows, columns = page.locator("#map tbody tr").count(), page.locator("#map thead th").count() - 1
    assert (rows, columns) == (len(heat_map(large()).rows), len(heat_map(large()).columns))
    assert page.text_content("#shown") == f"{rows} of {rows} rows, {columns} of {columns} columns"
    names = page.evaluate("[...document.querySelectorAll('#map tbody th')].map((one) => one.textContent)")
    assert len(set(names)) == rows


def test_hostile_names_are_text(opened: Callable[..., Any]) -> None:
    page = opened(hostile)
    page.click("#more-rows")
    page.click("#more-columns")
    assert page.locator("#map tbody tr").count() == 65
    assert page.locator("img").count() == 0
    last = page.locator("#map tbody th").last.inner_text()
    assert "<img src=x onerror=alert(1)>\\x1b[31m\\u202e</script>" in last


def test_paper_has_the_whole_map_and_no_buttons(opened: Callable[..., Any]) -> None:
    page = opened(sixty)
    page.emulate_media(media="print")
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert page.locator("details:not([open])").count() == 0
    assert not page.locator(".controls").is_visible()
    assert page.locator(".heat").evaluate("(one) => getComputedStyle(one).overflow") == "visible"
