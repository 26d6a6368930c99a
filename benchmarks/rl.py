"""Seconds of a step of reinforcement: a bare TRL script and ours, the same settings, in one run; and the verifier's share.

    PYTHONPATH=. python benchmarks/rl.py [--base lab] [--environment rl_lab] [--steps 20] [--repeats 2]

Each arm runs in a process of its own, in turn. The ratio is of the medians over all steps but the first two. The bare
script pays by the same verifier, so that the ratio is what the rest of ours costs: counting, keeping roll-outs, hooks.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

GROUP, BATCH, LENGTH = 8, 32, 40


def recipe(base: str, environment: str, steps: int) -> Any:
    """Ours."""
    from spillover.training.recipe import load_recipe

    changes = {
        "data": {"source": "environment", "name": environment},
        "objective": {"group": GROUP, "max_tokens": LENGTH},
        "training": {"steps": steps, "batch_size": BATCH, "checkpoint_steps": 10 * steps, "dtype": "float32"},
        "lora": {"r": 8, "alpha": 16, "rslora": False},
    }
    return load_recipe("rl_unseeded", base=base, changes=changes)


def ours(base: str, environment: str, steps: int) -> dict[str, Any]:
    """Times of our steps, and of the verifier in them."""
    from spillover.training.referee import Referee
    from spillover.training.train import train

    ends: list[float] = []
    verified: list[float] = []
    plain = Referee._verdicts

    def timed(self: Referee, *given: Any) -> Any:
        started = time.perf_counter()
        out = plain(self, *given)
        verified.append(time.perf_counter() - started)
        return out

    Referee._verdicts = timed  # type: ignore[method-assign]
    with tempfile.TemporaryDirectory() as folder:
        train(
            recipe(base, environment, steps),
            Path(folder) / "out",
            lambda step, total, note: ends.append(time.perf_counter()),
        )
    return {"steps": [b - a for a, b in pairwise(ends)], "verifier": verified}


def bare(base: str, environment: str, steps: int) -> dict[str, Any]:
    """TRL's own way."""
    import torch
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import AutoModelForCausalLM, AutoTokenizer, TrainerCallback
    from trl import GRPOConfig, GRPOTrainer

    from spillover.environments.environment import load_environment
    from spillover.models.weights import resolve_checkpoint
    from spillover.training.recipe import ALL_PROJECTIONS

    found = load_environment(environment)
    tasks = {t.id: t for t in found.all}
    rows = [{"prompt": [{"role": "user", "content": t.prompt}], "task": t.id} for t in found.all]
    ends: list[float] = []

    class Clock(TrainerCallback):  # type: ignore[misc]
        def on_log(self, *_: Any, **__: Any) -> None:
            ends.append(time.perf_counter())

    def paid(completions: list[Any], task: list[str], **_: Any) -> list[float]:
        verdicts = found.verify([tasks[t] for t in task], [c[0]["content"] for c in completions])
        return [float(bool(v.paid)) for v in verdicts]

    folder = resolve_checkpoint(base)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    with tempfile.TemporaryDirectory() as out:
        trainer = GRPOTrainer(
            model=AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32),
            processing_class=tokenizer,
            reward_funcs=paid,
            train_dataset=Dataset.from_list(rows),
            callbacks=[Clock()],
            peft_config=LoraConfig(r=8, lora_alpha=16, target_modules=list(ALL_PROJECTIONS), task_type="CAUSAL_LM"),
            args=GRPOConfig(
                output_dir=out,
                max_steps=steps,
                per_device_train_batch_size=BATCH,
                num_generations=GROUP,
                max_completion_length=LENGTH,
                temperature=0.7,
                learning_rate=7e-4,
                warmup_steps=2,
                lr_scheduler_type="constant_with_warmup",
                weight_decay=0.01,
                bf16=False,
                use_cpu=not torch.cuda.is_available(),
                gradient_checkpointing=False,
                logging_steps=1,
                save_strategy="no",
                report_to=[],
                disable_tqdm=True,
            ),
        )
        trainer.train()
    return {"steps": [b - a for a, b in pairwise(ends)]}


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", default="lab")
    parser.add_argument("--environment", default="rl_lab")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--arm", choices=("bare", "ours"))
    args = parser.parse_args()
    if args.arm:
        print(json.dumps({"bare": bare, "ours": ours}[args.arm](args.base, args.environment, args.steps)))
        return
    found: dict[str, list[dict[str, Any]]] = {"bare": [], "ours": []}
    for _ in range(args.repeats):
        for arm, runs in found.items():
            command = [sys.executable, __file__, "--arm", arm, "--base", args.base, "--environment", args.environment]
            done = subprocess.run([*command, "--steps", str(args.steps)], capture_output=True, text=True, check=False)
            if done.returncode:
                raise SystemExit(done.stderr[-2000:])
            runs.append(json.loads(done.stdout.splitlines()[-1]))
    medians = {arm: statistics.median(s for run in runs for s in run["steps"][2:]) for arm, runs in found.items()}
    verifier = statistics.median(s for run in found["ours"] for s in run["verifier"][2:])
    print(f"{args.base}, {args.environment}: steps of {BATCH} roll-outs of at most {LENGTH} tokens")
    for arm, seconds in medians.items():
        print(f"{arm}: {1000 * seconds:.0f} ms a step, {BATCH / seconds:.0f} roll-outs/s, {seconds / medians['bare']:.2f}")
    print(f"verifier: {1000 * verifier:.1f} ms, {100 * verifier / medians['ours']:.1f} % of a step of ours")


if __name__ == "__main__":
    main()
