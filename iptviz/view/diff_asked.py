"""The view of what was asked of two nodes: the fate of a packet, and whether both treat connections alike."""

from __future__ import annotations
