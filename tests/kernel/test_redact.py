"""What redact prints is a dump that a kernel takes, and connections share in it as in the original."""

from __future__ import annotations

import pytest

import iptviz
from iptviz.redact.dump import Redactor
from iptviz.redact.secrets import Secrets
from tests.kernel.lab import BACKENDS, node, tables_of
from tests.kernel.save_fixtures import FIXTURES
from tests.kernel.statistics import LEVEL, chi_square_p

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("kernel")]


@pytest.mark.parametrize(
    "name", ["policies-today/dump.rules", "policies-old/dump.rules", "httpd-dual-stack/dump6.rules"]
)
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_redacted_dump_loads_and_comes_back_the_same(name: str, backend: str) -> None:
    text = Redactor(iptviz.load(FIXTURES / name), Secrets(b"k" * 32)).text()
    with node(backend, 6 if "dump6" in name else 4) as lab:
        lab.load(text)
        saved = lab.save()
    assert {table: sorted(lines) for table, lines in tables_of(saved).items()} == {
        table: sorted(lines) for table, lines in tables_of(text).items()
    }


def test_connections_share_in_it_as_in_the_original() -> None:
    original = iptviz.load(FIXTURES / "httpd-today/dump.rules")
    redactor = Redactor(original, Secrets(b"k" * 32))
    (one,) = iptviz.trace(original, "10.97.13.198:79").services
    address, _, port = redactor.target("10.97.13.198:79").partition(":")
    with node("legacy") as lab:
        lab.load(redactor.text())
        lab.connect((address, int(port)), 5_000, source="198.51.100.7")
        (other,) = iptviz.trace(iptviz.load(lab.save("-c").encode()), f"{address}:{port}").services
    observed = [end.counters.packets if end.counters else 0 for end in other.usual.endpoints]
    assert sum(observed) == 5_000
    assert chi_square_p(observed, [end.share for end in one.usual.endpoints]) > LEVEL
