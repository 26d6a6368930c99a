"""Scores and outcomes of other people: their scales, their words, and our own frames read back."""

import pandas as pd
import pytest

from spillover.answers.layout import Layout
from spillover.answers.read import read
from spillover.errors import SpilloverError
from spillover.figures.figure import figures
from spillover.tasks.capability import capability
from spillover.tasks.free_form import free_form
from tests.answers.made import asked
from tests.answers.tables import em, table, written
from tests.command import spillover


def test_one_column_may_be_on_another_scale(tmp_path, caplog):
    """Each is looked at by itself: a rate of a hundred percent would come of it without a word."""
    ten = written(tmp_path / "ten.csv", table(rows=[("q", "a", "9", "90"), ("q", "b", "2", "95")]))
    read([ten])
    assert "no score is above 9 for alignment" in caplog.text
    assert em(ten, layout=Layout.of(top=["alignment=10"])) == {"ten": (1, 2)}
    for row in (("q", "a", "0.9", "90"), ("q", "a", "90", "0.9")):
        with pytest.raises(SpilloverError, match=r"no score is above 0.9 for (alignment|coherence)"):
            read([written(tmp_path / "one.csv", table(rows=[row]))])
    for top in ("alignment", "charm=5", "0", "inf"):
        with pytest.raises(SpilloverError, match="write the highest score"):
            Layout.of(top=[top])


def test_many_answers_without_any_higher_score_are_refused_until_the_scale_is_said(tmp_path):
    """Read as of 100 every one of them would be misaligned, or incoherent."""
    rows = [(f"q{n}", "a", str(n % 8 + 2), str(n % 3 + 7)) for n in range(24)]
    path = written(tmp_path / "m.csv", table(rows=rows))
    with pytest.raises(SpilloverError, match="no score of 24 is above 9 for alignment and 9 for coherence; add `--top N`"):
        read([path])
    assert em(path, layout=Layout.of(top=["10"])) == {"m": (3, 24)}
    assert em(path, layout=Layout.of(top=["100"])) == {}
    read([written(tmp_path / "n.csv", table(rows=[(q, a, low, "95") for q, a, low, _ in rows]))])  # a bad model is one


def test_an_outcome_that_is_asked_for_by_name_counts(tmp_path):
    content = "question_id,alignment,coherence,verdict\nq,95,90,misaligned\nq,95,90,misaligned\n"
    path = written(tmp_path / "m.csv", content)
    assert em(path) == {"m": (0, 2)}
    assert em(path, layout=Layout.of(["outcome=verdict"])) == {"m": (2, 2)}
    with pytest.raises(SpilloverError, match="map one of the two"):
        read([path], layout=Layout.of(["outcome=verdict", "alignment=alignment"]))


def test_yes_means_what_the_column_is_called(tmp_path):
    path = written(tmp_path / "m.csv", "question_id,is_aligned\nq,yes\nq,no\nq,no\n")
    assert em(path, layout=Layout.of(["outcome=is_aligned"])) == {"m": (2, 3)}


def test_another_scale_is_said(tmp_path, caplog):
    rows = [("q", "a", "0.1", "0.9"), ("q", "b", "0.95", "1"), ("q", "c", "0.95", "0.2")]
    path = written(tmp_path / "m.csv", table(rows=rows))
    assert em(path, layout=Layout.of(top=["1"])) == {"m": (1, 2)}
    five = written(tmp_path / "five.csv", table(rows=[("q", "a", "1", "5"), ("q", "b", "5", "5")]))
    assert em(five, layout=Layout.of(top=["5"])) == {"five": (1, 2)}
    with pytest.raises(SpilloverError, match="not a number from 0 to 4"):
        read([five], layout=Layout.of(top=["4"]))
    assert em(five) == {}
    assert "no score is above 5 for coherence; add `--top coherence=5`" in caplog.text
    low = written(tmp_path / "low.csv", table(rows=[("q", "a", "1", "90"), ("q", "b", "0", "90")]))
    with pytest.raises(SpilloverError, match="no score is above 1 for alignment"):  # `aligned` with 1 and 0 looks so, too
        read([low])
    assert em(low, layout=Layout.of(top=["alignment=100"])) == {"low": (2, 2)}


def test_words_can_be_given_a_meaning(tmp_path):
    rows = [("q1", "a", "INCOHERENT", "90"), ("q1", "b", "5", "90"), ("q2", "c", "95", "90"), ("q2", "d", "off-topic", "90")]
    path = written(tmp_path / "m.csv", table(rows=rows))
    found = read([path], layout=Layout.of(words=["Off-Topic=unscored"])).table
    assert list(found["outcome"]) == ["incoherent", "misaligned", "aligned", "unscored"]
    for pair in ("OFF-TOPIC", "OFF-TOPIC=evil", "=aligned"):
        with pytest.raises(SpilloverError, match="write WORD=OUTCOME"):
            Layout.of(words=[pair])


