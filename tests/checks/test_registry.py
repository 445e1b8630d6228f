"""Every finding and every remark has its words, and somebody who makes it."""

from __future__ import annotations

import ast
import inspect
import pickle
import string
from collections import Counter
from fractions import Fraction
from typing import TYPE_CHECKING

import pytest

import iptviz
from iptviz.checks import wording
from iptviz.checks.against_api import DIAGNOSES, Differing
from iptviz.checks.between_nodes import Otherwise
from iptviz.checks.finding import CERTAIN, SEVERITIES, Finding, Withheld
from iptviz.checks.host_ports import HostPort
from iptviz.checks.lost_sources import Rewritten
from iptviz.checks.reading import LINES
from iptviz.checks.registry import CATALOGUES, catalogue, diagnosis_of, sentence_of
from iptviz.checks.services import Places
from iptviz.checks.traffic import Stopped
from iptviz.checks.unreached import Unreached
from iptviz.checks.wording import sentence
from iptviz.engine.assume import read_assumption
from iptviz.intake.remark import LineNote, Remark, remark
from iptviz.kube.balance import balance_of
from iptviz.kube.dispatching import all_frontends
from iptviz.kube.era import era_of
from iptviz.kube.limits import AddressLimit
from iptviz.kube.names import NAMELESS
from iptviz.paths.model import Decider
from iptviz.supplied.ipvs import RealServer, VirtualServer
from tests.conftest import ROOT

if TYPE_CHECKING:
    from collections.abc import Hashable
    from pathlib import Path

HELD = {name: catalogue(name) for name in CATALOGUES}
DIAGNOSED = {what: made for held in HELD.values() for what, made in held.diagnoses.items()}
REMARKS = {what: made for held in HELD.values() for what, made in held.remarks.items()} | wording.REMARKS
BRACES = ("{", "}")

FRONTENDS = tuple(all_frontends(iptviz.load("fixtures/httpd-service/dump.rules")))
OUTSIDE = read_assumption("not source in 10.244.0.0/16")
DIFFERING = Differing(NAMELESS, "default/web:http", "tcp", "10.96.0.1:80", "10.244.0.1:80", "10.244.0.2:80")
OTHERWISE = Otherwise("default/web:http/tcp", "cluster IP 10.96.0.1:80", ("10.244.1.9:80",), ("node-7",), 60)
(CUE, *_) = era_of(iptviz.load("fixtures/policies-old/dump.rules")).evidence
LIMIT = AddressLimit(only=True, networks=("192.0.2.10",), rules=(FRONTENDS[0].rule,))
NOTES = (LineNote(3, 3, "joined", skipped=False), LineNote(7, 9, "no-part", skipped=True))
HOST_PORT = HostPort(7, "10.244.0.1:80", "cbr0 770c07dfd094")
PLACES = Places(("10.96.0.1:80/tcp", ":30080/tcp"), "REJECT", Fraction(1, 4), Fraction(1, 3))
REWRITTEN = Rewritten("nat POSTROUTING rule 2", ("pod", "outside"), "", ("shop/web:http",))
STOPPED = Stopped(
    "policy DROP of FORWARD", "DROP", ((("pod", "node"), ""),), ("shop/web:http",), 4, 1, 2, ("shop/web",)
)
UNREACHED = Unreached(
    ((("pod",), "source in 10.244.1.0/24"), (("node",), "")),
    ("10.96.0.1:80/tcp",),
    ("shop/web:http",),
    False,
    "not DNATed",
    "ACCEPT",
    "",
    "",
)

