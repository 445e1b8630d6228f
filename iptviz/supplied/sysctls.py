"""The kernel's settings, as `sysctl -a` prints them."""

from __future__ import annotations

import re

_SETTING = re.compile(r"^[ \t]*([a-z][\w./*-]*)[ \t]*=[ \t]*([^\n]*?)[ \t\r]*$", re.MULTILINE)


def read_sysctls(text: str) -> dict[str, str]:
    """Return each setting's value by its name, with dots: `net.ipv4.ip_forward` -> `1`.

    Lines that set nothing, such as complaints about keys that cannot be read, are passed over.
    """
    return {name.replace("/", "."): value for name, value in _SETTING.findall(text)}
