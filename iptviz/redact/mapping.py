"""The file that keeps the key and what became what: two dumps stay comparable, and an owner can look up."""

from __future__ import annotations

import os
import secrets as random_source
from typing import Any

from iptviz.errors import DumpError, OutputError
from iptviz.redact.secrets import KEY_BYTES, Secrets

_SCHEMA = "iptviz.redaction.v1"


def fresh_secrets() -> Secrets:
    """Return pseudonyms with a random key."""
    return Secrets(random_source.token_bytes(KEY_BYTES))


def read_mapping(path: str) -> Secrets:
    """Return the pseudonyms that a file keeps; with a random key where there is no such file yet.

    Raises:
        DumpError: the file is there, but cannot be read or is no mapping.
    """
    import json

    try:
        with open(path, encoding="utf-8") as file:  # noqa: PTH123
            found: Any = json.load(file)
        secrets = Secrets(
            bytes.fromhex(found["key"]), {kind: dict(words) for kind, words in found["names"].items()}
        )
        for ends in found["ordered"]:
            secrets.addresses.keep_order(*ends)
    except FileNotFoundError:
        return fresh_secrets()
    except OSError as error:
        raise DumpError(f"cannot be read: {(error.strerror or str(error)).lower()}", where=path) from None
    except (ValueError, KeyError, TypeError, AttributeError):
        hint = "it was not written by iptviz redact --map; name another file"
        raise DumpError("is no mapping of pseudonyms", where=path, hint=hint) from None
    return secrets


def write_mapping(path: str, secrets: Secrets) -> None:
    """Write the key and all pseudonyms to a file that its owner alone can read, whole or not at all.

    Raises:
        OutputError: it cannot be written.
    """
    import json
    import tempfile

    kept = {
        "schema": _SCHEMA,
        "warning": "SECRET: this undoes the redaction",
        "key": secrets.key.hex(),
        "ordered": sorted(set(secrets.addresses.ordered)),
        "names": secrets.known,
        "addresses": secrets.addresses.known,
    }
    try:
        handle, beside = tempfile.mkstemp(prefix=".iptviz-", dir=os.path.dirname(path) or ".")  # noqa: PTH120
        with os.fdopen(handle, "w", encoding="utf-8") as file:  # mkstemp makes it 0600
            json.dump(kept, file, indent=1)
        os.replace(beside, path)  # noqa: PTH105
    except OSError as error:
        what = f"cannot be written: {(error.strerror or str(error)).lower()}"
        raise OutputError(what, where=path) from None
