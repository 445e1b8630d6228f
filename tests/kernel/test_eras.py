"""The kernel takes what the generator writes of every era, and gives it back line by line."""

from __future__ import annotations

import pytest

from tests.kernel.lab import BACKENDS, node, tables_of
from tests.kubeproxy import ERAS, saved
from tests.kubeproxy.features import everything

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("kernel")]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("release", "family"),
    [
        (release, family)
        for release in ERAS
        for family in (4, 6)
        if any(cluster.family == family for cluster in everything(release))
    ],
)
def test_every_feature_of_an_era_comes_back_the_same(release: str, backend: str, family: int) -> None:
    with node(backend, family) as lab:
        for cluster in (one for one in everything(release) if one.family == family):
            text = saved(cluster)
            lab.load(text)
            assert tables_of(lab.save()) == tables_of(text)
