"""Matches that iptables-save prints otherwise than typed, where a row of the option tables cannot say it.

A rewrite takes the options of one match as they were read and returns those that iptables-save prints; kinds,
defaults and order are then applied by the rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.xtables.hashlimit import rewrite_hashlimit
from iptviz.xtables.match_groups import rewrite_policy, rewrite_rateest
from iptviz.xtables.match_limits import rewrite_cluster, rewrite_connbytes, rewrite_connlimit, rewrite_dscp
from iptviz.xtables.match_ranges import rewrite_limit, rewrite_tcp, without_full_ranges
from iptviz.xtables.match_values import (
    rewrite_ipvs,
    rewrite_recent,
    rewrite_set,
    rewrite_srh,
    rewrite_string,
    rewrite_time,
)

if TYPE_CHECKING:
    from iptviz.xtables.option import Rewrite

MATCH_REWRITES: dict[str, Rewrite] = {
    "ah": without_full_ranges("ah"),
    "cluster": rewrite_cluster,
    "connbytes": rewrite_connbytes,
    "connlimit": rewrite_connlimit,
    "dscp": rewrite_dscp,
    "esp": without_full_ranges("esp"),
    "frag": without_full_ranges("frag"),
    "hashlimit": rewrite_hashlimit,
    "ipcomp": without_full_ranges("ipcomp"),
    "ipvs": rewrite_ipvs,
    "limit": rewrite_limit,
    "mh": without_full_ranges("mh"),
    "policy": rewrite_policy,
    "rateest": rewrite_rateest,
    "recent": rewrite_recent,
    "rt": without_full_ranges("rt"),
    "set": rewrite_set,
    "srh": rewrite_srh,
    "string": rewrite_string,
    "tcp": rewrite_tcp,
    "time": rewrite_time,
    "udp": without_full_ranges("udp"),
}
