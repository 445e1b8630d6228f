"""What counters saw against what rules promise: chance, more than chance, too few, or not to be compared."""

from __future__ import annotations

import json
import re
from fractions import Fraction
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

import iptviz
from iptviz.checks.wording import sentences
from iptviz.cli.app import app
from iptviz.kube.observed import survival
from iptviz.render.formats import FORMATS
from iptviz.terminal import Style
from tests.kernel.statistics import survival as other_survival

if TYPE_CHECKING:
    from pathlib import Path

FIXTURE = "fixtures/httpd-nft/dump.rules"
TARGET = "10.97.13.198"
SVC = "KUBE-SVC-EHNHZY2AA2RZYURI"


def counted(*connections: int, entered: int | None = None) -> str:
    """Return the fixture with these counters at the balancing rules, and the sum of them at those that lead there."""
    with open(FIXTURE, encoding="utf-8") as file:  # noqa: PTH123
        text = file.read()
    places = iter(connections)
    lines = []
    for line in text.splitlines(keepends=True):
        if f"-A {SVC} " in line and "-j KUBE-SEP-" in line:
            line = re.sub(r"^\[\d+:\d+\]", f"[{next(places)}:60]", line)  # noqa: PLW2901
        elif line.endswith(f"-j {SVC}\n"):
            whole = sum(connections) if entered is None else entered
            line = re.sub(r"^\[\d+:\d+\]", f"[{whole}:60]", line)  # noqa: PLW2901
        lines.append(line)
    return "".join(lines)


def traced(text: str, since: str | None = None) -> iptviz.TraceResult:
    older = iptviz.load(since.encode()) if since is not None else None
    return iptviz.trace(iptviz.load(text.encode()), TARGET, since=older)


def fact(result: iptviz.TraceResult) -> str:
    tree = str(FORMATS["tree"].writer("trace")(result, Style(), fold=True))
    return next(line for line in tree.splitlines() if line.startswith("Observed"))


@pytest.mark.parametrize(
    ("connections", "verdict", "text"),
    [
        ((250, 250, 250, 250), "chance", "1,000 connections: consistent with the expected shares"),
        ((260, 230, 250, 260), "chance", "p = 0.49, alpha = 0.001"),
        ((400, 200, 200, 200), "more than chance", "deviates significantly from the expected shares (chi-square p = "),
        ((1000, 0, 0, 0), "more than chance", "deviates significantly"),
        ((5, 5, 5, 5), "chance", "20 connections: consistent with the expected shares"),
        ((5, 4, 5, 5), "too few", "19 connections: too few connections for a test (need 20)"),
        ((0, 0, 0, 0), "too few", "0 connections: too few"),
    ],
)  # fmt: skip
def test_the_verdict_is_that_of_the_test(connections: tuple[int, ...], verdict: str, text: str) -> None:
    result = traced(counted(*connections))
    (seen,) = result.observed[0]
    assert [one.connections for one in seen.seen] == list(connections)
    assert [one.expected for one in seen.seen] == [end.share for end in result.services[0].usual.endpoints]
    assert seen.verdict == verdict
    assert text in fact(result)


def test_every_endpoint_shows_what_it_got() -> None:
    tree = str(FORMATS["tree"].writer("trace")(traced(counted(260, 230, 250, 260)), Style(), fold=True))
    assert re.search(r"10\.244\.1\.18:80 .*, seen 230 = 23\.00 %", tree)


def test_counters_of_different_times_are_not_compared() -> None:
    result = traced(counted(250, 250, 250, 250, entered=10))
    (seen,) = result.observed[0]
    assert (seen.verdict, seen.p) == ("unknown", None)
    assert f"cannot compare: {SVC} counted 1,000 but its callers" in fact(result)


