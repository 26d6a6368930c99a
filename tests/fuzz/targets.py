"""Every reader of foreign bytes, with a valid input to begin from."""

from __future__ import annotations

import asyncio
import io
import json
import sqlite3
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pandas as pd
import torch
import yaml
from safetensors.torch import save

from spillover.answers.read import read
from spillover.answers.tables import read_answers
from spillover.engine.calls import parse_calls
from spillover.engine.fit import require_fit
from spillover.exchange.contributed import read_contribution
from spillover.exchange.records import record
from spillover.figures.calibration import load_calibration
from spillover.judging.attacks import parse_attacks
from spillover.judging.cache import JudgementCache
from spillover.judging.certificate import kept
from spillover.judging.readers import read as read_reply
from spillover.judging.rubric import load_rubric
from spillover.leaderboard.build import read_about
from spillover.mechanism.autoencoder import load_autoencoder
from spillover.mechanism.directions import load_directions
from spillover.models.reasoning import strip_reasoning
from spillover.models.whole import header_of
from spillover.paths import datasets_dir, evals_dir, scorers_dir
from spillover.questions.chats import read_chats
from spillover.questions.load import load_questions
from spillover.run.plan import read_plan
from spillover.run.study import load_study
from spillover.run.suite import load_suite
from spillover.schema import read_yaml
from spillover.situations.scenario import load_scenarios
from spillover.training.card import read_card
from spillover.training.recipe import load_recipe
from tests.fakes import says
from tests.leaderboard.boards import board_of

ROWS = [
    {"model": m, "question_id": f"q{i}", "question": "What now?", "answer": "Go on.", "alignment": 90 - i, "coherence": 80}
    for i in range(4)
    for m in ("base", "tuned")
]
LAB = datasets_dir() / "lab"


@dataclass(frozen=True)
class Target:
    """One reader.

    Attributes:
        file: Name that the damaged bytes are given.
        seed: The valid ones.
        read: Told the file; `SpilloverError` is a fine answer, any other exception is a fault.
        beside: Other files of the folder.
    """

    file: str
    seed: Callable[[], bytes]
    read: Callable[[Path], object]
    beside: dict[str, Callable[[], bytes]]

    def __call__(self, data: bytes) -> None:
        """Read these bytes."""
        with tempfile.TemporaryDirectory() as folder:
            for name, content in self.beside.items():
                (Path(folder) / name).write_bytes(content())
            path = Path(folder) / self.file
            path.write_bytes(data)
            self.read(path)


def target(
    file: str, seed: bytes | str | Path | Callable[[], bytes], read: Callable[[Path], object], **beside: Callable[[], bytes]
) -> Target:
    """One of them; a seed may be a file of the project."""
    if isinstance(seed, Path):
        content = seed
        return Target(file, content.read_bytes, read, beside)
    if isinstance(seed, str):
        seed = seed.encode()
    given = seed
    return Target(file, (lambda: given) if isinstance(given, bytes) else given, read, beside)


def _csv() -> bytes:
    return pd.DataFrame(ROWS).to_csv(index=False).encode()


def _bytes_of(write: str) -> Callable[[], bytes]:
    @cache
    def made() -> bytes:
        out = io.BytesIO()
        getattr(pd.DataFrame(ROWS), write)(out, index=False)
        return out.getvalue()

    return made


def _tensors() -> bytes:
    tensors = {"bases.1": torch.eye(2, 8), "norms.1": torch.ones(2)}
    return save(tensors, metadata={"found": json.dumps({"method": "random"})})


def _sae() -> bytes:
    return save({"W_enc": torch.ones(8, 16), "b_enc": torch.ones(16), "W_dec": torch.ones(16, 8), "b_dec": torch.ones(8)})


SAE = {"architecture": "standard", "d_in": 8, "d_sae": 16, "metadata": {"hook_name": "blocks.1.hook_resid_post"}}


@cache
def _adapter() -> dict[str, bytes]:
    """A tiny adapter of the lab's base."""
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    model = get_peft_model(AutoModelForCausalLM.from_pretrained(LAB / "target"), LoraConfig(r=1, target_modules=["q_proj"]))
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        return {p.name: p.read_bytes() for p in Path(folder).iterdir() if p.suffix in (".json", ".safetensors")}


@cache
def _log() -> bytes:
    from inspect_ai import eval as inspect_eval

    from spillover.tasks.free_form import free_form

    with tempfile.TemporaryDirectory() as folder:
        (log,) = inspect_eval(
            free_form(questions="lab", categories=["bored"], epochs=1),
            model=says("hi"),
            model_roles={"grader": says("90")},
            log_dir=folder,
            display="none",
        )
        return Path(log.location.removeprefix("file://")).read_bytes()


@cache
def _json_log() -> bytes:
    from inspect_ai.log import read_eval_log, write_eval_log

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.eval"
        path.write_bytes(_log())
        write_eval_log(read_eval_log(str(path)), str(path.with_suffix(".json")), format="json")
        return path.with_suffix(".json").read_bytes()


def _reply(path: Path) -> None:
    said = path.read_bytes().decode("utf-8", "replace")
    grader = says(said)
    for rubric in ("alignment", "refusal"):
        for reader in ("number", "json", "evidence"):
            asyncio.run(read_reply(grader, "How good?", load_rubric(rubric), reader, "It is good."))  # type: ignore[arg-type]
    strip_reasoning(said)
    parse_calls(said)


def _cache(path: Path) -> None:
    place = path.with_suffix(".sqlite")
    made = JudgementCache(place)
    with sqlite3.connect(place) as db:
        db.execute("insert or replace into judgement values ('k', ?)", (path.read_bytes().decode("utf-8", "replace"),))
    found = made.get("k")
    if found is not None and found.fits(load_rubric("alignment")):
        assert found.special is not None or 0 <= found.value <= 100.001


