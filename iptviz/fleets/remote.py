"""Dumps at URLs, through fsspec: s3://, gs://, abfs://, http(s)://, and what else it knows."""

from __future__ import annotations

import os
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from iptviz.errors import DumpError
from iptviz.fleets.inputs import NotInstalledError
from iptviz.source.size import print_size

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_HINT = "install what reads URLs: pip install 'iptviz[fleet]'"
_URL = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*://)(?P<rest>[^\s'\"<>]*)", re.IGNORECASE)
_USER = re.compile(r"^[^/]*@")
_LONGEST = 200
_PIECE = 1 << 20


def shown(text: str) -> str:
    """Return a text with its URLs as messages may show them: without user, password, and what signs them."""
    return _URL.sub(lambda url: url["scheme"] + _USER.sub("", re.split(r"[?#]", url["rest"])[0]), text)


def expanded_url(url: str, natural: Callable[[str], Any]) -> list[str]:
    """Return the URLs that a URL stands for: itself, what its pattern matches, or what is directly in a folder.

    Raises:
        NotInstalledError: a library is missing.
        DumpError: the folder cannot be listed.
    """
    with _worded(url):
        files, path = _opened(url)
        is_web = url.lower().startswith(("http://", "https://"))
        if re.search(r"[*\[]" if is_web else r"[*?\[]", path.partition("?")[0] if is_web else path):
            found = files.glob(path)
        elif url.endswith("/") or (not is_web and files.isdir(path)):
            found = [
                one["name"]
                for one in files.ls(path, detail=True)
                if one["name"].strip("/") != path.strip("/")
            ]
        else:
            return [url]
        return sorted((_whole(files, url, path, str(one)) for one in found), key=natural)


@contextmanager
def fetched(url: str, limit: int) -> Iterator[str]:
    """Lend a path at which the content of a URL is, a file or a folder, under its own name.

    Raises:
        DumpError: it cannot be read, or has more than `limit` bytes.
    """
    from tempfile import TemporaryDirectory

    with TemporaryDirectory(prefix="iptviz-") as folder:
        name = re.split(r"[?#]", url)[0].rstrip("/").rpartition("/")[2] or "dump"
        target = os.path.join(folder, name)  # noqa: PTH118
        with _worded(url):
            files, path = _opened(url)
            if not url.lower().startswith("http") and files.isdir(path):
                if files.du(path) > limit:
                    raise _too_large(url, limit)
                files.get(path.rstrip("/"), target, recursive=True)
            else:
                _copy(files, path, target, url, limit)
        yield target


def _copy(files: Any, path: str, target: str, url: str, limit: int) -> None:
    """Copy a file by pieces: nobody knows how large it is before."""
    left = limit
    with files.open(path, "rb") as source, open(target, "wb") as file:  # noqa: PTH123
        while piece := source.read(min(_PIECE, left + 1)):
            left -= len(piece)
            if left < 0:
                raise _too_large(url, limit)
            file.write(piece)


def _too_large(url: str, limit: int) -> DumpError:
    return DumpError(
        f"larger than {print_size(limit)}",
        where=shown(url),
        hint="--max-size raises the limit, e.g. --max-size 8G",
    )


def _opened(url: str) -> tuple[Any, str]:
    """Return the file system of a URL, and the path in it."""
    try:
        from fsspec.core import url_to_fs
    except ImportError:
        raise NotInstalledError(
            "URLs need fsspec, which is not installed", where=shown(url), hint=_HINT
        ) from None
    files, path = url_to_fs(url)
    return files, str(path)


def _whole(files: Any, url: str, path: str, found: str) -> str:
    """Return a path that was found as a URL like the one that was given."""
    if url.endswith(path):
        return url.removesuffix(path) + found
    bare = path.rstrip("/")
    if url.rstrip("/").endswith(bare):
        return url.rstrip("/").removesuffix(bare) + found
    return str(files.unstrip_protocol(found))


@contextmanager
def _worded(url: str) -> Iterator[None]:
    """Say in one short line what keeps a URL from being read, with the words of the library that tried.

    Libraries have errors of their own: each that reads from some place is another one.
    """
    try:
        yield
    except DumpError:
        raise
    except ImportError as error:
        raise NotInstalledError(_short(error), where=shown(url), hint=_HINT) from None
    except FileNotFoundError as error:
        cause = error.__cause__  # some call all that keeps a file away so, such as a wrong password
        why = "no such file" if cause is None or isinstance(cause, FileNotFoundError) else _short(cause)
        raise DumpError(f"cannot be read: {why}", where=shown(url)) from None
    except Exception as error:
        raise DumpError(f"cannot be read: {_short(error)}", where=shown(url)) from None


def _short(error: BaseException) -> str:
    """Return the first line of an error, cut where it is long, without secrets."""
    first = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
    text = shown(first)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
