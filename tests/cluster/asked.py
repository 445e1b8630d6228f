"""Asking kubectl, and the program about what it printed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.cluster.world import NODE, world
from tests.program import Ended, run

if TYPE_CHECKING:
    from pathlib import Path

    from tests.apiserver import Kubectl

WORLD = world()
PORTS = len(WORLD.written) + len(WORLD.written6)
SLICES, BOTH = "endpointslices", "services,endpointslices"


def kept(folder: Path, **texts: str | bytes) -> list[str]:
    """Write texts into files; their names."""
    for name, text in texts.items():
        (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return [str(folder / name) for name in texts]


def verify(
    folder: Path, dump: str, *texts: str | bytes, options: tuple[str, ...] = ("--node", NODE)
) -> Ended:
    """Ask the program about files: the dump, and what kubectl printed."""
    files = kept(folder, dump=dump, **{f"api-{number}": text for number, text in enumerate(texts)})
    return run("verify", *files, *options, "--json")


def agrees(told: Ended, ports: int = PORTS) -> None:
    """Hold an answer to be that all service ports were compared, and none differs."""
    assert (told.returncode, told.stderr) == (0, ""), told.stdout + told.stderr
    document = json.loads(told.stdout)
    assert (document["agrees"], document["compared"], document["differences"]) == (True, ports, [])


def printed(kubectl: Kubectl, what: str = BOTH, form: str = "json", *more: str) -> str:
    """What a kubectl prints of all namespaces; it must not fail."""
    done = kubectl("get", what, "-A", "-o", form, *more)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout
