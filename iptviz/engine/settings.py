"""The kernel's settings (sysctls) that decide about packets beside the rules: what is known, or a question.

Source: include/linux/inetdevice.h. Of most settings of an interface that of `all` counts as well: of
route_localnet and accept_local either will do (IN_DEV_ORCONF), of rp_filter the greater counts (IN_DEV_MAXCONF);
forwarding is that of the interface alone (IN_DEV_CONF_GET), and to write ip_forward writes it for all of them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from iptviz.engine.condition import Condition
from iptviz.engine.effects import answered
from iptviz.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from iptviz.engine.host import Host

    Answer = Callable[[Condition], bool | None]


class Side(NamedTuple):
    """The interface by which a packet came in or leaves: `kind` is that of conditions about it, None unknown."""

    kind: str
    name: str | None


class Settings:
    """The settings of a node, as far as they are known."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._of_interfaces: dict[str, dict[str, int]] = {}

    def value(self, name: str) -> int | None:
        """Return a setting that is a number; None where it is not known."""
        text = self._host.sysctl(name)
        return int(text) if text is not None and text.isdecimal() else None

    def of_interfaces(self, key: str, version: int = 4) -> dict[str, int]:
        """Return the setting `key` of each interface of which it is known; lo's is none."""
        pattern = re.compile(rf"net\.ipv{version}\.conf\.(.+)\.{key}")
        if pattern.pattern not in self._of_interfaces:
            names = self._host.sysctls or ()
            values = {found[1]: self.value(name) for name in names if (found := pattern.fullmatch(name))}
            self._of_interfaces[pattern.pattern] = {
                name: value
                for name, value in values.items()
                if value is not None and name not in _NO_INTERFACES
            }
        return self._of_interfaces[pattern.pattern]

    def is_one(self, name: str, answer: Answer) -> bool:
        """Whether a setting is 1; where it is not known, that is a question.

        Raises:
            UndecidedError: the question has no answer yet.
        """
        value = self.value(name)
        return answered(Condition("sysctl", f"{name}=1"), answer) if value is None else value != 0

    def is_on(self, key: str, side: Side, answer: Answer) -> bool:
        """Whether a setting of IPv4 is 1 for all interfaces, or for the one at `side`.

        Where neither is known one question stands for both: the interface's own is taken as 0.

        Raises:
            UndecidedError: that hangs on a condition without an answer.
        """
        every = _name("all", key)
        if side.name is not None:
            own = _name(side.name, key)
            both_open = self.value(every) is None and self.value(own) is None
            return self.is_one(every, answer) or (not both_open and self.is_one(own, answer))
        if not self.value(every):
            names = sorted(name for name, value in self.of_interfaces(key).items() if value)
            if names and answered(Condition(side.kind, ", ".join(names)), answer):
                return True
        alone = self.value(every) == 0 and not self.of_interfaces(key)
        return self.is_one(_name("*", key) if alone else every, answer)

    def unforwarding(self, version: int, side: Side, answer: Answer) -> str | None:
        """Return the setting that keeps what comes in at `side` from being forwarded; None: none is known to.

        IPv4: that of the interface (ip_route_input_slow in net/ipv4/route.c). IPv6: that of all, unless the
        interface forwards by force (ip6_forward in net/ipv6/ip6_output.c).

        Raises:
            UndecidedError: that hangs on which interface it is.
        """
        names, key = _FORWARDING[version]
        usual = next((name for name in names if self.value(name) is not None), None)
        stopping = usual if usual is not None and self.value(usual) == 0 else None
        others = sorted(
            name
            for name, value in self.of_interfaces(key, version).items()
            if bool(value) == (stopping is not None) and (version == 4 or value)
        )
        if side.name is None:
            is_other = bool(others) and answered(Condition(side.kind, ", ".join(others)), answer)
        else:
            is_other = side.name in others
        if not is_other:
            return stopping
        return (
            None if stopping else _name(side.name or (others[0] if len(others) == 1 else "*"), key, version)
        )

    def tells_forwarding(self, version: int, interface: str | None) -> bool:
        """Whether it is known if the node forwards what comes in by an interface."""
        names, key = _FORWARDING[version]
        own = (_name(interface, key),) if interface is not None and version != _SIX else ()
        return any(self.value(name) is not None for name in (*names, *own))

    def is_off(self, key: str, interface: str | None) -> bool:
        """Whether a setting is known to be 0 for all, and for the interface that is named, or else for each."""
        own = self.of_interfaces(key)
        each = list(own.values()) if interface is None else [self.value(_name(interface, key))]
        return self.value(_name("all", key)) == 0 and bool(each) and all(value == 0 for value in each)

    def greatest(self, key: str, interface: str | None) -> int | None:
        """Return the greater of the settings of `all` and of an interface; None where one is not known."""
        every = self.value(_name("all", key))
        own = None if interface is None else self.value(_name(interface, key))
        return None if every is None or own is None else max(every, own)


_SIX = 6
_NO_INTERFACES = {"all", "default", "lo"}
_FORWARDING = {
    4: (("net.ipv4.ip_forward", "net.ipv4.conf.all.forwarding"), "forwarding"),
    6: (("net.ipv6.conf.all.forwarding",), "force_forwarding"),
}
"""By the version of IP the settings of all interfaces, which are the same, and the key of an interface's own."""


def _name(interface: str, key: str, version: int = 4) -> str:
    return f"net.ipv{version}.conf.{interface}.{key}"
