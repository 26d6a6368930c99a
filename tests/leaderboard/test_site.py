"""The site in a real browser, from the disk: views, keyboard, hostile text, axe-core, phone, dark."""

import re
import types

import pytest

from spillover.leaderboard.board import certificate_text
from spillover.leaderboard.build import write_site
from tests.leaderboard.boards import board_of
from tests.show.test_browser import HOSTILE

MODELS = ["base/one", '"><img src=x onerror="window.hacked=1">', "third:adapter", "vierte <script>window.hacked=1</script>"]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site") / "out"
    board, answers = board_of(MODELS, text=" ".join(HOSTILE))
    about = {name: {"weights": "<b>f00</b>", "command": "inspect eval x\ninspect eval y"} for name in MODELS}
    for entry in board.entries:
        entry.about["size"] = "7B" if entry.name == "base/one" else "1B"
        entry.about["domain"] = "c0"
    write_site(folder, board, answers, title="A <b>title</b>", about=about)
    return folder


@pytest.fixture
def page(site, browser):
    page = browser.new_page()
    page.errors, page.requests = [], []
    page.on("console", lambda m: page.errors.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda e: page.errors.append(str(e)))
    page.on("request", lambda r: page.requests.append(r.url))
    page.goto((site / "index.html").as_uri())
    page.wait_for_selector("table.board")
    yield page
    page.close()


def names(page):
    return page.locator("table.board tbody th").all_text_contents()


VIEWS = ["#/table", "#/compare", "#/matrix", "#/multiverse", "#/mitigations"]


def go(page, site, view):
    page.goto("about:blank")  # or what is waited for is there already, from the view before
    page.goto((site / "index.html").as_uri() + view)
    page.wait_for_selector("#main h2, table.board")


def model_view(page):
    return page.locator("table.board tbody a").first.get_attribute("href")


def test_it_reads_from_the_disk_and_asks_the_network_for_nothing(page, site):
    for view in [*VIEWS, model_view(page)]:
        go(page, site, view)
    assert page.requests
    assert all(url.startswith("file:") for url in page.requests)
    assert page.errors == []
    assert page.evaluate("window.hacked") is None


def test_names_and_answers_are_text(page, site):
    assert set(names(page)) == set(MODELS)
    assert page.title() == "A <b>title</b>"
    go(page, site, model_view(page))
    page.wait_for_selector(".answers .answer")
    assert page.locator(".answers .answer").first.text_content() == " ".join(HOSTILE)
    assert page.locator("main script, main img").count() == 0
    assert "<b>f00</b>" in page.locator("main").text_content()


def test_the_policy_stops_a_script_even_if_text_became_markup(page):
    page.evaluate("document.body.insertAdjacentHTML('beforeend', '<img src=\"x\" onerror=\"window.hacked = 2\">')")
    page.wait_for_timeout(150)
    assert page.evaluate("window.hacked") is None


def test_sorting_filtering_and_searching(page):
    assert names(page)[0] == "base/one"  # the least misaligned comes first
    heading = page.locator("table.board thead button", has_text="misaligned").first
    heading.click()
    assert names(page)[0].startswith("vierte")
    assert page.locator("th[aria-sort=descending]").count() == 1
    page.locator("table.board thead button", has_text="refusals").click()
    assert page.locator("caption").first.text_content() == "Rank by refusal: refusals"
    assert names(page)[0].startswith("vierte")  # many refusals are good, so they come first
    page.select_option("select >> nth=0", index=1)
    assert 0 < len(names(page)) < len(MODELS)
    page.select_option("select >> nth=0", index=0)
    page.fill("#search", "THIRD")
    assert names(page) == ["third:adapter"]
    assert "1 of 4 models" in page.locator("output").first.text_content()


def test_the_keyboard_is_enough(page):
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.dataset.key") == "name":
            break
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.dataset.key") == "name"  # sorting keeps the place
    assert names(page) == sorted(MODELS, key=str.lower)


def test_two_models_are_compared_with_drift_and_flips(page, site):
    go(page, site, "#/compare")
    page.locator("main").get_by_text("points").first.wait_for()
    page.select_option("select >> nth=1", label=MODELS[0])
    page.select_option("select >> nth=0", label=MODELS[3])
    page.locator("caption", has_text="vierte").first.wait_for()
    assert page.evaluate("document.activeElement.dataset.focus") == "model"  # a choice keeps the keyboard where it is
    row = page.locator("tbody tr").first.text_content()
    assert re.search(r"\+\d+\.\d.*higher", row)
    page.select_option("select >> nth=1", label=MODELS[3])
    page.get_by_text("These are the same model").wait_for()


