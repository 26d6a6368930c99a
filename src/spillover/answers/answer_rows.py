"""One sample of a log as rows of the table, one for every judge that read it; and outcomes by another rule."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from inspect_ai.log import EvalLog, EvalSample
from inspect_ai.model import ContentReasoning
from inspect_ai.scorer import Score

from spillover.answers.condition import CONDITION
from spillover.answers.judged_by import JUDGED_BY, judged_by
from spillover.answers.measures import UNSCORED
from spillover.answers.presets import Preset
from spillover.answers.presets import Score as Grade
from spillover.answers.rules import rule_of
from spillover.answers.table import judge_name, roles_of, words
from spillover.errors import SpilloverError
from spillover.judging.rubric import of_100
from spillover.models.conversation import last_question
from spillover.models.reasoning import split_reasoning

IMPORTED_MODEL = "imported/"
"""What stands before the name of a model whose answers came from a table: Inspect's names have a provider."""
UNREACHED = "grader_error"
"""How the reason of a reading begins when the grader could not be reached."""
ROUNDING = 1e-6
"""Of a mean of grades, in points."""
IMPOSSIBLE = "impossible_grade"
"""Reason of an answer whose log holds a grade that its rubric can not give."""


def rows_of(log: EvalLog, sample: EvalSample, path: Path) -> Iterator[dict[str, Any]]:
    """One answer by every judge; nothing for a sample that was stopped before it was judged."""
    scores, about, own = sample.scores or {}, log.eval.metadata or {}, sample.metadata
    given = [s for name, s in scores.items() if name != "truth" and _by_us(s)]
    if not given and (sample.error is None or sample.error.message.startswith("Cancelled")):
        return  # a cancelled sample was stopped with the run, it did not fail
    condition = {**dict.fromkeys(CONDITION, ""), **(about.get("condition") or {})}
    condition |= {name: str(own[name]) for name in ("format", "method") if own.get(name)}
    row = {
        "model_id": log.eval.model.removeprefix(IMPORTED_MODEL),
        "probe": about["probe"],
        "question_set": str(about.get("question_set", log.eval.task)),
        "questions": about.get("question_set_digest"),
        "system": about.get("system"),
        "question_id": str(own.get("question_id", sample.id)),
        "category": str(own.get("category", "")),
        "sample_id": str(sample.id),
        "epoch": sample.epoch,
        "seed": about.get("seed"),
        **condition,
        "question": str(own.get("question") or last_question(sample.messages)),
        "answer": "",
        "truncated": bool(sample.output.choices) and sample.output.stop_reason == "max_tokens",
        "run": log.eval.task_id,
        "source": str(path),
        **_tags(own.get("tags")),
        **_truth(scores.get("truth")),
    }
    if not given:
        assert sample.error is not None
        yield {**row, "outcome": UNSCORED, "unscored_reason": f"sample_error: {sample.error.message.split('(')[0][:60]}"}
    for score in given:
        read = _read(score, about)
        thought = _reasoning(sample) if (read["facts"] or {}).get("reasoned") else ""
        yield {**row, **read, **({"reasoning": thought} if thought else {})}


def _reasoning(sample: EvalSample) -> str:
    """What was thought before the answer, wherever the provider puts it: shown where it was judged."""
    parts = sample.output.message.content if sample.output.choices else []
    apart = [c.reasoning for c in parts if isinstance(c, ContentReasoning)] if isinstance(parts, list) else []
    return "\n".join(apart) or split_reasoning(sample.output.completion)[0]


def _by_us(score: Score) -> bool:
    """Whether a score is one of our judges': logs come from everywhere, and another scorer may use the same words."""
    details = score.metadata or {}
    parts = [details.get(key) or {} for key in ("rubrics", "grader", "target", "readings", "facts", "tags")]
    return isinstance(score.value, dict) and "outcome" in score.value and all(isinstance(part, dict) for part in parts)


def _truth(score: Score | None) -> dict[str, Any]:
    value = score.value if score is not None else None
    if not isinstance(value, dict) or value.get("outcome") in (None, UNSCORED):
        return {}
    return {"truth": value["outcome"], "truth_value": value.get("value")}


def _tags(tags: object) -> dict[str, str]:
    return {f"tag.{name}": str(tag) for name, tag in tags.items()} if isinstance(tags, dict) else {}


