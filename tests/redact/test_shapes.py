"""A rule whose shape is known becomes the same in pseudonyms as one of which every word is looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import iptviz
from iptviz.dump.model import Dump
from iptviz.redact.names import Names
from iptviz.redact.rules import RuleRedactor
from iptviz.redact.secrets import Secrets
from tests import kubeproxy
from tests.conftest import ROOT

if TYPE_CHECKING:
    from pathlib import Path

FIXTURES = [path for path in sorted((ROOT / "fixtures").rglob("*.rules")) if path.stat().st_size < 200_000]
CANONICAL = sorted((ROOT / "tests/canonical").glob("*.txt"))


def agreeing(dump: Dump) -> int:
    """Write each rule both ways, the quick one twice: the first time no shape is there. How many rules."""
    secrets = Secrets(bytes(32))
    redactor = RuleRedactor(Names(dump, secrets, ports=True), secrets)
    rules = [rule for table in dump.tables.values() for rule in table.rules()]
    for rule in rules:
        thorough = redactor.thoroughly(rule)
        assert redactor.text(rule) == thorough
        assert redactor.text(rule) == thorough
    return len(rules)


def test_both_ways_agree_on_all_rules_of_the_fixtures() -> None:
    assert sum(agreeing(dump) for path in FIXTURES for dump in iptviz.load_all(str(path))[0]) > 1_000


@pytest.mark.parametrize("path", CANONICAL, ids=lambda path: path.name)
def test_both_ways_agree_on_every_option(path: Path) -> None:
    texts = (
        part.strip() for line in path.read_text(encoding="utf-8").splitlines() for part in line.split("=>")
    )
    lines = "".join(f"-A INPUT {text.removeprefix('-A INPUT ')}\n" for text in texts if text)
    assert agreeing(Dump(f"*filter\n{lines}COMMIT\n".encode())) > 10


@pytest.mark.parametrize("era", [kubeproxy.OLD, kubeproxy.NEW], ids=["old", "new"])
def test_both_ways_agree_on_what_kube_proxy_writes(era: str) -> None:
    assert agreeing(Dump(kubeproxy.saved(kubeproxy.numbered(20, 3, era=era)).encode())) > 100


ODD = """*filter
:LOG - [0:0]
-A INPUT -s 010.0.0.1/32 -j LOG
-A INPUT -s 999.1.1.1/32 -j LOG
-A INPUT -s 10.0.0.1/31 -j LOG
-A INPUT -s 10.0.0.1/32 -j NFLOG
COMMIT
*nat
-A OUTPUT -p tcp -j DNAT --to-destination 10.0.0.1:80-90
-A OUTPUT -p tcp -j DNAT --to-destination 10.0.0.1/32:80
-A OUTPUT -p tcp -j DNAT --to-destination 10.0.0.1:
-A OUTPUT -p tcp -j DNAT --to-destination 10.0.0.1-10.0.0.9:80
-A OUTPUT -p tcp -j DNAT --to-destination 10.0.0.1:٣
-A OUTPUT -p tcp -j DNAT --to-destination  --random
COMMIT
"""


def test_both_ways_agree_on_what_only_looks_like_an_address() -> None:
    assert agreeing(Dump(ODD.encode())) == 10
