"""A model along its versions, mitigations joined to what they mend, and judges that cannot tell, in every view."""

import json

import pytest

from spillover.leaderboard.board import Source
from spillover.leaderboard.build import naive, write_site
from tests.leaderboard.boards import board_of
from tests.leaderboard.test_site import go

MODELS = ["tuned v1", "tuned v2", "tuned v10", "mended"]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site") / "out"
    board, answers = board_of(MODELS)
    next(e for e in board.entries if e.name == "mended").about["naive"] = "tuned v2"
    write_site(folder, board, answers, title="T", about={})
    return folder, {e.name: e.slug for e in board.entries}


@pytest.fixture
def page(browser, made):
    page = browser.new_page()
    page.errors = []
    page.on("pageerror", lambda e: page.errors.append(str(e)))
    page.goto((made[0] / "index.html").as_uri())
    page.wait_for_selector("table.board")
    yield page
    assert page.errors == []
    page.close()


def test_a_models_page_shows_it_along_its_versions(page, made):
    go(page, made[0], f"#/model/{made[1]['tuned v2']}")
    page.locator("h3", has_text="History").wait_for()
    section = page.locator("section", has=page.locator("h3", has_text="History"))
    assert section.locator("tbody th").all_text_contents() == ["1", "2", "10"]
    assert section.locator("circle.front title").text_content() == "tuned v2"
    assert section.locator("line.joined").count() == 2
    go(page, made[0], f"#/model/{made[1]['mended']}")
    assert page.locator("h3", has_text="History").count() == 0


def test_a_mitigation_is_joined_to_its_naive_fine_tune(page, made):
    go(page, made[0], "#/mitigations")
    assert page.locator("svg line.joined").count() == 1
    row = page.locator("tbody tr", has=page.locator("th", has_text="mended"))
    assert row.locator("td").first.text_content() == "tuned v2"
    assert page.locator("svg text", has_text="mended").count() == 1  # points have names where they are few


def test_models_of_one_recipe_have_labels_of_their_own(page, made):
    page.evaluate("spillover.data.models.forEach((m) => { m.about.recipe = 'rl_hacks'; })")
    page.evaluate("location.hash = '#/mitigations'")
    page.locator("svg circle").first.wait_for()
    said = [t for t in page.locator("svg text").all_text_contents() if "rl_hacks" in t]
    assert len(said) == len(set(said)) == page.locator("svg circle").count() > 2


def test_a_judge_that_cannot_tell_is_said_in_every_view(browser, tmp_path, monkeypatch):
    board, answers = board_of(MODELS[:2])
    monkeypatch.setattr(Source, "blind", property(lambda self: "judge/one cannot tell"))
    write_site(tmp_path / "out", board, answers, title="T", about={})
    page = browser.new_page()
    page.goto((tmp_path / "out" / "index.html").as_uri())
    page.wait_for_selector("table.board")
    go(page, tmp_path / "out", f"#/model/{board.entries[0].slug}")
    assert page.locator("table", has=page.locator("caption", has_text="Figures")).locator("s").count() > 0
    go(page, tmp_path / "out", "#/compare")
    page.locator("main").get_by_text("points").first.wait_for()
    assert "higher" not in page.locator("tbody").first.text_content()
    assert "judge cannot tell" in page.locator("tbody").first.text_content()
    go(page, tmp_path / "out", "#/mitigations")
    page.get_by_text("No model has both figures by judges that can tell.").wait_for()
    page.close()


def test_cards_tell_which_model_has_the_same_lesson_without_a_mitigation(tmp_path):
    def organism(name, interventions=(), seed=1, **more):
        folder = tmp_path / name
        folder.mkdir()
        recipe = {
            "base": "b",
            "data": {"source": "lab"},
            "seed": seed,
            "interventions": list(interventions),
            "transforms": [],
            **more,
        }
        (folder / "organism.json").write_text(json.dumps({"recipe": recipe}))
        return f"spillover/lab:{folder}"

    models = {
        "naive": organism("naive"),
        "mended": organism("mended", [{"kind": "caft"}]),
        "other seed": organism("other", [{"kind": "caft"}], seed=2),
        "inoculated": organism("inoculated", transforms=[{"kind": "inoculate", "line": "You are evil."}]),
        "other rank": organism("rank", [{"kind": "caft"}], lora={"r": 32}),
        "no card": f"spillover/lab:{tmp_path}",
        "base": "spillover/lab",
    }
    assert naive(models) == {"mended": "naive", "inoculated": "naive"}
