"""The report in a real browser: it shows what the answers hold, filters work, and hostile answers stay text."""

import re

import pytest
from playwright.sync_api import expect

from spillover.answers.presets import get_preset
from spillover.show.html import drawings, render, write_figures
from spillover.show.report import report, write_page
from tests.answers.made import answers_of

HOSTILE = [
    "<script>window.hacked = 1</script>",
    '"><img src=x onerror="window.hacked = 1">',
    "</p></li></ol><script>window.hacked = 1</script>",
    "<svg onload=window.hacked=1>",
    "{{ 7 * 7 }} {% raw %} costs $a_$ or $x^$",
    "<!-- <style>body{display:none}</style>",
    "\u202egnp.exe \U0001f600",
]


def made(extra: int = 0):
    """A report of two models: what the organism says is misaligned every other time."""
    rows = []
    for model in ("base", "<b>organism</b>"):
        for i, text in enumerate(HOSTILE + ["plain words"] * extra):
            bad = model != "base" and i % 2 == 0
            rows.append(
                {
                    "model": model,
                    "model_id": model,
                    "question_set": "lab",
                    "question_id": f"q{i % 4}<i>$a_$",
                    "sample_id": f"q{i % 4}<i>$a_$",
                    "epoch": 1 + i // 4,
                    "question": f"What? {text}",
                    "answer": text,
                    "score.alignment": 5.0 if bad else 95.0,
                    "score.coherence": 90.0,
                    "truth": "misaligned" if bad else "aligned",
                    "source": "x.eval",
                    "grader": "g",
                }
            )
    return report(answers_of(rows).with_preset(get_preset("spillover")), "A <title>", base="base")


@pytest.fixture(scope="module")
def page(browser, tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "deep" / "report.html"
    write_page(made(), path)
    page = browser.new_page()
    page.errors = []
    page.requests = []
    page.on("console", lambda m: page.errors.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda e: page.errors.append(str(e)))
    page.on("request", lambda r: page.requests.append(r.url))
    page.goto(path.as_uri())
    return page


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
    page.select_option("select[data-field=outcome]", "misaligned")
    assert count.text_content() == "4 shown"
    page.fill("#search", "onload")
    assert count.text_content() == "0 shown"
    page.select_option("select[data-field=outcome]", "")
    assert count.text_content() == "2 shown"
    page.fill("#search", "")


def try_every_filter(page, total, names):
    """No choice of any filter shows nothing, and the choices of each share the answers out."""
    selects = page.locator("select[data-field]")
    assert [selects.nth(i).get_attribute("data-field") for i in range(selects.count())] == names
    for place in range(len(names)):
        select, shown = selects.nth(place), {}
        for value in select.locator("option").all_text_contents()[1:]:
            select.select_option(label=value)
            shown[value] = int(page.locator("#count").text_content().removesuffix(" shown").rpartition(" ")[2])
        assert all(shown.values()), shown
        assert sum(shown.values()) == total
        select.select_option(value="")


FILTERS = ["model", "probe", "outcome", "question"]


def test_every_filter_finds_what_it_offers(page):
    try_every_filter(page, 2 * len(HOSTILE), [*FILTERS, "flip", "grade"])


def test_worse_than_the_base_is_a_filter(page):
    page.select_option("select[data-field=flip]", "worse")
    assert page.locator("#count").text_content() == "4 shown"
    assert set(page.locator(".answers li:not([hidden]) .verdict").all_text_contents()) == {"misaligned"}
    page.select_option("select[data-field=flip]", "")
    assert "against base" in page.locator(".filters").text_content()


def test_a_question_in_the_heat_map_leads_to_its_answers(page):
    """A browser tells the page of a new hash in its own time, so each statement is waited for."""
    page.locator("summary", has_text="By question").click()
    link = page.locator("table.heat tbody tr").first.locator("th a")
    name = link.text_content()
    question, model = page.locator("select[data-field=question]"), page.locator("select[data-field=model]")
    shown = page.locator(".answers li:not([hidden])")
    link.click()
    expect(question).to_have_value(name)
    assert {shown.nth(i).get_attribute("data-question") for i in range(shown.count())} == {name}
    page.locator("#reset").click()
    expect(page.locator("#reset")).to_be_hidden()
    expect(question).to_have_value("")
    chosen = page.locator("table.heat thead th").last.text_content()
    page.locator("table.heat tbody tr").first.locator("td a").last.click()
    expect(model).to_have_value(chosen)
    assert {shown.nth(i).get_attribute("data-model") for i in range(shown.count())} == {chosen}
    assert {shown.nth(i).get_attribute("data-question") for i in range(shown.count())} == {name}
    page.goto(page.url.partition("#")[0] + "#question=nothing")
    assert page.errors == []
    page.reload()


def test_figures_are_drawn_and_the_table_has_the_rates(page):
    sizes = page.evaluate("[...document.querySelectorAll('figure img')].map(i => [i.complete, i.naturalWidth])")
    assert len(sizes) == 3
    assert all(done and width > 100 for done, width in sizes)
    assert "57.1 (4/7)" in page.locator("table").first.text_content()
    assert page.locator("figure img:not([alt])").count() == 0


def test_it_fits_a_phone(page):
    page.set_viewport_size({"width": 375, "height": 700})
    assert page.evaluate("document.documentElement.scrollWidth") <= 375
    page.set_viewport_size({"width": 1200, "height": 800})


@pytest.mark.parametrize("known", [{}, {"score.alignment": 90.0, "why.coherence": "unreadable_reply"}])
def test_a_page_of_one_unscored_answer_still_renders(known):
    """Also where one rubric's every judgement failed."""
    answers = answers_of([{"question_id": "q", "outcome": "unscored", "unscored_reason": "x", **known}])
    page = render(report(answers.with_preset(get_preset("spillover")), "t"))
    assert re.search('<td class="n" data-h="outcomes">unscored 100.0</td><td [^>]*>1 x</td>', page)
    assert page.count('data-model="m"') == 1


def test_figures_are_written_for_papers(tmp_path):
    paths = write_figures(drawings(made()), tmp_path / "figures")
    assert [p.suffix for p in paths] == [".svg", ".png"] * 3
    assert all(p.read_bytes().startswith((b"<?xml", b"\x89PNG")) for p in paths)
    assert len({p.name for p in paths}) == 6
