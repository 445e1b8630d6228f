"""A view as articles of a page: what stands below each of its headings, and what that comes to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.records import NamedTuple
from iptviz.view.blocks import Facts, Heading, Table, Tree
from iptviz.view.changes import Changes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iptviz.view.blocks import Fact, View
    from iptviz.view.changes import ChangeLine
    from iptviz.view.nodes import Node

_RESULTS = {"reach", "verdict", "observed"}


class Article(NamedTuple):
    """A heading with what stands below it: facts that come `first`, a tree, tables, what changed, and facts.

    `summed_up`: the first article of the view tells what all of them come to.
    """

    heading: Heading
    first: tuple[Fact, ...] = ()
    nodes: tuple[Node, ...] = ()
    tables: tuple[Table, ...] = ()
    changes: tuple[ChangeLine, ...] = ()
    facts: tuple[Fact, ...] = ()
    summed_up: bool = False

    @property
    def detail(self) -> str:
        """At which address it is, or in which circumstances."""
        return self.heading.at or self.heading.circumstances

    @property
    def results(self) -> tuple[Fact, ...]:
        """What it comes to, for a summary: who is reached, each case's verdict, what was seen."""
        told = () if self.summed_up else (*self.first, *self.facts)
        facts = (fact for fact in told if fact.kind in _RESULTS)
        return tuple(fact._replace(label=fact.case.condition) if fact.case else fact for fact in facts)

    @property
    def longest(self) -> float:
        """The largest share that a bar of this article shows, in (0, 1]."""
        return max(_lengths(self.nodes), default=1.0) or 1.0


def _lengths(nodes: tuple[Node, ...]) -> Iterator[float]:
    for node in nodes:
        if node.kind in {"endpoint", "wanted"} and node.bar is not None:
            yield node.bar.longer
        yield from _lengths(node.children)


def articles_of(view: View) -> list[Article]:
    """Return the articles of a view in order; the title is the heading of what has none."""
    articles: list[Article] = []
    for block in (*view.lead, *view.blocks):
        if isinstance(block, Heading):
            articles.append(Article(block, summed_up=bool(view.lead and articles)))
        elif isinstance(block, Tree | Table | Changes | Facts):
            last = articles.pop() if articles else Article(Heading(view.title))
            articles.append(_with(last, block))
    return articles


def _with(article: Article, block: Tree | Table | Changes | Facts) -> Article:
    if isinstance(block, Tree):
        return article._replace(nodes=(*article.nodes, *block.nodes))
    if isinstance(block, Table):
        return article._replace(tables=(*article.tables, block))
    if isinstance(block, Changes):
        return article._replace(changes=(*article.changes, *block.lines))
    if article.nodes or article.tables or article.changes:
        return article._replace(facts=(*article.facts, *block.facts))
    return article._replace(first=(*article.first, *block.facts))