def _read(score: Score, about: Mapping[str, Any]) -> dict[str, Any]:
    """What one judge made of an answer."""
    value, details = score.value, score.metadata or {}
    assert isinstance(value, dict)
    rubrics, readings = details.get("rubrics") or {}, details.get("readings") or {}
    out: dict[str, Any] = {
        "answer": score.answer or "",
        "weights": (details.get("target") or {}).get("weights"),
        "grader": judge_name(*((details.get("grader") or {}).get(key) for key in ("name", "weights"))) or None,
        "rubrics": _made_by(rubrics) or None,
        "preset": (details.get("preset") or {}).get("name"),
        "outcome": str(value["outcome"]),
        "value": value.get("value"),
        "unscored_reason": value.get("unscored_reason"),
        "grader_failed": any(UNREACHED in str(r.get("reason")) for r in readings.values()),
        "facts": details.get("facts") or None,
        JUDGED_BY: judged_by(details.get("grader_identity"), details.get("reader")),
        **_tags(details.get("tags")),
    }
    for role, reading in readings.items():
        if isinstance(reading.get("quote"), str):
            out[f"quote.{role}"] = reading["quote"]
        if reading.get("special") is not None:
            out[f"word.{role}"] = reading["special"]
        elif reading.get("value") is not None:
            grade = _grade(reading["value"], (rubrics.get(role) or {}).get("scale"))
            out[f"score.{role}"] = grade
            if grade is None:
                out |= {"outcome": UNSCORED, "value": None, "unscored_reason": IMPOSSIBLE, f"why.{role}": IMPOSSIBLE}
        else:
            out[f"why.{role}"] = reading.get("reason")
            continue
        out.setdefault(f"score.{role}", None)
    if about["probe"] == "judge_attack":  # the grader is what is measured
        out["model_id"] = out["grader"] or "none"
    return out


def _grade(value: object, scale: Mapping[str, Any] | None) -> float | None:
    """From 0 to 100, or None for what is no grade on its scale: logs come from everywhere."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    grade = of_100(value, scale)
    return min(max(grade, 0.0), 100.0) if -ROUNDING <= grade <= 100 + ROUNDING else None


def _made_by(rubrics: Mapping[str, Mapping[str, Any]]) -> str:
    """The rubrics behind an outcome; a domain that was asked about besides is no part of it."""
    used = (f"{r['id']}@{r['version']}#{r['digest']}" for role, r in rubrics.items() if role != "domain")
    return " ".join(dict.fromkeys(used))


def by_other_rule(table: pd.DataFrame, preset: Preset) -> pd.DataFrame:
    """The same readings with the outcomes that their probes' rules make of them under other thresholds.

    Raises:
        SpilloverError: if the preset is made for another rubric than the one that graded them.
    """
    roles = roles_of(table)
    if preset.rubric is not None and "alignment" in roles:
        graded = table[table["score.alignment"].notna()]["rubrics"].astype(object).unique()
        others = [used for used in graded if used and f"{preset.rubric}@" not in str(used)]
        if others:
            raise SpilloverError(
                f"The preset {preset.name} is made for grades of the rubric {preset.rubric}; these are of {others[0]}."
            )
    grades: dict[str, list[Grade]] = {}
    for role in roles:
        numbers, special = table[f"score.{role}"], table.get(f"word.{role}")
        texts = [None] * len(table) if special is None else special.astype(object).where(special.notna(), None)
        grades[role] = [w if w is not None else None if n != n else n for n, w in zip(numbers, texts, strict=True)]
    asked = {role: [g is not None for g in grades[role]] for role in roles}
    outcomes: list[tuple[str, float | None]] = []
    tags: dict[str, list[str | None]] = {}
    rules = {probe: rule_of(probe) for probe in words(table["probe"].unique())}
    reasons = [r if isinstance(r, str) else "" for r in table["unscored_reason"].astype(object)]
    for i, (probe, facts, reason) in enumerate(zip(table["probe"], table["facts"], reasons, strict=True)):
        if reason.split(":")[0] in ("no_answer", "sample_error"):
            outcomes.append((UNSCORED, None))
            continue
        found = rules[probe]({role: grades[role][i] for role in roles if asked[role][i]}, facts or {}, preset)
        outcomes.append((found.word or UNSCORED, found.value if found.word else None))
        for name, tag in found.tags.items():
            tags.setdefault(f"tag.{name}", [None] * len(table))[i] = tag
    return table.assign(
        **{name: pd.Categorical(values) for name, values in tags.items()},
        outcome=pd.Categorical([word for word, _ in outcomes]),
        value=pd.Series([value for _, value in outcomes], dtype="float64", index=table.index),
        preset=pd.Categorical([preset.name] * len(table)),
        unscored_reason=pd.Categorical(
            [None if word != UNSCORED else r or "unknown" for (word, _), r in zip(outcomes, reasons, strict=True)]
        ),
    )