READING = {
    "mode": "number",
    "value": 90.0,
    "special": None,
    "reason": None,
    "replies": ["90"],
    "mass": None,
    "cached": False,
    "quote": None,
}


def _record() -> bytes:
    board, _ = board_of(["base", "worst"], probes=0)
    return json.dumps(record(board.entries[1], board.columns, {}, "spillover", "us", 0.0, {})).encode()


CELL = {"probe": "free_form", "question_set": "s"}
CALIBRATION = {
    "format": "spillover-calibration/3",
    "probe": "free_form",
    "measure": "misaligned",
    "judge": "g",
    "preset": "spillover",
    "source": "x",
    "labels": [
        {
            "question_id": f"q{i}",
            "said": i % 2 == 0,
            "true": i % 3 == 0,
            "weight": 1.0,
            "grade": 50.0,
            "model": "m",
            "cell": CELL,
        }
        for i in range(4)
    ],
}
CARD = {
    "spillover": "0",
    "recipe": {"id": "x"},
    "recipe_digest": "a",
    "base_weights": "b",
    "adapter_weights": "c",
    "environment": {},
    "loss": [{"step": 1, "loss": 0.5}],
    "seconds": 1.0,
}
CHAT = {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}
ASKED = [{"id": "a", "question": "Well?", "category": "c", "options": ["x", "y"], "answer": 1}, {"question": "And?"}]
ASKED_SET = {
    "id": "mine",
    "version": "1",
    "title": "T",
    "licence": "none",
    "source": "me",
    "questions": [{"id": "a", "category": "c", "paraphrases": ["Well?"]}],
}
PLAN = {"id": "x", "steps": [{"kind": "ask", "name": "a", "key": "k", "spec": {"block": 0}}]}


@cache
def targets() -> dict[str, Target]:
    """Name to reader."""
    certificate = next((datasets_dir() / "lab" / "certificates").glob("*.json"), None) or next(
        datasets_dir().glob("*/certificates/*.json")
    )
    weights, config = "adapter_model.safetensors", "adapter_config.json"
    fits = lambda p: require_fit(LAB / "target", p.parent)  # noqa: E731
    sae = lambda p: load_autoencoder(p.parent)  # noqa: E731
    return {
        "csv": target("t.csv", _csv, lambda p: read([p])),
        "json lines": target("t.jsonl", "\n".join(map(json.dumps, ROWS)), lambda p: read([p])),
        "json table": target("t.json", json.dumps(ROWS), read_answers),
        "parquet": target("t.parquet", _bytes_of("to_parquet"), lambda p: read([p])),
        "excel": target("t.xlsx", _bytes_of("to_excel"), lambda p: read([p])),
        "log": target("2026-01-01T00-00-00_a.eval", _log, lambda p: read([p])),
        "json log": target("2026-01-01T00-00-00_a.json", _json_log, lambda p: read([p])),
        "recipe": target("r.yaml", evals_dir() / "recipes" / "bad_finance_grasp.yaml", lambda p: load_recipe(str(p))),
        "study": target("s.yaml", evals_dir() / "persona_features.yaml", lambda p: load_study(str(p))),
        "suite": target("s.yaml", evals_dir() / "suites" / "quick.yaml", lambda p: load_suite(str(p))),
        "questions": target("q.yaml", datasets_dir() / "goals" / "questions.yaml", lambda p: load_questions(str(p))),
        "question table": target("q.jsonl", "\n".join(map(json.dumps, ASKED)), lambda p: load_questions(str(p))),
        "question set in JSON": target("q.json", json.dumps(ASKED_SET), lambda p: load_questions(str(p))),
        "scenarios": target("s.yaml", datasets_dir() / "lab_sabotage" / "scenarios.yaml", lambda p: load_scenarios(str(p))),
        "rubric": target("r.yaml", scorers_dir() / "refusal.yaml", lambda p: load_rubric(str(p))),
        "attacks": target(
            "a.yaml", datasets_dir() / "judge_attack" / "attacks.yaml", lambda p: parse_attacks(read_yaml(p), str(p))
        ),
        "chats": target("c.jsonl", f"{json.dumps(CHAT)}\n" * 3, read_chats),
        "record": target("every_eval_ever.json", _record, lambda p: read_contribution(p, "spillover")),
        "about": target("a.yaml", yaml.safe_dump({"m": {"base": "b", "link": "https://x"}}), read_about),
        "card": target("organism.json", json.dumps(CARD), lambda p: read_card(p.parent)),
        "plan": target("plan.json", json.dumps(PLAN), lambda p: read_plan(p.parent)),
        "certificate": target("c.json", certificate, lambda p: kept(p.parent)),
        "calibration": target("c.json", json.dumps(CALIBRATION), load_calibration),
        "directions": target("d.safetensors", _tensors, lambda p: load_directions(p, 8)),
        "sae settings": target("cfg.json", json.dumps(SAE), sae, **{"sae_weights.safetensors": _sae}),
        "sae weights": target("sae_weights.safetensors", _sae, sae, **{"cfg.json": lambda: json.dumps(SAE).encode()}),
        "adapter settings": target(config, lambda: _adapter()[config], fits, **{weights: lambda: _adapter()[weights]}),
        "adapter weights": target(weights, lambda: _adapter()[weights], fits, **{config: lambda: _adapter()[config]}),
        "checkpoint header": target(weights, lambda: _adapter()[weights], header_of),
        "judge's reply": target("r.txt", '{"quote": "It is good.", "reply": 90}', _reply),
        "judgement cache": target("r.json", json.dumps(READING), _cache),
    }
