"""What all tests share: a scrubbed environment, pictures, golden files, coverage, and the kernel's conditions."""

from __future__ import annotations

import gc
import itertools
import os
import secrets
import sys
from contextlib import contextmanager, nullcontext
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

import iptviz
from tests.dot import Pictures

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Generator, Iterable, Iterator
    from typing import TypeVar

    Tried = TypeVar("Tried")

ROOT = Path(__file__).parent.parent
FIXTURES = ROOT / "fixtures"
GOLDEN = Path(__file__).parent / "golden"
settings.register_profile("here", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, max_examples=30)
settings.load_profile("ci" if os.environ.get("CI") else "here")

SHARED = ROOT.parent / "shared" / "corpus"


EVERYTHING = bool(os.environ.get("IPTVIZ_EVERY_ERA"))
"""Whether all is tried of which there is very much; a part of it otherwise."""


def part_of(every: Iterable[Tried], step: int, always: Container[Tried] = ()) -> list[Tried]:
    """Return every so manieth of what may be tried, and what is always tried; all of it if that is wanted."""
    tried = list(every)
    return [one for place, one in enumerate(tried) if EVERYTHING or place % step == 0 or one in always]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden", action="store_true", help="write what is printed now into tests/golden"
    )


# Measuring coverage makes Python three times as slow. These go through the same lines thousands of times, or wait for
# a kernel or a browser: they are run unmeasured.
UNMEASURED = (
    "bench/", "browser/", "checks/test_cases_", "checks/test_healthy.py", "checks/test_in_vain.py",
    "checks/test_planted.py", "checks/test_traffic.py", "cluster/", "compare/test_equivalence.py",
    "compare/test_interpreted.py", "compare/test_moves.py", "compare/test_of_rules.py",
    "compare/test_planted.py", "documents/test_trace_v1.py", "engine/test_bounds.py", "engine/test_cases.py",
    "engine/test_chance.py", "engine/test_diagram.py", "engine/test_interpreter", "engine/test_regions.py",
    "engine/test_survey.py", "fleet/test_cache.py", "fleet/test_cluster.py", "fleet/test_running.py",
    "fleet/test_scheduler.py", "fuzz/", "intake/test_decoration", "intake/test_forms.py",
    "intake/test_index.py", "ipset/test_kernel.py", "kernel/", "kube/test_eras.py", "kube/test_families.py",
    "kube/test_naming.py", "kube/test_nft_cut.py", "kube/test_plain_chains.py", "kube/test_refusals.py",
    "kube/test_releases.py", "kube/test_service.py", "kube/test_service_ports.py", "listing/test_listing.py",
    "nft/test_answers.py", "nft/test_hostile.py", "nft/test_kernel.py", "nft/test_services.py",
    "node/test_layouts.py", "paths/test_against_packet.py", "paths/test_alike.py", "paths/test_elsewhere.py",
    "paths/test_growth.py", "paths/test_shared.py", "questions/test_agreement.py", "questions/test_nodes.py",
    "questions/test_unprinted.py", "questions/test_verify_told.py", "redact/test_addresses.py",
    "redact/test_cli.py", "redact/test_dump.py", "redact/test_findings.py", "redact/test_parallel.py",
    "render/test_every_format.py", "render/test_folding.py", "render/test_golden.py", "render/test_hostile.py",
    "render/test_packet.py", "render/test_pictures.py", "render/test_report.py", "render/test_ways.py",
    "rules/test_shapes.py", "source/test_bounds.py", "supplied/test_hostile.py",
    "supplied/test_recent_kernel.py", "view/test_reached.py", "test_architecture.py", "test_ascii.py",
    "test_bounds.py", "test_cli.py", "test_cli_commands.py", "test_cli_lines.py", "test_cli_places.py",
    "test_cli_services.py", "test_cli_sources.py", "test_contributing.py", "test_corpus.py",
    "test_excerpts.py", "test_left_open.py", "test_package.py", "test_program.py", "test_pyz.py",
    "test_readme.py", "test_startup.py",
)  # fmt: skip
SELDOM_MEASURED = (
    "iptables_nft/test_dumps.py", "paths/test_native_shared.py", "questions/test_baseline.py",
    "questions/test_diff_nft.py", "questions/test_pods.py", "questions/test_verify_nft.py",
    "render/test_ci_formats.py", "view/test_first.py", "view/test_nft.py",
    "test_cli_check.py", "test_cli_check_nft.py", "test_cli_check_nft_services.py", "test_progress.py",
)  # fmt: skip
"""Of these every third test is measured: what they go through hardly any others do."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    never, seldom = (tuple(f"tests/{place}" for place in places) for places in (UNMEASURED, SELDOM_MEASURED))
    for number, item in enumerate(items):
        if item.nodeid.startswith(never) or (item.nodeid.startswith(seldom) and number % 3):
            item.add_marker("unmeasured")


@contextmanager
def _without_coverage() -> Iterator[None]:
    """Measure nothing, here and in processes that are started.

    What pytest-cov offers for it does not hold in workers of pytest-xdist, which it measures twice: where it stops
    one measurement, coverage goes on with the other.
    """
    tracer = sys.gettrace()
    sys.settrace(None)
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)
        try:
            yield
        finally:
            sys.settrace(tracer)


@pytest.hookimpl(wrapper=True)
def pytest_collection(session: pytest.Session) -> Generator[None, object, object]:
    """Import all of the program while coverage is measured, which a test need not be the first to do; then collect."""
    if session.config.pluginmanager.hasplugin("_cov"):
        for module in walk_packages(iptviz.__path__, "iptviz."):
            import_module(module.name)
    with _without_coverage():
        collected = yield
    gc.collect()
    gc.freeze()  # tens of thousands of tests, through which Python would look for garbage again and again
    return collected


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    with _without_coverage() if item.get_closest_marker("unmeasured") else nullcontext():
        return (yield)


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Colour, width and paths of whoever runs the tests shall not decide what is printed."""
    for name in ("NO_COLOR", "FORCE_COLOR", "CLICOLOR", "COLUMNS", "GITHUB_ACTIONS", "IPTVIZ_DEBUG"):
        monkeypatch.delenv(name, raising=False)
    for name in ("LC_ALL", "LC_CTYPE", "LANG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.chdir(ROOT)


@pytest.fixture(scope="session", autouse=True)
def _every_picture_drawn_once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    folder = shared_folder(tmp_path_factory) / "pictures"
    folder.mkdir(exist_ok=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("graphviz.pipe", Pictures(folder).pipe)
        yield


def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of this session, the same for all workers: pytest-xdist gives each its own inside it."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if os.environ.get("PYTEST_XDIST_WORKER") else own


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Compare a text with a golden file; with --update-golden, write it."""

    def check(name: str, text: str) -> None:
        path = GOLDEN / name
        if request.config.getoption("--update-golden"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        assert path.exists(), f"{path} is missing: run pytest --update-golden and read what it wrote"
        assert text == path.read_text(encoding="utf-8")

    return check


@pytest.fixture
def known_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make "random" keys one after the other: with one in some hundred, a pseudonym looks like what it hides."""
    numbers = itertools.count()
    monkeypatch.setattr(secrets, "token_bytes", lambda size: bytes([next(numbers)]) * size)


@pytest.fixture(scope="session")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Skip where no kernel can be asked; fail instead where IPTVIZ_REQUIRE_KERNEL is set.

    The old iptables lets one process of the machine work at a time, and others fail at once: each worker of
    pytest-xdist gets a lock of its own, as its namespaces are its own.
    """
    from tests.kernel.lab import why_not

    reason = why_not()
    if reason and os.environ.get("IPTVIZ_REQUIRE_KERNEL"):
        pytest.fail(f"the kernel tests are required here, but: {reason}")
    if reason:
        pytest.skip(reason)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XTABLES_LOCKFILE", str(tmp_path_factory.mktemp("iptables") / "lock"))
        yield