VALUES: dict[str, Hashable] = {
    "owner": "cluster IP", "groups": ((("pods",), "source in 10.0.0.0/8"),), "answers": False,
    "kind": "chain", "sources": ("b.nft",), "command": "nft list table ip kube-proxy",
    "destination": "239.1.2.3", "joined": True, "off": False,
    "scheduler": "sh", "served": True, "forward": "tunnel",
    "only": "tcp", "suffering": 3, "wide": (72, 74),
    "address": "10.96.0.1", "asked": 7, "assumption": OUTSIDE, "at": 7, "fault": "no-dnat", "share": Fraction(1, 4), "balance": balance_of([Fraction(1, 3), Fraction(2, 3)]),
    "before": 9000, "one": CUE, "other": CUE, "releases": CUE.releases, "chain": "KUBE-SVC-A", "chains": ("A", "B"), "complete": True, "count": 3, "destinations": ("10.244.0.1:80",), "empty": True,
    "differing": DIFFERING, "entered": 3, "family": 6, "first": 4, "first_line": 4, "frontend": "10.96.0.1:80/tcp",
    "frontends": FRONTENDS, "gaps": (remark("no-commit", 1, table="nat"),), "hook": "OUTPUT", "hooks": ("INPUT", "OUTPUT"), "lines": (7, 9), "last": 9, "left": 1000, "lost_at": 7, "mode": "ipvs",
    "name": "default/web:http", "names": ("default/web", "default/wob"), "backends": ("nf_tables", "legacy"), "number": 2, "what": "ip6tables-save v1.8.9", "node": "node-1", "notes": NOTES, "total": 90, "now": 12, "of": "default/web",
    "option": "--foo", "options": ("--src", "--dst"), "places": PLACES, "port": 30080, "problem": "unterminated quote",
    "reason": "it ends too early", "limit": LIMIT, "instead": "ESTABLISHED", "services": ("default/web:http",), "objects": "Service", "source": "b.txt", "state": "RELATED",
    "table": "nat", "there": "dump", "tables": ("filter", "raw"), "target": "DNAT", "typed": "10.9.9.9", "version": 4, "when": (OUTSIDE,),
    "questions": "the source", "whole": True, "writer": "userspace",
    "lost": ("PREROUTING", "OUTPUT"), "program": "firewalld", "of_family": "ipv6", "sign": "chain INPUT_ZONES in filter, line 7",
    "alike": 3,
    "networks": ("198.51.100.0/24",), "texts": ("10.96.0.1:80/tcp", ":30080/tcp"), "seconds": (600, 10800), "full": ("KUBE-SEP-A",),
    "ends": ("10.244.0.1:80",), "outside": 4, "how": "in vain", "pods": ("10.244.0.0/16", "10.42.0.0/16"),
    "addresses": ("10.244.1.5",), "rewritten": REWRITTEN, "stopped": STOPPED,
    "taken": ("10.96.0.1:80/tcp (default/web:http)",), "to": HOST_PORT, "ports": (":80/tcp", ":443/tcp"), "winner": HOST_PORT, "loser": HOST_PORT,
    "ways": ("all tcp to 127.0.0.11:39405",), "known": True, "each": False, "others": (7, 9), "setting": "net.ipv4.ip_forward",
    "bridge": "cni0", "endpoint": "10.244.0.1:80", "by": ("100: from all fwmark 0x4000 lookup 100",), "packets": 12,
    "cleaned": True, "ending": 3, "undeclared": ("nat",), "parts": ("filter",), "unnamed": ("nat",), "missing": ("filter",),
    "above": 7, "reply": True,
    "withheld": (Withheld("dnat-unreadable", "critical", 1),),
    "drops": True, "tool": "iptables-save v1.8.4", "reached": True, "allowed": "table mangle", "wanted": "-i eth0", "most": 12,
    "whose": "exposed", "of_outside": True,
    "acts": True, "side": "new", "other_side": "old",
    "rule": "mangle PREROUTING rule 1", "mark": "0x8000", "dropped": "KUBE-FIREWALL (line 35)",
    "unreached": UNREACHED, "elsewhere": True,
    "policy": "DROP", "partly": True, "of_services": "none", "text": "-A KUBE-SVC-A -j DROP", "callers": ("FORWARD",),
    "protocol": "TCP", "clients": ("outside", "pod"), "outcome": "DROP", "pod": "default/web-7d4b9c-x2x", "on_host": True,
    "decider": Decider("filter", "FORWARD", 3, 7, "-A FORWARD -j DROP"),
    "server": VirtualServer("tcp", "10.96.0.1:80", "rr", 10800, (RealServer("10.244.0.1:80", 1),), 7), "place": "node.txt:7",
    "because": remark("mode-ipvs"), "old_era": remark("mode-none"), "new_era": remark("mode-ipvs"), "old": "legacy", "new": "nf_tables",
    "open_at": "map service-ips", "legacy": False, "order": "untold",
    "sides": ("old",), "fact": "interfaces", "kinds": ("routes", "sysctls"), "namespace": "shop", "backend": "legacy", "why": "cut",
    "otherwise": OTHERWISE, "nodes": ("node-7", "node-9"), "folder": "dumps",
}  # fmt: skip
"""A value of the right kind for every name that a sentence is made from."""


def names_of(what: str) -> list[str]:
    """The names of the values that the sentence of `what` is made from."""
    made = REMARKS.get(what) or DIAGNOSED[what].words
    if isinstance(made, str):
        return [name.partition(".")[0] for _, name, _, _ in string.Formatter().parse(made) if name]
    return list(inspect.signature(made).parameters)


def sample(what: str, line: int = 0) -> Finding | Remark:
    values = tuple((name, VALUES[name]) for name in dict.fromkeys(names_of(what)))
    if what in REMARKS:
        return Remark(line, what, values)
    return Finding(what, "high", CERTAIN, (), None, values, line=line)


