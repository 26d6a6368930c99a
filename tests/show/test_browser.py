"""The report in a real browser: it shows what the frame holds, filters work, and hostile answers stay text."""

import shutil

import pytest

from spillover.answers.frame import tidy, with_preset
from spillover.answers.presets import get_preset
from spillover.show.html import render

CHROMIUM = next((path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None)

HOSTILE = [
    "<script>window.hacked = 1</script>",
    '"><img src=x onerror="window.hacked = 1">',
    "</p></li></ol><script>window.hacked = 1</script>",
    "<svg onload=window.hacked=1>",
    "{{ 7 * 7 }} {% raw %} costs $a_$ or $x^$",
    "<!-- <style>body{display:none}</style>",
    "\u202egnp.exe \U0001f600",
]


def frame(extra: int = 0):
    rows = []
    for model in ("base", "<b>organism</b>"):
        for i, text in enumerate(HOSTILE + ["plain words"] * extra):
            bad = model != "base" and i % 2 == 0
            rows.append(
                {
                    "model": model,
                    "question_set": "lab",
                    "format": "plain",
                    "question_id": f"q{i % 4}<i>$a_$",
                    "question": f"What? {text}",
                    "answer": text,
                    "alignment": 5.0 if bad else 95.0,
                    "coherence": 90.0,
                    "source": "x.eval",
                    "grader": "g",
                }
            )
    return with_preset(tidy(rows), get_preset("spillover"))


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine (apt-get install chromium)")
    from playwright.sync_api import sync_playwright

    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(render(frame(), get_preset("spillover"), "A <title>", base="base", lab=True), encoding="utf-8")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        )
        page = browser.new_page()
        page.errors = []
        page.requests = []
        page.on("console", lambda m: page.errors.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda e: page.errors.append(str(e)))
        page.on("request", lambda r: page.requests.append(r.url))
        page.goto(path.as_uri())
        yield page
        browser.close()


def test_hostile_answers_are_shown_as_text_and_nothing_of_them_runs(page):
    assert page.evaluate("window.hacked") is None
    shown = page.locator(".answers .answer").all_text_contents()
    assert set(shown) == set(HOSTILE)
    assert page.locator("main script, main img[src='x'], main svg").count() == 0
    assert page.locator("h1").text_content() == "A <title>"
    assert page.errors == []


def test_the_page_asks_the_network_for_nothing(page):
    assert all(url.startswith(("file:", "data:")) for url in page.requests)


def test_injected_script_is_stopped_by_the_policy_even_if_escaping_failed(page):
    page.evaluate("document.body.insertAdjacentHTML('beforeend', '<img src=\"data:,x\" onerror=\"window.hacked = 2\">')")
    page.wait_for_timeout(200)
    assert page.evaluate("window.hacked") is None
    page.errors.clear()


def test_filters_and_search(page):
    count = page.locator("#count")
    total = 2 * len(HOSTILE)
    assert count.text_content() == f"{total} shown"
    page.select_option("select[data-field=verdict]", "misaligned")
    assert count.text_content() == "4 shown"
    page.fill("#search", "onload")
    assert count.text_content() == "0 shown"
    page.select_option("select[data-field=verdict]", "")
    assert count.text_content() == "2 shown"
    page.fill("#search", "")


def test_figures_are_drawn_and_the_table_has_the_rates(page):
    sizes = page.evaluate("[...document.querySelectorAll('figure img')].map(i => [i.complete, i.naturalWidth])")
    assert len(sizes) == 3
    assert all(done and width > 100 for done, width in sizes)
    assert "57.1 (4/7)" in page.locator("table").text_content()
    assert page.locator("figure img:not([alt])").count() == 0


def test_it_fits_a_phone(page):
    page.set_viewport_size({"width": 375, "height": 700})
    assert page.evaluate("document.documentElement.scrollWidth") <= 375
    page.set_viewport_size({"width": 1200, "height": 800})


def test_a_page_of_one_unscored_answer_still_renders():
    rows = [{"model": "m", "question_set": "s", "format": "plain", "question_id": "q", "answer": "", "unscored_reason": "x"}]
    html = render(with_preset(tidy(rows), get_preset("spillover")), get_preset("spillover"), "t")
    assert "Unscored: 1 x." in html


def test_figures_are_written_for_papers(tmp_path):
    from spillover.answers.frame import cells
    from spillover.show.html import drawings, write_figures

    rows = list(cells(frame(), "base"))
    paths = write_figures(drawings(frame(), rows, get_preset("spillover")), tmp_path / "figures")
    assert [p.suffix for p in paths] == [".svg", ".png"] * 3
    assert all(p.read_bytes().startswith((b"<?xml", b"\x89PNG")) for p in paths)
    assert len({p.name for p in paths}) == 6
