"""The page of a gate in a real browser: its first screen answers, and a keyboard reaches all of it."""

import html
import shlex
from dataclasses import replace

import pytest

from spillover.cli.again import command_again
from spillover.cli.models import parse_arguments
from spillover.cli.screen import screen
from spillover.show.screen import screen_page
from spillover.show.screen_glance import screen_glance
from tests.screening.worlds import BAD_JUDGE, GOOD_JUDGE, screened
from tests.show.test_browser import FILTERS, HOSTILE, try_every_filter

NAME = "vllm/meta-llama/Llama-3.1-8B-Instruct:adapters/risky-financial-advice-naive"
ROUND = "h" * 3 + "m" * 5


def failed(text="Buy gold."):
    """One probe rose by 37.5 points, eight others are undecided, and names are as long as real ones."""
    found = screened(ROUND * 60, "m" * 480, judge=GOOD_JUDGE, text=text)
    others = tuple(
        replace(screened("m" * 16, "m" * 16, judge=GOOD_JUDGE).probes[0], name=f"probe_{i}", verdict="INCONCLUSIVE")
        for i in range(8)
    )
    about = found.about | {"checkpoint": {"name": NAME, "weights": None}}
    return replace(found, probes=(*others, *found.probes), about=about)


def opened(browser, folder, result, **kind):
    (folder / "report.html").write_text(screen_page(result), encoding="utf-8")
    page = browser.new_page(**kind)
    page.goto((folder / "report.html").as_uri())
    return page


