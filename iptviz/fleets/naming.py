"""Which service ports are the same where some nodes' rules have lost the comments that name them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.kube.names import suffixes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from iptviz.compare.ports.form import PortForm
    from iptviz.fleets.summary import Nodes, PortKey

    Ports = Mapping[PortKey, Mapping[PortForm, Nodes]]


def with_names(ports: Ports) -> dict[PortKey, dict[PortForm, Nodes]]:
    """Return service ports, of which those without a name stand with the one of their hash, or of their place."""
    named = {key: dict(forms) for key, forms in ports.items() if key[2]}
    nameless = {key: forms for key, forms in ports.items() if not key[2]}
    if not nameless:
        return named
    hashes, places = _by_hash(named), _by_place(named)
    for key, forms in nameless.items():
        for form, nodes in forms.items():
            found = hashes.get((key[0], form.suffix)) if form.suffix else None
            found = found or next(
                filter(None, (places.get((key[0], at.text)) for at in form.frontends)), None
            )
            mine = named.setdefault(found or key, {})
            shown = form._replace(service=next(iter(mine)).service) if found else form
            mine[shown] = mine.get(shown, 0) | nodes
    return named


def _by_hash(ports: Ports) -> dict[tuple[str, str], PortKey]:
    """Return named service ports by their family and the hashes that kube-proxy's chains have of them."""
    return {(key[0], suffix): key for key in ports for suffix in suffixes(key[1], key[2], key[3], key[4])}


def _by_place(ports: Ports) -> dict[tuple[str, str], PortKey]:
    """Return them by their family and where they are reached."""
    return {
        (key[0], frontend.text): key
        for key, forms in ports.items()
        for form in forms
        for frontend in form.frontends
        if not frontend.lacks_port
    }