def test_an_unknown_model_and_a_missing_file_are_said(page, site):
    page.goto((site / "index.html").as_uri() + "#/model/nothing")
    page.get_by_text("There is no such model").wait_for()
    slug = model_view_of(site)
    target = site / "data" / f"model-{slug}.js"
    kept = target.read_bytes()
    target.unlink()
    try:
        page.goto((site / "index.html").as_uri() + f"#/model/{slug}")
        page.reload()
        page.wait_for_selector("[role=alert]")
        assert "is missing" in page.locator("[role=alert]").text_content()
    finally:
        target.write_bytes(kept)


def model_view_of(site):
    return next(p.stem.removeprefix("model-") for p in (site / "data").glob("model-*.js"))


def test_every_question_set_has_a_column_and_a_matrix(browser, tmp_path):
    board, answers = board_of(MODELS[:2], sets=("one", "two"), probes=0)
    write_site(tmp_path / "out", board, answers, title="T", about={})
    page = browser.new_page()
    page.goto((tmp_path / "out" / "index.html").as_uri())
    page.wait_for_selector("table.board")
    headings = page.locator("table.board thead button").all_text_contents()
    assert [h.replace("\u2191", "").strip() for h in headings[1:3]] == [
        "free_form (one)misaligned",
        "free_form (two)misaligned",
    ]
    go(page, tmp_path / "out", "#/matrix")
    titles = [f"free_form ({name}): misaligned" for name in ("one", "two")]
    assert page.locator("select option").all_text_contents() == titles
    for title in titles:
        page.select_option("select", label=title)
        assert page.locator("caption").text_content() == title
        assert page.locator("tbody tr").count() == 2
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(browser, site, scheme):
    from axe_playwright_python.sync_playwright import Axe

    page = browser.new_page(color_scheme=scheme)
    page.goto((site / "index.html").as_uri())
    page.wait_for_selector("table.board")
    for view in [*VIEWS, model_view(page)]:
        go(page, site, view)
        page.wait_for_timeout(150)
        found = Axe().run(page)
        assert found.violations_count == 0, f"{view} {scheme}: {found.generate_report()}"
    page.close()


def test_it_fits_a_phone(browser, site):
    page = browser.new_page(viewport={"width": 375, "height": 700})
    page.goto((site / "index.html").as_uri())
    page.wait_for_selector("table.board")
    for view in [*VIEWS, model_view(page)]:
        go(page, site, view)
        assert page.evaluate("document.documentElement.scrollWidth") <= 375, view
    page.close()


def test_figures_come_before_family_and_judge_and_are_drawn(browser, site):
    for width in (375, 1280):
        page = browser.new_page(viewport={"width": width, "height": 800})
        page.goto((site / "index.html").as_uri())
        row = page.locator("table.board tbody tr").first
        row.wait_for()
        figure, judge = row.locator("td.n:not(.rank):not(.none)").first, row.locator("td.about").last
        one, other = figure.bounding_box(), judge.bounding_box()
        assert (one["y"] < other["y"]) if width == 375 else (one["x"] < other["x"])
        for drawn in (row.locator("td.rank svg"), figure.locator("svg")):
            box = drawn.bounding_box()
            assert box["width"] > 20
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= width
        page.close()


def test_a_phone_sorts_by_a_choice(browser, site):
    page = browser.new_page(viewport={"width": 375, "height": 700})
    page.goto((site / "index.html").as_uri())
    page.wait_for_selector("table.board tbody tr")

    def names():
        return page.locator("table.board tbody th a").all_text_contents()

    before = names()
    page.select_option("#sort", "name")
    assert names() == sorted(before, key=str.lower)
    assert not page.locator("table.board thead button").first.is_visible()
    page.close()


def test_what_is_known_of_the_judges_of_a_model():
    def judged(*areas, probe="free_form"):
        found = tuple(types.SimpleNamespace(auc=auc) for auc in areas)
        judge = types.SimpleNamespace(probe=probe, certificates=found)
        return types.SimpleNamespace(figure=types.SimpleNamespace(judges=(judge,)))

    def told(*sources):
        return certificate_text(types.SimpleNamespace(sources=dict(enumerate(sources))))

    assert told(judged(0.912), judged(0.98, probe="refusal")) == "measured: AUC 0.91 to 0.98"
    assert told(judged(0.98)) == "measured: AUC 0.98"
    assert told(judged(0.98), judged(probe="refusal")) == "measured: AUC 0.98; no certificate for refusal"
    assert told(judged()) == "no certificate"
    assert told(types.SimpleNamespace(figure=None)) == ""


def test_a_row_says_whether_its_judge_was_measured(browser, site):
    page = browser.new_page()
    page.goto((site / "index.html").as_uri())
    page.wait_for_selector("table.board")
    told = page.locator("table.board td[data-label=judge] .span").all_text_contents()
    assert set(told) == {"no certificate"}  # of a board made up here
    page.close()