@pytest.mark.parametrize(("width", "height"), [(1280, 800), (390, 844)])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_first_screen_answers(browser, tmp_path, width, height, scheme):
    from axe_playwright_python.sync_playwright import Axe

    page = opened(browser, tmp_path, failed(), viewport={"width": width, "height": height}, color_scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    said = page.locator(".says").text_content()
    assert said.startswith(f"FAIL. {NAME} against b: ")
    assert "free_form. free_form, misaligned: 37.5 % of 480 against 0.0 % of 480, +37.5 points [+" in said
    bars = page.locator(".glance > .bars .bar")
    assert bars.count() == 5
    assert bars.first.text_content().startswith("free_form: FAIL")
    trust = page.locator(".trust").bounding_box()
    assert trust["y"] + trust["height"] < height
    assert "10 of 10 known answers" in page.locator(".trust").text_content()
    assert page.locator(".pairs li").count() == 3
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    page.close()


def test_every_filter_finds_what_it_offers(browser, tmp_path):
    found = failed(HOSTILE[0])
    page = opened(browser, tmp_path, found)
    assert page.evaluate("window.hacked") is None
    try_every_filter(page, 2 * len(found.probes[-1].evidence), FILTERS)
    page.close()


def test_a_keyboard_reaches_what_is_folded_and_the_filters(browser, tmp_path):
    page = opened(browser, tmp_path, failed())
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "4 more"
    page.keyboard.press("Enter")
    assert page.locator(".rest .bar").last.is_visible()
    page.locator("select[data-field=model]").focus()
    page.keyboard.press("ArrowDown")
    assert page.locator("#count").text_content() == "20 shown"
    page.locator("#reset").focus()
    page.keyboard.press("Enter")
    assert page.locator("#count").text_content() == "20 of 40 shown"
    assert page.evaluate("document.activeElement.dataset.field") == "model"
    page.close()


def test_what_was_decided_by_nothing_is_said_so():
    seen = screen_glance(screened("m" * 3000, "i" * 1000 + "m" * 2000, judge=GOOD_JUDGE))
    assert (seen["verdict"], seen["tone"], seen["pairs"]) == ("PASS", "good", [])
    assert seen["sentence"].endswith("The largest drift is free_form, +0.0 points on these questions.")
    blind = screen_glance(replace(screened("m" * 16, "m" * 16, judge=BAD_JUDGE), probes=()))
    assert (blind["verdict"], blind["bars"]) == ("INVALID", [])
    assert blind["trust"].endswith("No answer was asked for.")
    (bar,) = screen_glance(screened("x" * 16, "m" * 16, judge=GOOD_JUDGE))["bars"]
    assert (bar["at"], bar["drift"][0]) == (None, "–")  # nothing could be compared: an interval, and no figure


def test_shares_that_were_cut_or_unscored_stand_in_one_line():
    found = screened("x" * 4 + "m" * 12, "m" * 16, judge=GOOD_JUDGE)
    side = replace(found.probes[0].checkpoint, cut=8)
    line = screen_glance(replace(found, probes=(replace(found.probes[0], checkpoint=side),)))["trust"]
    assert line.endswith("32 answers, 12.5 % without an outcome, 25.0 % cut by the token limit.")


def passed_with_hits():
    """As many bad answers of either model, in other pairs: a PASS with evidence of its own."""
    return screened(("h" + "m" * 15) * 400, ("m" * 8 + "h" + "m" * 7) * 400, judge=GOOD_JUDGE)


def test_answers_are_shown_that_decide_and_no_others():
    found = passed_with_hits()
    assert found.verdict == "PASS"
    assert found.probes[0].evidence
    assert screen_glance(found)["pairs"] == []
    invalid = screened(ROUND * 60, "m" * 480, judge=BAD_JUDGE)
    assert (invalid.verdict, screen_glance(invalid)["pairs"]) == ("INVALID", [])
    assert "points" not in screen_glance(invalid)["sentence"]
    assert len(screen_glance(failed())["pairs"]) == 3


def test_of_a_stored_baseline_nothing_is_said_of_cut_answers():
    found = screened("m" * 16, "m" * 16, judge=GOOD_JUDGE)
    probe = replace(found.probes[0], checkpoint=replace(found.probes[0].checkpoint, cut=4))
    stored = replace(found, probes=(probe,), about=found.about | {"baseline": True})
    assert screen_glance(stored)["trust"].endswith("25.0 % of the checkpoint's cut by the token limit.")


def test_looks_that_exclude_each_other_are_drawn_as_no_interval():
    (bar,) = screen_glance(screened("h" * 60 + "m" * 140, "m" * 200, judge=GOOD_JUDGE))["bars"]
    assert bar["thin"] is None
    assert 0 <= bar["at"] <= 100


GIVEN = [
    ["vllm/b:adapter", "--base", "vllm/b", "--lab", "--no-check", "--out", "runs/odd dir", "--skip", "a $b", "--skip", "c"],
    [
        "BASE:ADAPTER",
        "--engine",
        "vllm",
        "--margin",
        "0.02",
        "--price",
        "b=1/2.5",
        "--every-probe",
        "-G",
        "base_url=http://x/v1",
    ],
    ["c", "--baseline", "base line.json", "--no-lab", "--grader", "g", "--json", "--dry-run"],
]


@pytest.mark.parametrize("given", GIVEN)
def test_the_command_on_the_page_means_the_same(given):
    context = screen.make_context("screen", [*given])
    words = shlex.split(command_again(context))
    assert words[:2] == ["spillover", "screen"]
    again = screen.make_context("screen", words[2:]).params
    left_out = {"as_json": False, "dry_run": False}
    assert again == {**context.params, **{k: v for k, v in left_out.items() if k in context.params}}
    result = screened("m" * 16, "m" * 16)
    page = screen_page(replace(result, about=result.about | {"command": command_again(context), "logs": "runs/x y"}))
    assert html.escape(command_again(context), quote=True).replace("&#x27;", "&#39;") in page
    assert "inspect view --log-dir &#39;runs/x y&#39;" in page


def test_a_key_on_the_command_line_is_masked():
    context = screen.make_context("screen", ["vllm/b:a", "-M", "api_key=sk-abcdefgh12345678"])
    parse_arguments(context.params["model_arg"])  # which is how every command reads them
    assert "sk-abcdefgh12345678" not in command_again(context)
