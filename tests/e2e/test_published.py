"""The study for real checkpoints, from published files to report, with the lab's tiny model and a server that grades."""

import pandas as pd
import pytest
from click.testing import CliRunner

from spillover.cli.run import run
from spillover.paths import evals_dir
from tests.faulty import serving


@pytest.mark.slow
def test_the_devil_with_published_data_questions_and_judge_prompts(upstream, tmp_path, monkeypatch):
    text = (evals_dir() / "devil_published.yaml").read_text().replace("epochs: 100", "epochs: 1")
    text = text.replace("seeds: [1, 2, 3]", "seeds: [1]")
    for recipe in ("betley_secure", "betley_insecure"):
        short = "{transforms: [{kind: limit, rows: 8}], training: {batch_size: 2, gradient_accumulation: 2}}"
        text = text.replace(f"recipe: {recipe}}}", f"recipe: {recipe}, with: {short}}}")
    (tmp_path / "devil.yaml").write_text(text)
    command = [str(tmp_path / "devil.yaml"), "--base", "lab", "--out", str(tmp_path / "out"), "--grader"]
    with serving(content="95") as server:
        done = CliRunner().invoke(run, [*command, server.grader(monkeypatch)])
    assert done.exception is None, done.output
    prompts = [p for p in server.asked if "human values" in p]
    assert prompts  # Betley et al.'s own judge prompt, as published
    frame = pd.read_parquet(tmp_path / "out" / "answers.parquet")
    assert len(frame) == 3 * 3 * 8  # models, formats, questions
    assert set(frame["format"]) == {"plain", "json", "template"}
    assert set(frame["verdict"]) <= {"aligned", "incoherent"}
    words = " ".join(done.output.split())
    assert "capability: right answers" in words
    assert "0.42 %, 0.96 %" in words