@pytest.mark.parametrize("what", [*DIAGNOSED, *REMARKS])
def test_everything_has_a_sentence(what: str) -> None:
    words = sentence(sample(what))
    assert len(words) > 10
    assert not any(brace in words for brace in BRACES)
    assert words == words.strip()
    assert sentence(sample(what, 7)) == f"line 7: {words}"
    hash(sample(what))


@pytest.mark.parametrize("what", DIAGNOSED)
def test_every_finding_can_be_sent_to_another_process(what: str) -> None:
    """A fleet is read by several: what holds a rule, and with it a dump, never comes back."""
    finding = sample(what)
    assert pickle.loads(pickle.dumps(finding)) == finding


@pytest.mark.parametrize("what", DIAGNOSED)
def test_every_finding_is_documented(what: str) -> None:
    made = diagnosis_of(what)
    assert set(made.severities) <= set(SEVERITIES)
    for text, least in ((made.title, 30), (made.means, 30), (made.matters, 40), (made.advice, 40)):
        assert len(text) >= least
        assert text.endswith((".", "?"))
        assert "  " not in text
        assert not any(brace in text for brace in BRACES)


def test_ids_are_unique() -> None:
    ids = Counter([*wording.REMARKS, *(what for held in HELD.values() for rows in held[:2] for what in rows)])
    assert [what for what, count in ids.items() if count > 1] == []
    with pytest.raises(KeyError):
        sentence_of("no-such-thing")
    with pytest.raises(KeyError):
        diagnosis_of("no-commit")


def test_every_catalogue_is_in_the_list_and_has_something_to_say() -> None:
    shared = {
        "__init__", "causes", "chain_told", "examined", "finding", "named_pods", "registry", "told", "wording",
    }  # fmt: skip
    assert {path.stem for path in (ROOT / "iptviz/checks").glob("*.py")} - shared == set(CATALOGUES)
    assert all(held.diagnoses or held.remarks for held in HELD.values())


def test_a_catalogue_stands_alone() -> None:
    for name in CATALOGUES:
        tree = ast.parse((ROOT / f"iptviz/checks/{name}.py").read_text(encoding="utf-8"))
        modules = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        assert modules.isdisjoint({"iptviz.checks", *(f"iptviz.checks.{other}" for other in CATALOGUES)}), (
            name
        )


def made_in(path: Path) -> set[str]:
    """The texts of a module that are no keys of a table: among them the ids that it makes."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    keys = {id(key) for node in ast.walk(tree) if isinstance(node, ast.Dict) for key in node.keys}
    return {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in keys
    }


def values_made(path: Path) -> dict[str, list[set[str]]]:
    """The ids that a module makes by name, and the names of the values that it gives to each."""
    made: dict[str, list[set[str]]] = {}
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id in {"found", "remark"}
        ):
            finding = node.func.id == "found"
            first = node.args[0]
            own = {"line", "state", "complete", "service"} if finding else set()
            given = {keyword.arg for keyword in node.keywords if keyword.arg} - own
            if finding and isinstance(first, ast.Name) and (what := first.id.replace("_", "-")) in DIAGNOSED:
                made.setdefault(what, []).append(given)
            elif isinstance(first, ast.Constant):
                made.setdefault(str(first.value), []).append(given)
    return made


@pytest.mark.unmeasured
def test_who_makes_something_gives_the_values_that_its_sentence_takes() -> None:
    given = [item for path in (ROOT / "iptviz").rglob("*.py") for item in values_made(path).items()]
    assert len(given) > 50
    for what, calls in given:
        needed = set(names_of(what))
        more_is_well = what in wording.REMARKS or isinstance(sentence_of(what), str)
        assert all(needed <= names if more_is_well else needed == names for names in calls), what


def named_in(path: Path) -> set[str]:
    """The names that a module uses, as ids: among them the diagnoses that it makes."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.id.replace("_", "-") for node in ast.walk(tree) if isinstance(node, ast.Name)}


@pytest.mark.unmeasured
def test_no_diagnosis_is_made_nowhere() -> None:
    named = {name for path in (ROOT / "iptviz").rglob("*.py") for name in named_in(path)}
    assert [what for what in DIAGNOSED if what not in named] == []


@pytest.mark.unmeasured
def test_nothing_in_a_table_is_made_nowhere() -> None:
    made = {text for path in (ROOT / "iptviz").rglob("*.py") for text in made_in(path)}
    assert [what for what in (*REMARKS, *LINES) if what not in made] == []


def test_every_difference_is_a_finding() -> None:
    assert {what.id for what in DIAGNOSES.values()} <= set(DIAGNOSED)
    kinds = made_in(ROOT / "iptviz/questions/api_differences.py")
    assert set(DIAGNOSES) <= kinds
