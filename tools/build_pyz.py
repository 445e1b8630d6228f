"""`python3 tools/build_pyz.py`: iptviz in one file, for machines that have Python and nothing else.

The same commit gives the same bytes with the same Python: wheels are pinned by their hashes, names are sorted,
times are those of the commit, and bytecode says nothing of when or where it was made. The file has the bytecode
of the Python that builds it, and of each --python; any other compiles the sources, which takes longer.
"""

from __future__ import annotations

import argparse
import ast
import io
import os
import shutil
import subprocess
import sys
import time
import zipfile
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

ROOT = Path(__file__).resolve().parent.parent
_OLDEST = 315532800
"""1980-01-01, before which an archive has no time."""

_UNIX = 3
"""The system whose permissions an entry has."""

_SHEBANG = b"#!/usr/bin/env python3\n"
_PLATFORM = ("--platform", "manylinux2014_x86_64", "--implementation", "cp", "--python-version", "3.11")
_UNUSED = {
    "*/tests/*", "typer/cli.py", "typer/testing.py", "typer/_click/_winconsole.py",
    "typer/_click/_termui_impl.py", "shellingham/nt.py", "rich/__main__.py",
    "rich/_inspect.py", "rich/_win*", "rich/layout.py", "rich/logging.py", "rich/markdown.py", "rich/prompt.py",
    "rich/syntax.py", "rich/traceback.py", "rich/tree.py", "jinja2/sandbox.py", "jinja2/nativetypes.py",
    "jinja2/meta.py", "jinja2/ext.py", "rich/_unicode_data/unicode?-*", "rich/_unicode_data/unicode1[0-6]-*",
}  # fmt: skip
"""What of the libraries no command imports: it is for other systems and other purposes, or for their tests."""

_SHORTENED = {
    "rich/_emoji_codes.py": b"EMOJI = {}\n",
    "rich/_spinners.py": b'SPINNERS = {"dots": {"interval": 80, "frames": "|/-\\\\"}}\n',
    # No value is printed but as text.
    "rich/pretty.py": b"def is_expandable(obj): return False\n",
    # Templates are filled by the process that reads them.
    "jinja2/bccache.py": b"class BytecodeCache: pass\nclass FileSystemBytecodeCache(BytecodeCache): pass\n"
    b"class MemcachedBytecodeCache(BytecodeCache): pass\n",
    # YAML is read, never written.
    "yaml/emitter.py": b"class EmitterError(Exception): pass\nclass Emitter: pass\n",
    "yaml/representer.py": b"class RepresenterError(Exception): pass\nclass BaseRepresenter: pass\n"
    b"class SafeRepresenter(BaseRepresenter): pass\nclass Representer(SafeRepresenter): pass\n",
    "rich/_unicode_data/_versions.py": b'VERSIONS = ("17.0.0",)\n',
}
"""What of them is imported and hardly asked: names of pictures, what turns beside a bar, older Unicode."""

_LICENCES = ("LICENSE", "LICENCE", "COPYING", "NOTICE")

_TOLD = ("iptviz/cli/", "iptviz/checks/")
"""Whose docstrings are the help, and what is said of findings."""

_COMPILE = f"""
import marshal
import sys
from pathlib import Path
from py_compile import PycInvalidationMode, compile
from types import CodeType


def bare(code):
    inner = (bare(one) if isinstance(one, CodeType) else one for one in code.co_consts)
    return code.replace(co_linetable=b"", co_consts=tuple(inner))


folder = Path(sys.argv[1])
for source in sorted(folder.rglob("*.py")):
    name = source.relative_to(folder).as_posix()
    told = name.startswith({_TOLD})
    place = source.with_suffix("." + sys.implementation.cache_tag)
    compile(
        str(source), str(place), dfile=name, doraise=True, optimize=0 if told else 2,
        invalidation_mode=PycInvalidationMode.UNCHECKED_HASH,
    )
    if not name.startswith("iptviz/"):
        content = place.read_bytes()
        place.write_bytes(content[:16] + marshal.dumps(bare(marshal.loads(content[16:]))))
"""
"""What each Python is given to do: bytecode that depends on the sources alone (PEP 552).

Docstrings are kept where they are the help, and what is said of findings: elsewhere they are a tenth of it all.
In which line of a library something is, which takes a seventh of its bytecode, nobody who has this file asks.
"""


class BuildError(Exception):
    """What keeps the file from being made."""


def main() -> int:
    """Make the file, and say where it is and how big."""
    words = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    words.add_argument("-o", "--output", type=Path, default=ROOT / "dist/iptviz.pyz", metavar="FILE")
    words.add_argument(
        "--python", action="append", default=[], metavar="PROGRAM", help="Add bytecode for this Python, too."
    )
    asked = words.parse_args()
    try:
        build(asked.output, [sys.executable, *asked.python])
    except (BuildError, OSError) as error:
        print(f"build_pyz: {error}", file=sys.stderr)
        return 2
    print(f"{asked.output}: {asked.output.stat().st_size:,} bytes")
    return 0


