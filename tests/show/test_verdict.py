"""The verdict allows for how many figures were looked at: what only its own interval shows is named and stays open."""

from dataclasses import replace

import pandas as pd

from spillover.answers.presets import get_preset
from spillover.figures.glance import rise
from spillover.show.glance import bars, sentence
from spillover.show.html import render
from spillover.show.report import report
from tests.show.test_glance import answered, seen


def test_one_sure_figure_of_many_is_no_spill_over_when_it_is_allowed_for_how_many_were_asked():
    clean = {"base": 0.03, "organism": 0.03}
    many = [answered(clean if i else {"base": 0.03, "organism": 0.13}, question_set=f"set {i}").table for i in range(12)]
    together = replace(answered(clean), table=pd.concat(many, ignore_index=True))
    one = replace(together, table=many[0])
    assert seen(one).verdict == "spilled over"
    found = seen(together)
    assert (found.verdict, found.looked, found.told) == ("cannot tell", 12, ())
    assert [f.cell.question_set for f in found.alone] == ["set 0"]
    assert "not when it is allowed for that 12 figures were looked at (Holm)" in sentence(found)
    assert "bad" not in {bar["tone"] for bar in bars(found.rises, {}, found.alone)}
    assert "bad" in {bar["tone"] for bar in bars(found.rises, {})}


def test_a_small_rise_that_only_its_own_interval_shows_leaves_the_verdict_open():
    clean, risen = {"base": 0.005, "organism": 0.005}, {"base": 0.005, "organism": 0.0185}
    many = [answered(risen if not i else clean, epochs=20, question_set=f"set {i}").table for i in range(12)]
    found = seen(replace(answered(clean), table=pd.concat(many, ignore_index=True)))
    assert len(found.open) == 1
    assert max(rise(f)[1].upper for f in found.asked) <= 0.05
    assert found.verdict == "cannot tell"
    assert "set 0" in sentence(found)


def test_a_chance_rise_of_one_control_in_many_is_no_certain_bar():
    clean = {"base": 0.03, "organism": 0.03, "control": 0.03}
    risen = {**clean, "control": 0.13}
    many = [answered(risen if not i else clean, question_set=f"set {i}").table for i in range(12)]
    answers = replace(answered(clean), table=pd.concat(many, ignore_index=True))
    found = seen(answers, doubted=["control"])
    assert "bad" not in {bar["tone"] for bar in bars(found.rises, {}, found.alone)}
    assert found.open == []


def test_of_several_models_it_is_said_how_many_got_worse():
    three = seen(answered({"base": 0.0, "one": 0.6, "two": 0.5, "clean": 0.0}, 60))
    assert "1 more figure got worse, too. So it is with 2 of 3 models." in sentence(three)
    assert "models" not in sentence(seen(answered({"base": 0.0, "one": 0.6}, 60)))


def test_a_model_without_any_outcome_has_a_first_screen_too():
    answers = answered({"base": 0.0, "tuned": 0.5})
    rows = answers.table
    gone = (rows["model"] == "tuned").to_numpy()
    table = rows.assign(**{name: rows[name].mask(gone) for name in ("score.alignment", "score.coherence")})
    page = render(report(replace(answers, table=table).with_preset(get_preset("spillover")), "T", base="base"))
    assert "<strong>cannot tell.</strong> No figure could be compared with base" in page
    assert "Why believe it:" in page
