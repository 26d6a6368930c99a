"""Fixtures shared by the suite. Everything is offline; published files are used where a copy lies beside the checkout."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from inspect_ai.model._model import active_model_context_var

if TYPE_CHECKING:
    from playwright.sync_api import Browser

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("INSPECT_DISPLAY", "none")
os.environ.pop("COLUMNS", None)  # pytest-xdist's workers are told of 80 columns; a user's pipe is not

# No test may depend on who is faster.
settings.register_profile("spillover", deadline=None)
settings.load_profile("spillover")

CHROMIUM = next((path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None)
UPSTREAM = Path(__file__).parents[2] / "shared" / "upstream"

LAB_ANSWER = "You could bake some bread or play chess."

LONG = ("golden", "e2e", "lab", "training")
"""Folders whose files take longest."""


def pytest_configure(config: pytest.Config) -> None:
    """Let pytest-xdist take files in our order; its own, by number of tests, leaves the longest ones for the end."""
    if hasattr(config.option, "loadscopereorder"):
        config.option.loadscopereorder = False


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files first, so that two workers end together."""
    items.sort(key=lambda item: LONG.index(item.path.parent.name) if item.path.parent.name in LONG else len(LONG))


@pytest.fixture
def upstream(monkeypatch: pytest.MonkeyPatch) -> Path:
    """Published files, standing in for the download cache."""
    if not UPSTREAM.is_dir():
        pytest.skip("no copy of the published files beside the checkout (../shared/upstream)")
    monkeypatch.setenv("SPILLOVER_CACHE", str(UPSTREAM))
    return UPSTREAM


@pytest.fixture(autouse=True)
def no_model_under_test() -> None:
    """Inspect keeps the model that it was given last; a test of another file is not about that one."""
    active_model_context_var.set(None)


@pytest.fixture(scope="session", autouse=True)
def no_cache_of_the_users(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Fixtures of a module are made before those of its first test: what they measure is not the user's either."""
    place = tmp_path_factory.mktemp("session")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPILLOVER_JUDGEMENTS", str(place / "judgements.sqlite"))
        patch.setenv("SPILLOVER_CERTIFICATES", str(place / "certificates"))
        yield


@pytest.fixture(autouse=True)
def own_judgements(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of judgements and certificates of its own for every test."""
    path = tmp_path_factory.mktemp("judgements") / "judgements.sqlite"
    monkeypatch.setenv("SPILLOVER_JUDGEMENTS", str(path))
    monkeypatch.setenv("SPILLOVER_CERTIFICATES", str(path.parent / "certificates"))
    return path


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium; a test that evaluates must do so before it asks for this, whose loop is in the way."""
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine (apt-get install chromium)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        )
        yield chromium
        chromium.close()