def test_the_difference_of_two_dumps_counts() -> None:
    result = traced(counted(1260, 230, 250, 260), counted(1000, 0, 0, 0))
    assert [one.connections for one in result.observed[0][0].seen] == [260, 230, 250, 260]
    assert "1,000 connections: consistent with the expected shares" in fact(result)
    document = json.loads(str(FORMATS["json"].writer("trace")(result, Style(), fold=True)))
    (shown,) = document["services"][0]["observed"]
    assert (shown["connections"], shown["verdict"], shown["test"]) == (1000, "chance", "chi-square")
    assert shown["rules"][1]["observed"] == 0.23
    assert shown["rules"][1]["expected"]["exact"].startswith(
        str(Fraction(result.observed[0][0].seen[1].expected).numerator)
    )


def test_counters_that_went_backwards_are_flagged() -> None:
    result = traced(counted(10, 10, 10, 10), counted(5, 50, 5, 5))
    assert "its counter went backwards, from 50 to 10: zeroed between the two dumps" in fact(result)
    assert result.observed[0][0].p is None


def test_dumps_without_counters_say_so() -> None:
    plain = re.sub(r"^\[\d+:\d+\] ", "", counted(1, 1, 1, 1), flags=re.MULTILINE)
    result = traced(plain, plain)
    assert result.observed == ((),)
    assert (
        sum("has no counters; save it with `iptables-save -c`" in note for note in sentences(result.notes))
        == 2
    )
    assert "observed" not in result.to_dict()["services"][0]
    assert not traced(plain).observed[0]
    assert f"{SVC} is not in the older dump, or without counters" in fact(traced(counted(1, 1, 1, 1), plain))


def test_a_rounded_listing_is_not_compared() -> None:
    listing = """Chain KUBE-SERVICES (2 references)
 pkts bytes target     prot opt in     out     source               destination
 1200K   72M KUBE-SVC-EHNHZY2AA2RZYURI  tcp  --  *      *       0.0.0.0/0            10.97.13.198         /* default/httpd-service cluster IP */ tcp dpt:79

Chain KUBE-SVC-EHNHZY2AA2RZYURI (1 references)
 pkts bytes target     prot opt in     out     source               destination
 600K   36M KUBE-SEP-A  all  --  *      *       0.0.0.0/0            0.0.0.0/0            statistic mode random probability 0.50000000000
 600K   36M KUBE-SEP-B  all  --  *      *       0.0.0.0/0            0.0.0.0/0

Chain KUBE-SEP-A (1 references)
 pkts bytes target     prot opt in     out     source               destination
 600K   36M DNAT       tcp  --  *      *       0.0.0.0/0            0.0.0.0/0            tcp to:10.244.0.1:80

Chain KUBE-SEP-B (1 references)
 pkts bytes target     prot opt in     out     source               destination
 600K   36M DNAT       tcp  --  *      *       0.0.0.0/0            0.0.0.0/0            tcp to:10.244.0.2:80
"""
    assert "cannot compare: the listing rounded its counters" in fact(traced(listing))


@pytest.mark.parametrize("freedom", [1, 2, 3, 10, 49, 50, 199])
@pytest.mark.parametrize("distance", [0.01, 1.0, 3.841, 18.307, 66.339, 250.0])
def test_the_distribution_is_right(distance: float, freedom: int) -> None:
    assert survival(distance, freedom) == pytest.approx(
        other_survival(distance, freedom), rel=1e-9, abs=1e-300
    )


@pytest.mark.parametrize(
    ("distance", "freedom", "p"), [(3.841, 1, 0.05), (5.991, 2, 0.05), (5198.0, 4999, 0.024)]
)
def test_the_distribution_is_that_of_the_books(distance: float, freedom: int, p: float) -> None:
    assert survival(distance, freedom) == pytest.approx(p, rel=0.03)


def run(*arguments: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, arguments)
    return done.exit_code, done.stdout, done.stderr


def test_the_command_takes_an_older_dump(tmp_path: Path) -> None:
    new, old = tmp_path / "new.rules", tmp_path / "old.rules"
    new.write_text(counted(1260, 230, 250, 260))
    old.write_text(counted(1000, 0, 0, 0))
    status, text, _ = run("trace", TARGET, str(new), "--since", str(old))
    assert status == 0
    assert "1,000 connections: consistent with the expected shares" in text
    status, _, said = run("trace", TARGET, str(new), "--since", "missing.rules")
    assert (status, "missing.rules: cannot be read" in said) == (2, True)
