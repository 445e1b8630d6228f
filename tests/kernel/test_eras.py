"""The kernel takes what the generator writes of every era, and gives it back line by line."""

from __future__ import annotations

import pytest

from tests.kernel.lab import BACKENDS, node, tables_of
from tests.kubeproxy import saved
from tests.kubeproxy.features import FEATURES, POSSIBLE, everything

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("kernel")]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("release", "family"),
    sorted({(release, FEATURES[name].cluster.get("family", 4)) for name, release in POSSIBLE}),
)
def test_every_feature_of_an_era_comes_back_the_same(release: str, backend: str, family: int) -> None:
    with node(backend, family) as lab:
        for cluster in (one for one in everything(release) if one.family == family):
            text = saved(cluster)
            lab.load(text)
            assert tables_of(lab.save()) == tables_of(text)
