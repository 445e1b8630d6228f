"""The page of a report in a real browser: it opens from a file, is used by hand and by keyboard, and asks for nothing."""

from __future__ import annotations

import io
import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pypdf
import pytest

import iptviz
from iptviz.questions.report import report
from iptviz.render.formats import FORMATS
from iptviz.terminal import Style
from tests.kubeproxy import numbered, saved
from tests.render.test_hostile import every_text
from tests.render.test_report import hostile_dump

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TODAY = "fixtures/policies-today/dump.rules"


class Opened:
    """A page, and all that it did which it must not."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.wrong: list[str] = []
        page.on("console", lambda message: self.wrong.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: self.wrong.append(f"error: {error}"))
        page.on("dialog", lambda dialog: self.wrong.append(f"dialog: {dialog.message}"))
        page.on(
            "request",
            lambda asked: self.wrong.append(asked.url) if not asked.is_navigation_request() else None,
        )

    def rows(self) -> list[str]:
        texts: list[str] = self.page.locator("#list tbody tr").all_text_contents()
        return texts


@pytest.fixture
def opened(browser: Any, tmp_path: Path) -> Iterator[Callable[..., Opened]]:
    pages = []

    def load(dump: iptviz.Dump, *targets: str, place: str = "", **asked: Any) -> Opened:
        """Open a report on targets, or the answer to another question: `packet={...}`, say."""
        file = tmp_path / "report.html"
        question, result = next(
            ((name, getattr(iptviz, name)(dump, **options)) for name, options in asked.items()),
            ("report", report(dump, targets)),
        )
        text = FORMATS["html"].writer(question)(result, Style(), fold=True)
        file.write_text(text, encoding="utf-8", errors="backslashreplace")
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        pages.append(Opened(page))
        page.goto(file.as_uri() + place)
        return pages[-1]

    yield load
    for one in pages:
        assert one.wrong == []
        one.page.close()


def test_it_opens_and_shows_the_shares(opened: Callable[..., Opened]) -> None:
    page = opened(iptviz.load(TODAY), "203.0.113.10").page
    assert page.title() == f"iptviz report: {TODAY}"
    article = page.locator("article").first
    assert "load-balancer IP 203.0.113.10:80/tcp" in article.inner_text()
    shares = article.locator(".tree .share").all_text_contents()
    assert shares == ["100 %", *["33.33 %"] * 6]
    widths = [float(one.get_attribute("width")) for one in article.locator(".bar rect").all()]
    assert widths == [100, *[33.33] * 6]
    assert page.locator("figure svg").count() == 1
    titles = page.locator("figure svg title").all_text_contents()
    assert any("-j DNAT --to-destination 10.244.0.7:8080" in title for title in titles)


def test_what_counters_saw_is_a_bar_below_what_is_expected(opened: Callable[..., Opened]) -> None:
    page = opened(iptviz.load("fixtures/httpd-nft/dump.rules"), "10.97.13.198").page
    row = page.locator("table.endpoints tbody tr").nth(1)
    assert "seen 230 = 23.00 %" in row.inner_text()
    expected, observed = row.locator(".bar rect").all()
    ratio = observed.bounding_box()["width"] / expected.bounding_box()["width"]
    assert ratio == pytest.approx(230 / 250, rel=0.02)
    assert expected.bounding_box()["y"] < observed.bounding_box()["y"]


def test_a_packets_way_is_a_table_whose_chains_are_links(opened: Callable[..., Opened]) -> None:
    asked = {"src": "203.0.113.77", "dst": "203.0.113.10", "protocol": "tcp", "dport": 80, "mark": 0}
    page = opened(iptviz.load(TODAY), packet=asked).page
    assert (
        page.locator("article h3").inner_text().startswith("tcp packet from 203.0.113.77 to 203.0.113.10:80")
    )
    assert page.locator("li.accepted > .share").all_inner_texts() == [*["33.33 %"] * 3, "100 %"] * 2
    page.locator("table.steps a", has_text="KUBE-SVL-").first.click()
    page.locator("#browser h3", has_text="nat KUBE-SVL-").wait_for()


def test_a_jump_graph_is_a_page_with_its_picture(opened: Callable[..., Opened]) -> None:
    page = opened(iptviz.load(TODAY), graph={"focus": "default/shop"}).page
    assert "nat KUBE-NODEPORTS" in page.locator("#asked .tree").first.inner_text()
    assert page.locator("#asked figure svg").count() == 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"packet": {"dst": "203.0.113.10", "protocol": "tcp", "dport": 80, "mark": 0}},
        {"graph": {}},
    ],
    ids=["report", "packet", "graph"],
)
def test_axe_finds_nothing(
    opened: Callable[..., Opened], axe_script: str, asked: dict[str, Any], scheme: str
) -> None:
    page = opened(iptviz.load(TODAY), "shop", place="#chain=nat/KUBE-SERVICES", **asked).page
    page.emulate_media(color_scheme=scheme)
    page.evaluate(Path(axe_script).read_text(encoding="utf-8"))
    found = page.evaluate("axe.run()")
    assert [(one["id"], [node["target"] for node in one["nodes"]]) for one in found["violations"]] == []
    assert len(found["passes"]) > 30


def test_services_are_searched_and_sorted(opened: Callable[..., Opened]) -> None:
    one = opened(iptviz.load(TODAY))
    assert len(one.rows()) == 7
    one.page.fill("#search", "shop 80")
    assert [row.partition("yes")[0] for row in one.rows()] == ["default/shop:http"]
    assert one.page.text_content("#found") == "1 of 7"
    one.page.fill("#search", "no such thing")
    assert one.rows() == []
    one.page.fill("#search", "")
    heading = one.page.locator("#list th").first
    heading.locator("button").press("Enter")
    assert heading.get_attribute("aria-sort") == "ascending"
    names = one.rows()
    heading.locator("button").press("Enter")
    assert heading.get_attribute("aria-sort") == "descending"
    assert one.rows() == names[::-1]


def test_a_jump_is_followed_down_to_an_endpoint_and_back(opened: Callable[..., Opened]) -> None:
    page = opened(iptviz.load(TODAY), place="#chain=nat/KUBE-SERVICES").page
    browser = page.locator("#browser")
    assert browser.locator("h3").inner_text() == "nat KUBE-SERVICES"
    browser.locator("ol a", has_text="KUBE-SVC-BILYYKAKWI7RYELB").first.click()
    page.locator("#browser h3", has_text="nat KUBE-SVC-BILYYKAKWI7RYELB").wait_for()
    assert [text.strip() for text in browser.locator("ol b").all_text_contents()] == ["33.33 %"] * 3
    assert "KUBE-EXT-BILYYKAKWI7RYELB" in browser.locator("p").nth(1).inner_text()
    browser.locator("ol a", has_text="KUBE-SEP-").first.click()
    page.locator("#browser h3", has_text="nat KUBE-SEP-").wait_for()
    assert "--to-destination 10.244.0.7:8080" in browser.inner_text()
    page.go_back()
    page.locator("#browser h3", has_text="nat KUBE-SVC-BILYYKAKWI7RYELB").wait_for()
    page.fill("#chain", "filter KUBE-FORWARD")
    page.locator("#chain").press("Enter")
    page.locator("#chain").blur()
    page.locator("#browser h3", has_text="filter KUBE-FORWARD").wait_for()


def test_chains_of_nft_are_followed_through_their_maps(opened: Callable[..., Opened]) -> None:
    node = iptviz.load_node("fixtures/nftables/every-1.30.nft")
    page = opened(node, place="#chain=ip%20kube-proxy/nat-prerouting").page
    for link in ("services", "@service-ips", "service-HJZZPLOW-shop/sticky/udp/http"):
        page.locator("#browser li a", has_text=link).first.click()
        assert page.locator("#browser h3").text_content() == f"ip kube-proxy {link}"
    ends = page.locator("#browser li").last.locator("a")
    assert ends.count() == 3
    ends.nth(2).click()
    assert "dnat to 10.244.2.11:8080" in page.locator("#browser").text_content()


def test_a_chain_that_is_not_there_is_said(opened: Callable[..., Opened]) -> None:
    page = opened(iptviz.load(TODAY), place="#chain=nat/__proto__").page
    assert page.locator("#browser").inner_text() == "The page does not hold a chain nat __proto__."


def test_hundreds_of_services_are_listed_bit_by_bit(opened: Callable[..., Opened]) -> None:
    one = opened(iptviz.load(saved(numbered(500, 1)).encode()))
    assert len(one.rows()) == 200
    one.page.click("#more")
    assert len(one.rows()) == 400
    one.page.fill("#search", "service-499")
    assert len(one.rows()) == 1


_HIDDEN = """() => [...document.querySelectorAll('.wide, main')]
    .filter((one) => one.scrollWidth > one.clientWidth + 1).map((one) => one.textContent.slice(0, 80))"""
PACKET = {"dst": "203.0.113.20", "protocol": "tcp", "dport": 80}


@pytest.mark.parametrize("asked", [{}, {"packet": PACKET}, {"check": {}}, {"services": {}}])
def test_nothing_sticks_out_of_the_page_or_is_hidden_behind_its_edge(
    opened: Callable[..., Opened], asked: dict[str, Any]
) -> None:
    page = opened(iptviz.load(TODAY), *([] if asked else ["shop"]), **asked).page
    for width in (360, 390, 1280):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate(_HIDDEN) == []
        row = page.locator("#list tbody tr", has_text="default/away:http")
        for label, said in (
            ("Reached", "load-balancer IP, node port not by outside"),
            ("Remarks", "DROP by filter KUBE-EXTERNAL-SERVICES rule 1, line 22"),
        ):
            cell = row.locator(f'[data-label="{label}"]')
            box = cell.bounding_box()
            assert said in cell.inner_text()
            assert box["width"] > 100
            assert 0 <= box["x"] < box["x"] + box["width"] <= width


def test_a_long_list_of_addresses_hides_no_remarks(opened: Callable[..., Opened]) -> None:
    dropping = (
        Path("fixtures/httpd-dual-stack/dump6.rules")
        .read_bytes()
        .replace(b":FORWARD ACCEPT", b":FORWARD DROP")
    )
    page = opened(iptviz.load(dropping)).page
    box = page.locator('#list td[data-label="Remarks"]').first.bounding_box()
    assert box["x"] + box["width"] <= 1280


def test_it_is_dark_where_that_is_wished(opened: Callable[..., Opened]) -> None:
    page = opened(iptviz.load(TODAY), "shop").page
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        text, back = (
            page.evaluate(f"getComputedStyle(document.body).{name}") for name in ("color", "backgroundColor")
        )
        assert text != back


def printed(page: Any) -> str:
    """Return what is on paper, without blanks: those that are read back depend on how letters are set.

    Without what Chromium writes at a page's beginning either: the heads of tables that the page before ended.
    """
    pages = pypdf.PdfReader(io.BytesIO(page.pdf())).pages
    text = "".join(one.extract_text() for one in pages)
    return "".join(unicodedata.normalize("NFKC", text).split()).replace("ShareEndpointHowChainLines", "")


def test_it_prints_with_every_rule(opened: Callable[..., Opened]) -> None:
    page = opened(iptviz.load(TODAY), "203.0.113.10").page
    rules = page.locator("details pre").first.text_content().splitlines()
    # Bad findings are open from the beginning, and stay so.
    folded = "details:not(.finding.bad)[open]"
    assert page.locator(folded).count() == 0
    paper = printed(page)
    assert len(rules) > 8
    assert [rule for rule in rules if "".join(rule.split()) not in paper] == []
    assert "33.33%" in paper
    page.locator(folded).first.wait_for(state="detached")
    assert page.locator("details.finding.bad[open]").count() > 0
    page.emulate_media(media="print")
    assert page.locator("nav").is_hidden()


def test_paper_is_light_whatever_the_screen_is(opened: Callable[..., Opened]) -> None:
    page = opened(iptviz.load(TODAY), "shop").page
    colour = "getComputedStyle(document.body).backgroundColor"
    picture = "getComputedStyle(document.querySelector('.graph > polygon')).fill"
    page.emulate_media(color_scheme="dark")
    assert {page.evaluate(colour), page.evaluate(picture)} == {"rgb(15, 23, 42)"}
    page.emulate_media(color_scheme="dark", media="print")
    assert {page.evaluate(colour), page.evaluate(picture)} == {"rgb(255, 255, 255)"}


def test_paper_says_which_services_it_leaves_out(opened: Callable[..., Opened]) -> None:
    page = opened(iptviz.load(saved(numbered(300, 1)).encode())).page
    assert page.locator("#unprinted").is_hidden()
    assert "and100more,whichthepageitselflists" in printed(page)


def test_the_summary_says_what_was_found_and_leads_there(opened: Callable[..., Opened]) -> None:
    page = opened(iptviz.load(TODAY), "default/away", "10.97.20.1").page
    rows = page.locator("table.results tbody tr")
    assert rows.count() == 2
    (bad,) = rows.nth(0).locator(".result.bad").all_text_contents()
    where = "load-balancer IP, node port from outside"
    assert bad.startswith(f"NOT REACHED: {where}: DROP by filter KUBE-EXTERNAL-SERVICES rule 1 (line 22: ")
    assert (
        rows.nth(1).locator(".result").inner_text()
        == "reached: outside, pod, node: 3 endpoints, 33.33 % each"
    )
    rows.nth(1).locator("a").click()
    assert "10.97.20.1:80/tcp" in page.locator(":target h3").inner_text()


@every_text
def test_hostile_text_is_text(opened: Callable[..., Opened], text: str) -> None:
    dump, shown = hostile_dump(text)
    page = opened(dump, "10.0.0.1", "10.0.0.2").page
    assert shown[:200] in page.locator("#asked").inner_text().replace("\u00a0", " ")
    allowed = "script:not([src]):not([onload])"
    assert page.locator("script").count() == page.locator(allowed).count() == 2
    assert page.locator("img, iframe, object, embed, link, main h1").count() == 0
    page.fill("#chain", f"nat {shown}"[:5_000])
    assert page.locator("#list tbody tr").count() >= 1
