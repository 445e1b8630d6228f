"""What Python runs of iptviz.pyz: it finds modules in the file, and takes their bytecode from it.

zipimport alone would compile every module anew at each start: the bytecode that it looks for beside a source is
of one version. Here that of several may stand there, by short names, as an archive has each name twice. The first
lines are for any Python 3.
"""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - it is not installed, but run by whatever a node has
    sys.stderr.write("iptviz: needs Python 3.11 or later; this is %d.%d\n" % sys.version_info[:2])  # noqa: UP031
    sys.exit(2)

import marshal
import os
from importlib.util import MAGIC_NUMBER
from types import CodeType
from zipimport import ZipImportError, zipimporter

_HEADER = 16
"""So many bytes stand before the code in a .pyc (PEP 552)."""


class _Compiled(zipimporter):
    """What finds modules in the file, and their bytecode for this Python where the file has it."""

    def get_filename(self, fullname: str) -> str:
        """Return where a module's source is; zipimport's own compiles it to say so."""
        inner = ("__init__.py",) if self.is_package(fullname) else ()
        name = fullname.rpartition(".")[2]
        return os.path.join(self.archive, self.prefix, *((name, *inner) if inner else (f"{name}.py",)))  # noqa: PTH118

    def get_code(self, fullname: str) -> CodeType:
        """Return a module's code: that of its bytecode, else compiled from its source."""
        source = self.get_filename(fullname)
        try:
            data = self.get_data(f"{source.removesuffix('.py')}.{sys.implementation.cache_tag}")
        except OSError:
            data = b""
        if not data.startswith(MAGIC_NUMBER):
            return super().get_code(fullname)
        code: CodeType = marshal.loads(memoryview(data)[_HEADER:])  # noqa: S302 - of this very file
        return code


def _find_modules_in(archive: str) -> None:
    def finder(path: str) -> _Compiled:
        if path != archive and not path.startswith(archive + os.sep):
            raise ZipImportError(f"not in {archive}", path=path)
        return _Compiled(path)

    sys.path_hooks.insert(0, finder)
    sys.path_importer_cache.pop(archive, None)


_find_modules_in(__loader__.archive)  # type: ignore[name-defined] # zipimport's own, which found this module

from iptviz.__main__ import main  # noqa: E402

main()
