"""The kernel's settings, as `sysctl -a` prints them."""

from __future__ import annotations

import re

from iptviz.errors import DumpError

_SETTING = re.compile(r"^[ \t]*([a-z][\w./*-]*)[ \t]*=[ \t]*([^\n]*?)[ \t\r]*$", re.MULTILINE)


NOTHING_OF_USE = "# no setting that answers make use of\n"
"""What stands for settings of which none is left."""


def check_supplied(text: str, source: str) -> None:
    """Make sure that somebody who supplies settings has supplied some.

    Raises:
        DumpError: there is none.
    """
    if text != NOTHING_OF_USE and _SETTING.search(text) is None:
        raise DumpError(
            "no settings found", where=source, hint="pass the output of `sysctl -a`: net.ipv4.ip_forward = 1"
        )


def read_sysctls(text: str) -> dict[str, str]:
    """Return each setting's value by its name, with dots: `net.ipv4.ip_forward` -> `1`.

    Lines that set nothing, such as complaints about keys that cannot be read, are passed over.
    """
    return {name.replace("/", "."): value for name, value in _SETTING.findall(text)}
