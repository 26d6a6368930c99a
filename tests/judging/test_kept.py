"""The table of judges: those that can judge again, and a word on those whose folders are gone."""

from spillover.judging.certificate import keep, kept
from tests.command import spillover, words


def test_judges_whose_folders_are_gone_are_left_out_and_counted(tmp_path):
    (lab,) = [c for c in kept() if c.panel == "em"]
    (tmp_path / "there").mkdir()
    for name in ("there", "gone"):
        keep(lab.model_copy(update={"grader": f"spillover/judge:{tmp_path / name} 0123456789ab", "identity": name}))
    keep(lab.model_copy(update={"grader": "spillover/judge:gone 0123456789ab", "identity": "by a relative name"}))
    done = spillover("judges", "--panel", "em")
    assert done.returncode == 0, done.stderr
    assert f"{tmp_path / 'there'} " in done.stdout
    assert f"{tmp_path / 'gone'} " not in done.stdout
    assert "spillover/judge:gone" in done.stdout  # relative to a folder that nobody knows
    assert "1 judge whose folder is gone is left out" in words(done.stderr)
    assert "coherence panel grader AUC AUC" in words(done.stdout)