def build(output: Path, pythons: Iterable[str]) -> None:
    """Make the file with bytecode for some Pythons.

    Raises:
        BuildError: what it is made of is not to be had.
    """
    with TemporaryDirectory() as name:
        folder, wheels = Path(name, "files"), Path(name, "wheels")
        _copy_program(folder)
        _download(wheels)
        for wheel in sorted(wheels.iterdir()):
            _unpack(wheel, folder)
        _lighten(folder)
        for python in dict.fromkeys(pythons):
            _compile(python, folder)
        # What Python finds first, it compiles itself, whatever its version.
        shutil.copy(ROOT / "tools/pyz_main.py", folder / "__main__.py")
        content = _archive(folder)
    output.parent.mkdir(parents=True, exist_ok=True)
    begun = output.with_name(f".{output.name}.begun")
    begun.write_bytes(content)
    begun.chmod(0o755)
    begun.replace(output)


def _copy_program(folder: Path) -> None:
    shutil.copytree(ROOT / "iptviz", folder / "iptviz", ignore=shutil.ignore_patterns("__pycache__", ".*"))
    licences = folder / "licenses/iptviz"
    licences.mkdir(parents=True)
    shutil.copy(ROOT / "LICENSE", licences)


class _Lightened(ast.NodeTransformer):
    """Leaves out what is for readers, and of `typed` modules what is for type checkers: a third of it all.

    `told`: docstrings are kept. Annotations of classes are kept everywhere: they are the fields of records.
    """

    def __init__(self, *, told: bool, typed: bool) -> None:
        self._told = told
        self._typed = typed

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        """Leave out a docstring."""
        return None if isinstance(node.value, ast.Constant) and not self._told else node

    def visit_If(self, node: ast.If) -> ast.AST | list[ast.stmt]:
        """Leave out what is imported for types alone."""
        self.generic_visit(node)
        if self._typed and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            return node.orelse
        node.body = node.body or [ast.Pass()]
        return node

    def visit_arg(self, node: ast.arg) -> ast.AST:
        """Leave out the type of a parameter."""
        node.annotation = None if self._typed else node.annotation
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        """Leave out the type of what is returned."""
        node.returns = None if self._typed else node.returns
        return self._with_body(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        """Keep a body where a docstring was all of it."""
        return self._with_body(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        """Keep a body where a docstring was all of it."""
        return self._with_body(node)

    def _with_body(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> ast.AST:
        self.generic_visit(node)
        node.body = node.body or [ast.Pass()]
        return node


def _lighten(folder: Path) -> None:
    """Write the sources anew without what nobody runs; lines of tracebacks are those of what is written."""
    for source in folder.rglob("*.py"):
        name = source.relative_to(folder).as_posix()
        typed = name.startswith("iptviz/") and not name.startswith("iptviz/cli/")
        lightened = _Lightened(told=name.startswith(_TOLD), typed=typed)
        tree = lightened.visit(ast.parse(source.read_text(encoding="utf-8")))
        source.write_text(f"{ast.unparse(ast.fix_missing_locations(tree))}\n", encoding="utf-8")


def _download(wheels: Path) -> None:
    """Download the wheels that are pinned."""
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet", "--no-deps"]
    pinned = ["--require-hashes", "--requirement", str(ROOT / "tools/pyz_requirements.txt")]
    command = [*pip, "--only-binary", ":all:", *_PLATFORM, *pinned, "--dest", str(wheels)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        said = [
            line for line in done.stderr.splitlines() if "error" in line.lower()
        ] or done.stderr.splitlines()
        raise BuildError(
            f"cannot download the libraries of tools/pyz_requirements.txt: {said[0] if said else 'pip failed'}\n"
            "  it takes pip and a package index, or wheels in a folder: PIP_NO_INDEX=1 PIP_FIND_LINKS=FOLDER"
        )


def _unpack(wheel: Path, folder: Path) -> None:
    """Take what is Python in a wheel, and its licences."""
    licences = folder / "licenses" / wheel.name.partition("-")[0]
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            place = PurePosixPath(name)
            if place.suffix == ".py":
                if not any(fnmatchcase(name, one) for one in _UNUSED):
                    _write(folder / place, _SHORTENED.get(name) or archive.read(name))
            elif place.name.startswith(_LICENCES) and not name.endswith("/"):
                _write(licences / place.name, archive.read(name))


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def _compile(python: str, folder: Path) -> None:
    """Let a Python write its bytecode beside the sources; nothing around it shall change that."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    # Where in a line an error is, takes a quarter of all bytecode.
    command = [python, "-S", "-X", "no_debug_ranges", "-c", _COMPILE, str(folder)]
    done = subprocess.run(
        command, env={**plain, "PYTHONHASHSEED": "0"}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise BuildError(f"{python} cannot compile the sources: {done.stderr.strip()[-200:]}")


def _archive(folder: Path) -> bytes:
    """Return the file: an archive that says what runs it, with all that is in a folder."""
    when = time.gmtime(max(_time(), _OLDEST))[:6]
    content = io.BytesIO()
    content.write(_SHEBANG)
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            entry = zipfile.ZipInfo(path.relative_to(folder).as_posix(), when)
            entry.create_system, entry.external_attr = _UNIX, 0o644 << 16
            archive.writestr(entry, path.read_bytes(), zipfile.ZIP_DEFLATED, 9)
    return content.getvalue()


def _time() -> int:
    """Return the time of the commit, or what SOURCE_DATE_EPOCH says; the oldest where neither is known."""
    if told := os.environ.get("SOURCE_DATE_EPOCH"):
        return int(told)
    command = ["git", "-C", str(ROOT), "log", "-1", "--format=%ct"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:  # no git
        return _OLDEST
    return int(done.stdout) if done.returncode == 0 else _OLDEST


if __name__ == "__main__":
    sys.exit(main())
