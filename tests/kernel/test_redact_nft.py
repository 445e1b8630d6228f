"""What redact makes of a rule set of nft loads where the original does, and is listed as the original is."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import uuid
from pathlib import Path
from random import Random

import pytest

from iptviz.redact.pseudonyms import Pseudonyms
from iptviz.redact.secrets import Secrets
from tests.nft.random_rules import Maker
from tests.nft.told import LISTINGS, ruleset_of, told

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.usefixtures("kernel"),
    pytest.mark.skipif(shutil.which("nft") is None, reason="needs nft"),
]

FIRST = int(os.environ.get("IPTVIZ_FIRST_SEED", "0"))
COUNT = int(os.environ.get("IPTVIZ_RULE_SETS", "12"))
PLANTED = Path(__file__).parents[1] / "redact/planted/all.nft"
OTHER_RELEASES = ("trixie", "sid", "zoo.listing")
FILES = [
    *(path for path in sorted(LISTINGS.glob("*.listing")) if not any(name in path.name for name in OTHER_RELEASES)),
    LISTINGS / "zoo.nft", PLANTED,
]  # fmt: skip
"""Those that nft 1.0.6 takes: it lists some of the zoo as it takes nothing."""

_DEVICE = re.compile(r'device "([^"]+)"')


class NotTakenError(Exception):
    """The kernel refuses a rule set."""


def listed(text: str) -> str:
    """Load a rule set into a namespace of its own, with the interfaces that it needs, and list it."""
    name = f"iptviz-{uuid.uuid4().hex[:8]}"
    inside = ["ip", "netns", "exec", name]
    subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        for number, device in enumerate(sorted(set(_DEVICE.findall(text)) - {"lo"})):
            subprocess.run(
                [*inside, "ip", "link", "add", device, "type", "veth", "peer", "name", f"other{number}"],
                check=True,
            )
        done = subprocess.run(
            [*inside, "nft", "-f", "-"], input=text, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise NotTakenError(done.stderr)
        command = [*inside, "nft", "list", "ruleset"]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout
    finally:
        subprocess.run(["ip", "netns", "del", name], check=True)


def check(text: str, *, ports: bool = False) -> None:
    """A rule set in pseudonyms loads, and its listing is that of the original in pseudonyms."""
    pseudonyms = Pseudonyms(None, Secrets(b"k" * 32), ports=ports, listings=[text])
    of_original = pseudonyms.listing(listed(text))
    try:
        of_hidden = listed(pseudonyms.listing(text))
    except NotTakenError as error:
        pytest.fail(f"the original is taken: {error}")
    assert said(of_original) == said(of_hidden)


def said(text: str) -> dict[str, object]:
    return told(ruleset_of(text))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_rule_sets_in_pseudonyms_are_listed_as_the_originals(path: Path) -> None:
    check(path.read_text())


@pytest.mark.parametrize("name", ["every-1.30.listing", "every-1.37.listing", "ipv6-1.34.listing"])
def test_so_are_those_whose_ports_have_pseudonyms(name: str) -> None:
    check((LISTINGS / name).read_text(), ports=True)


@pytest.mark.parametrize("seed", range(FIRST, FIRST + COUNT))
def test_random_rule_sets_are(seed: int) -> None:
    random = Random(seed)
    for _ in range(20):
        text = Maker(random, 4 if seed % 2 else 6).table("inet", "secret")
        text = text.replace("auto-merge", "")  # networks that have become neighbours would be one
        with contextlib.suppress(NotTakenError):
            check(text)
            return
    raise AssertionError("the kernel takes none")
