"""Records with one thing wrong, and the command that makes right ones."""

import hashlib
import json

from click.testing import CliRunner

from spillover.cli.leaderboard import leaderboard
from spillover.exchange.records import content_hash


def change(body, how, folder):
    """A record with one thing wrong; its hash is right unless that is what is wrong."""
    first = body["evaluation_results"][0]
    scored = first["score_details"]
    interval = scored["uncertainty"]["confidence_interval"]
    match how:
        case "tampered":
            scored["score"] += 0.001
            return
        case "outside":
            interval["upper"] = scored["score"] - 0.01
        case "above one":
            interval["upper"] = 1.5
        case "no width":
            interval["lower"] = interval["upper"] = scored["score"]
        case "too many questions":
            scored["details"]["questions"] = "5000"
        case "no questions":
            scored["details"]["questions"] = "several"
        case "unscored":
            scored["details"]["unscored"] = "1.5"
        case "no judge":
            del first["metric_config"]["llm_scoring"]
        case "no preset":
            del first["metric_config"]["additional_details"]["preset"]
        case "no log":
            details = body["eval_library"]["additional_details"]
            for key in [k for k in details if k.startswith("log ")]:
                del details[key]
        case "log elsewhere":
            details = body["eval_library"]["additional_details"]
            key = next(k for k in details if k.startswith("log "))
            details["log ../../etc/passwd"] = details.pop(key)
        case "another log":
            details = body["eval_library"]["additional_details"]
            details[next(k for k in details if k.startswith("log "))] = "0" * 64
        case "no real log":
            (folder / "logs" / "mine.txt").write_text("believe me")
            digest = hashlib.sha256(b"believe me").hexdigest()
            body["eval_library"]["additional_details"]["log logs/mine.txt"] = digest
        case "nul":
            body["eval_library"]["additional_details"]["log a\0b"] = "0" * 64
        case "too many answers":
            scored["uncertainty"]["num_samples"] = 10**6
        case "another preset":
            first["metric_config"]["additional_details"]["preset"] = "betley2025"
        case "another level":
            interval["confidence_level"] = 0.1
        case "upside down":
            first["metric_config"]["additional_details"]["worse"] = "lower"
        case "another column":
            first["metric_config"]["additional_details"]["measure"] = "right answers"
        case "no column":
            del first["metric_config"]["additional_details"]["column"]
        case "below zero":
            first["metric_config"]["min_score"] = -1.0
        case "old schema":
            body["schema_version"] = "0.1.0"
        case "not a number":
            scored["score"] = float("nan")
    body["dedupe_identity"]["content_hash"] = content_hash(body)


def board(*args):
    """The command `spillover leaderboard`."""
    return CliRunner().invoke(leaderboard, list(map(str, args)), catch_exceptions=True)


NAME = "every_eval_ever.json"


def record(exported):
    (path,) = (exported / "exchange").glob(f"*/{NAME}")
    return path


def site_of(path, out):
    done = board(path, "-o", out)
    assert done.exit_code == 0, done.output
    return json.loads((out / "data" / "index.json").read_text())["models"][0]
