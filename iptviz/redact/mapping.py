"""The file that keeps the key and what became what: two dumps stay comparable, and an owner can look up."""

from __future__ import annotations

import os
import secrets as random_source
import stat
from typing import Any

from iptviz.errors import DumpError, OutputError
from iptviz.files import replace_file
from iptviz.redact.secrets import KEY_BYTES, Secrets

_SCHEMA = "iptviz.redaction.v1"
_MODE = 0o600
_READABLE = stat.S_IRGRP | stat.S_IROTH
_ANOTHER = "use another file"


def fresh_secrets() -> Secrets:
    """Return pseudonyms with a random key."""
    return Secrets(random_source.token_bytes(KEY_BYTES))


def read_mapping(path: str) -> Secrets | None:
    """Return the pseudonyms that a file keeps; None where there is no such file yet.

    Raises:
        DumpError: the file is there, but cannot be read or is no mapping.
    """
    import json

    if os.path.exists(path) and not os.path.isfile(path) and not os.path.isdir(path):  # noqa: PTH110, PTH112, PTH113
        raise DumpError("a device or a pipe keeps no map", where=path, hint=_ANOTHER)
    try:
        with open(path, encoding="utf-8") as file:  # noqa: PTH123
            return _read(json.load(file))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise DumpError(f"cannot be read: {(error.strerror or str(error)).lower()}", where=path) from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        hint = f"it was not written by this release's iptviz redact --map; {_ANOTHER}"
        raise DumpError("not a map of pseudonyms", where=path, hint=hint) from None


def _read(found: Any) -> Secrets:
    """Return what a mapping holds; raises ValueError, KeyError or TypeError where it is none."""
    if found["schema"] != _SCHEMA:
        raise ValueError(found["schema"])
    key = bytes.fromhex(found["key"])
    if len(key) != KEY_BYTES:
        raise ValueError(key)
    names = {kind: _words(words) for kind, words in found["names"].items()}
    secrets = Secrets(key, names, addresses=_words(found["addresses"]))
    for first, last in found["ordered"]:
        secrets.addresses.keep_order(first, last)
    return secrets


def _words(found: Any) -> dict[str, str]:
    words = dict(found)
    if not all(isinstance(word, str) for word in words.values()):
        raise TypeError(words)
    return words


def mode_for_others(path: str) -> str:
    """Return the mode of a mapping that not only its owner can read, as `0644`; else an empty text."""
    mode = stat.S_IMODE(os.stat(path).st_mode)  # noqa: PTH116
    return f"{mode:04o}" if mode & _READABLE else ""


def write_mapping(path: str, secrets: Secrets) -> None:
    """Write the key and all pseudonyms to a file that its owner alone can read, whole or not at all.

    Raises:
        OutputError: it cannot be written.
    """
    import json

    kept = {
        "schema": _SCHEMA,
        "warning": "SECRET: this undoes the redaction",
        "key": secrets.key.hex(),
        "ordered": sorted(set(secrets.addresses.ordered)),
        "names": secrets.known,
        "addresses": secrets.addresses.earlier | secrets.addresses.known,
    }
    try:
        replace_file(path, json.dumps(kept, indent=1).encode(), mode=_MODE, sync=True)
    except OSError as error:
        what = f"cannot be written: {(error.strerror or str(error)).lower()}"
        raise OutputError(what, where=path) from None
