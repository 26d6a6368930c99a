"""End to end, a folder of results serves many tests: so does the cache of judgements."""

import pytest


@pytest.fixture(scope="module", autouse=True)
def own_judgements(tmp_path_factory):
    """A cache of judgements of its own for every module, its fixtures included."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPILLOVER_JUDGEMENTS", str(tmp_path_factory.mktemp("judgements") / "judgements.sqlite"))
        yield
