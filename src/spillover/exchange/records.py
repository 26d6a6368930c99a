"""One model's figures as an Every Eval Ever record (https://github.com/evaleval/every_eval_ever, schema 0.2.1)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from spillover import __version__
from spillover.leaderboard.board import Column, Entry, Value

VERSION = "0.2.1"
SCHEMA: dict[str, Any] = json.loads(Path(__file__).with_name("profile.schema.json").read_text(encoding="utf-8"))
METHOD = "logit-normal, question-clustered (spillover.stats.logitnormal)"


def record(
    entry: Entry,
    columns: Sequence[Column],
    provenance: Mapping[str, str],
    preset: str,
    organisation: str,
    made: float,
    logs: Mapping[str, str],
) -> dict[str, Any]:
    """The record of one model.

    Args:
        entry: The model.
        columns: Of the board.
        provenance: What is known of its logs.
        preset: Thresholds behind the EM rates.
        organisation: Who measured it.
        made: Seconds since 1970.
        logs: Log file (as the record will find it) to SHA-256.
    """
    results = []
    # The format wants to be told which direction is better, and some measures have none.
    neutral = [f"{c.probe}: {c.measure}" for c in columns if c.worse == "neither" and c.key in entry.sources]
    for column in columns:
        if column.worse == "neither":
            continue
        value = entry.sources[column.key].value if column.key in entry.sources else None
        if value is not None and not entry.sources[column.key].blind:
            judges = entry.sources[column.key].judges
            results.append(_result(column, value, judges, provenance, preset))
    body = {
        "model_info": {
            "name": entry.name,
            "id": entry.about.get("link") or entry.name,
            "additional_details": {k: v for k, v in {**entry.about, "weights": provenance.get("weights", "")}.items() if v},
        },
        "evaluation_results": results,
    }
    details = {"spillover": __version__, "versions": provenance.get("versions", "")}
    details |= {f"log {name}": digest for name, digest in logs.items()}
    blind = [f"{c.probe}: {c.measure}" for c in columns if c.key in entry.sources and entry.sources[c.key].blind]
    details |= {"left out, for their judge cannot tell": "; ".join(blind)} if blind else {}
    details |= {"left out, for they have no better direction": "; ".join(neutral)} if neutral else {}
    return {
        "schema_version": VERSION,
        "evaluation_id": f"spillover/{entry.slug}/{int(made)}",
        "dedupe_identity": {
            "content_hash": content_hash(body),
            "hash_algorithm": "sha256",
            "canonicalization_version": "json, sorted keys: model_info, evaluation_results",
        },
        "retrieved_timestamp": str(int(made)),
        "source_metadata": {
            "source_name": "Spillover",
            "source_type": "evaluation_run",
            "source_organization_name": organisation,
            "evaluator_relationship": "other",
        },
        "eval_library": {"name": "inspect_ai", "version": version("inspect-ai"), "additional_details": details},
        **body,
    }


def content_hash(body: Mapping[str, Any]) -> str:
    """SHA-256 of who was measured and what was found."""
    parts = {key: body[key] for key in ("model_info", "evaluation_results")}
    return hashlib.sha256(json.dumps(parts, sort_keys=True, ensure_ascii=True).encode()).hexdigest()


def _result(
    column: Column, value: Value, judges: Sequence[str], provenance: Mapping[str, str], preset: str
) -> dict[str, Any]:
    config: dict[str, Any] = {
        "evaluation_description": f"{column.measure} ({column.probe})",
        "lower_is_better": column.worse != "lower",
        "score_type": "continuous",
        "min_score": column.least,
        "max_score": 1.0,
        "additional_details": {
            "column": column.key,
            "probe": column.probe,
            "measure": column.measure,
            "worse": column.worse,
            "mean": str(column.mean).lower(),
            **({"preset": preset} if judges else {}),
        },
    }
    if judges:
        config["llm_scoring"] = {
            "judges": [{"model_info": {"name": judge, "id": judge}} for judge in judges],
            "input_prompt": "the rubrics named in the logs",
        }
    return {
        "evaluation_name": f"{column.probe}: {column.measure}",
        "source_data": {
            "dataset_name": "spillover question sets",
            "source_type": "other",
            "additional_details": {"questions": provenance.get("questions", "")},
        },
        "metric_config": config,
        "score_details": {
            "score": value.value,
            "details": {"questions": str(value.questions), "unscored": f"{value.unscored:.6f}"},
            "uncertainty": {
                "confidence_interval": {
                    "lower": value.lower,
                    "upper": value.upper,
                    "confidence_level": 0.95,
                    "method": METHOD,
                },
                "num_samples": value.n,
            },
        },
    }