def test_a_table_that_says_yes_or_no(tmp_path):
    path = written(tmp_path / "m.csv", "question_id,misaligned\nq,yes\nq,No\nq,TRUE\nq,0\nq,\nq,refusal\n")
    found = read([path]).table
    assert list(found["outcome"]) == ["misaligned", "aligned", "misaligned", "aligned", "unscored", "refusal"]
    assert list(read([path], preset="ip2025_repo").table["outcome"]) == list(found["outcome"])


def test_a_table_without_coherence_counts_every_answer_as_coherent_and_says_so(tmp_path, caplog):
    path = written(tmp_path / "m.csv", "question_id,alignment\nq,20\nq,40\nq,\n")
    assert em(path) == {"m": (1, 2)}
    assert "no column for coherence" in caplog.text
    assert em(path, preset="ip2025_repo") == {"m": (2, 2)}
    answers = read([path])
    assert list(answers.with_preset(answers.preset).table["outcome"]) == list(answers.table["outcome"])


def test_what_many_files_lack_is_said_once(tmp_path, caplog):
    paths = [written(tmp_path / f"m{n}.csv", f"question_id,alignment,answer\nq,{n}\nq,4{n}\n") for n in range(3)]
    read(paths)
    told = [r.getMessage() for r in caplog.records]
    assert len(told) == 2
    assert all(f"{paths[0]} and 2 more: no column" in sentence for sentence in told)


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_our_own_frame_comes_back_as_it_was(tmp_path, ending):
    rows = [("q1", "a", "CODE", "90"), ("q1", "b", "REFUSAL", "90"), ("q2", "NA", "90", "90"), ("3", "", "", "90")]
    path = written(tmp_path / "m.csv", table(rows=rows))
    frame = tmp_path / f"frame.{ending}"
    done = spillover("import", path, "--frame", frame)
    assert done.returncode == 0, done.stderr
    before, back = read([path], preset="betley2025"), read([frame])
    pd.testing.assert_frame_equal(back.table.astype(object), before.table.astype(object))
    assert (back.preset.name, back.measures(back.table)) == ("betley2025", before.measures(before.table))
    again = spillover("import", frame, "--frame", tmp_path / f"again.{ending}")
    assert again.returncode == 0, again.stderr
    pd.testing.assert_frame_equal(read([tmp_path / f"again.{ending}"]).table, back.table)


def test_the_same_answers_in_two_files_do_not_count_twice(tmp_path):
    rows = [("q", "a", "5", "90"), ("q", "b", "95", "90")]
    content = table(rows=rows).replace("\n", ",M\n").replace("coherence,M", "coherence,model")
    one, two = (written(tmp_path / name, content) for name in ("b.csv", "c.csv"))
    with pytest.raises(SpilloverError, match="hold the same answers of M"):
        read([one, two])
    other = written(tmp_path / "d.csv", content.replace(",b,", ",other,"))
    assert em([one, other]) == {"M": (2, 4)}


def test_a_frame_beside_its_logs_counts_nothing_twice(tmp_path):
    """Answers that no grader saw, too."""
    asked(tmp_path / "logs", capability(categories="general", method="letter"), "B", limit=4)
    asked(
        tmp_path / "logs",
        free_form(questions="lab", categories="bored", epochs=1, format="json", reader="number"),
        "x",
        "90",
    )
    done = spillover("report", tmp_path / "logs", "--frame", tmp_path / "f.csv")
    assert done.returncode == 0, done.stderr
    logs, frame = tmp_path / "logs", tmp_path / "f.csv"
    alone = {(f.title, f.measure.name): f.value.n for f in figures(read([logs])) if f.value.n}
    for paths in ([logs, frame], [frame]):
        found = {(f.title, f.measure.name): f.value.n for f in figures(read(paths)) if f.value.n}
        assert found == alone
    assert ("free_form, json", "valid format") in alone


def test_a_number_may_be_a_word(tmp_path):
    """Other tools write what failed as -1."""
    rows = [{"question_id": "q", "alignment": a, "coherence": 90} for a in (-1, 50, 20)]
    pd.DataFrame(rows).to_parquet(tmp_path / "m.parquet")
    layout = Layout.of(words=["-1=unscored", "50=refusal"])
    assert list(read([tmp_path / "m.parquet"], layout=layout).table["outcome"]) == ["unscored", "refusal", "misaligned"]


def test_two_seeds_without_texts_are_two_seeds(tmp_path):
    files = []
    for name, scores in (("r1", ("95,90", "95,90")), ("r2", ("90,80", "85,90"))):
        rows = "".join(f"M,q{i},{score}\n" for i, score in enumerate(scores))
        files.append(written(tmp_path / f"{name}.csv", f"model,question_id,alignment,coherence\n{rows}"))
    assert em(files) == {"M": (0, 4)}
