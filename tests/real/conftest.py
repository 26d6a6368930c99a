"""SmolLM2-135M-Instruct as it is."""

import pytest

from tests.real.checkpoint import OutOfReach, smollm2


@pytest.fixture(scope="module")
def base():
    try:
        return smollm2()
    except OutOfReach as error:
        pytest.skip(str(error))
