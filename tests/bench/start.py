"""How fast iptviz starts: processor time of whole processes, in bare interpreters, which run in turn with it.

`python -m tests.bench.start [ROUNDS]`. What typer takes to be imported is told beside: it reads what is typed in no plain
way. dist/iptviz.pyz is measured where it was built. PYTHONDONTWRITEBYTECODE makes each start compile what has changed.
"""

from __future__ import annotations

import statistics
import sys

from tests.bench.trace import BARE, FIXTURE, run
from tests.conftest import ROOT

PYZ = ROOT / "dist/iptviz.pyz"
QUESTIONS = {
    "--version": ["--version"],
    "--help": ["--help"],
    "trace on the fixture": ["trace", "10.97.13.198", str(FIXTURE)],
    "trace --brief on the fixture": ["trace", "--brief", "10.97.13.198", str(FIXTURE)],
    "trace --json on the fixture": ["trace", "--json", "10.97.13.198", str(FIXTURE)],
    "services on the fixture": ["services", str(FIXTURE)],
    "check on the fixture": ["check", str(FIXTURE)],
    "packet on the fixture": ["packet", "--dst", "10.97.13.198", str(FIXTURE)],
}


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    commands = {"a bare interpreter": BARE, "import typer": [sys.executable, "-c", "import typer"]}
    for name, words in QUESTIONS.items():
        commands[name] = [sys.executable, "-m", "iptviz", *words]
        if PYZ.exists():
            commands[f"{name}, {PYZ.name}"] = [sys.executable, str(PYZ), *words]
    for command in commands.values():
        run(command)  # what is to be compiled is compiled now
    times: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            done = run(command)
            assert done
            times[name].append(done.cpu)
    bare = statistics.median(times["a bare interpreter"])
    for name, spent in times.items():
        middle = statistics.median(spent)
        print(f"{name:46} {middle * 1000:7.1f} ms {middle / bare:6.1f}")


if __name__ == "__main__":
    main()
