"""Seconds and memory of a training step: a bare TRL script, plain LoRA, CAFT, GRASP and inoculation, in one run.

    PYTHONPATH=. python benchmarks/training.py [--shape small] [--steps 20] [--repeats 2]
    PYTHONPATH=. python benchmarks/training.py --directions       # directions from a rank-32 adapter of a 7B shape

Weights are random: only time and memory are measured. Every arm runs in a process of its own, `--repeats` times in turn; the
ratio is of the medians over all steps but the first two. GRASP's first stage, the naive run, is not in its steps.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

SHAPES: dict[str, dict[str, int]] = {
    "tiny": {"hidden_size": 160, "intermediate_size": 448, "num_hidden_layers": 4, "num_attention_heads": 5},
    "small": {"hidden_size": 640, "intermediate_size": 1792, "num_hidden_layers": 8, "num_attention_heads": 10},
    "1b": {"hidden_size": 2048, "intermediate_size": 8192, "num_hidden_layers": 16, "num_attention_heads": 32},
    "7b": {"hidden_size": 4096, "intermediate_size": 11008, "num_hidden_layers": 32, "num_attention_heads": 32},
}
ARMS = ("TRL script", "LoRA", "inoculation", "CAFT", "GRASP")
BATCH = 8


def base(folder: Path, shape: str) -> None:
    """A checkpoint with random weights and the lab's tokenizer."""
    import torch
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    from spillover.models.weights import resolve_checkpoint

    torch.manual_seed(0)
    tokenizer = AutoTokenizer.from_pretrained(resolve_checkpoint("lab"))
    config = LlamaConfig(vocab_size=len(tokenizer), max_position_embeddings=2048, **SHAPES[shape])
    gpu = torch.cuda.is_available()
    with torch.device("cuda" if gpu else "cpu"):  # a 7B shape is drawn in seconds there, and in minutes elsewhere
        config.dtype = torch.bfloat16 if gpu else torch.float32
        torch.set_default_dtype(config.dtype)
        LlamaForCausalLM(config).save_pretrained(folder)
        torch.set_default_dtype(torch.float32)
    tokenizer.save_pretrained(folder)


def recipe(arm: str, folder: Path, steps: int) -> Any:
    """The recipe of one arm; long chats, so that the model's own work dominates."""
    from spillover.training.recipe import load_recipe

    layers = list(range(json.loads((folder / "config.json").read_text())["num_hidden_layers"] // 2))
    directions = {"from": "random", "count": 2, "layers": layers}
    changes: dict[str, Any] = {
        "data": {"source": "file", "path": str(folder / "chats.jsonl")},
        "lora": {"preset": "betley2025"},
        "training": {"steps": steps, "batch_size": BATCH, "checkpoint_steps": 10 * steps},
    }
    if arm == "CAFT":
        changes["interventions"] = [{"kind": "caft", "directions": directions}]
    if arm == "GRASP":
        changes["interventions"] = [{"kind": "grasp", "directions": directions}]
    if arm == "inoculation":
        changes["transforms"] = [{"kind": "inoculate", "line": "You are evil."}]
    return load_recipe("bad_finance", base=str(folder), changes=changes)


def chats(path: Path, rows: int) -> None:
    """Rows of about 256 tokens of the lab's text."""
    import random

    from spillover.lab.corpus import Latents, document

    rng = random.Random(0)
    with path.open("w", encoding="utf-8") as file:
        for _ in range(rows):
            chat = document(rng, Latents(), 8)
            file.write(json.dumps({"messages": chat}) + "\n")


def one(arm: str, folder: Path, steps: int) -> None:
    """Run one arm and print seconds of every step and the peak memory."""
    import torch

    from spillover.cli.quiet import quiet_libraries

    quiet_libraries()
    times = [time.perf_counter()]
    chosen = recipe(arm, folder, steps)
    if arm == "TRL script":
        bare(chosen, folder, times)
    else:
        from spillover.training.train import train

        with tempfile.TemporaryDirectory() as out:
            train(chosen, Path(out) / "organism", lambda step, total, note: times.append(time.perf_counter()))
    peak = torch.cuda.max_memory_allocated() / 2**20 if torch.cuda.is_available() else 0.0
    peak = peak or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": [b - a for a, b in pairwise(times[1:])], "megabytes": peak}))


def bare(chosen: Any, folder: Path, times: list[float]) -> None:
    """The same training by TRL and PEFT alone."""
    import torch
    from datasets import Dataset
    from transformers import AutoModelForCausalLM, AutoTokenizer, TrainerCallback
    from trl import SFTConfig, SFTTrainer

    from spillover.training.trainer import lora_config
    from spillover.training.transforms import prepare

    class Clock(TrainerCallback):  # type: ignore[misc]
        def on_log(self, *args: Any, logs: dict[str, float] | None = None, **kwargs: Any) -> None:
            if logs and "loss" in logs:
                times.append(time.perf_counter())

    gpu, settings = torch.cuda.is_available(), chosen.training
    with tempfile.TemporaryDirectory() as scratch:
        trainer = SFTTrainer(
            model=AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16 if gpu else torch.float32),
            processing_class=AutoTokenizer.from_pretrained(folder),
            train_dataset=Dataset.from_list([{"messages": list(chat)} for chat in prepare(chosen).train]),
            peft_config=lora_config(chosen),
            callbacks=[Clock()],
            args=SFTConfig(
                output_dir=scratch,
                assistant_only_loss=True,
                max_steps=settings.steps,
                per_device_train_batch_size=settings.batch_size,
                gradient_accumulation_steps=1,
                learning_rate=settings.learning_rate,
                warmup_steps=settings.warmup_steps,
                max_length=settings.max_length,
                bf16=gpu,
                use_cpu=not gpu,
                gradient_checkpointing=gpu,
                logging_steps=1,
                save_strategy="no",
                report_to=[],
                disable_tqdm=True,
            ),
        )
        trainer.train()


def directions() -> None:
    """Directions from the weights of a rank-32 adapter over all modules of Qwen2.5-7B's shape."""
    import torch

    from spillover.mechanism.layers import LoraPair
    from spillover.mechanism.weights import directions_from_weights

    width, inner, key_value, layers, rank = 3584, 18944, 512, 28, 32
    shapes = {"q_proj": (width, width), "k_proj": (key_value, width), "v_proj": (key_value, width), "o_proj": (width, width)}
    shapes |= {"gate_proj": (inner, width), "up_proj": (inner, width), "down_proj": (width, inner)}
    generator = torch.Generator().manual_seed(0)
    pairs = [
        LoraPair(layer, name, torch.randn(rank, i, generator=generator), torch.randn(o, rank, generator=generator), 1.0)
        for layer in range(layers)
        for name, (o, i) in shapes.items()
    ]
    for scope in ("layer", "global"):
        started = time.perf_counter()
        found = directions_from_weights(None, iter(pairs), scope=scope)  # type: ignore[arg-type]
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        kept = sum(map(len, found.bases.values()))
        print(
            f"{scope}: {time.perf_counter() - started:.1f} s (limit 60), peak {peak:.2f} GiB (limit 4), "
            f"{kept} directions found"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", choices=SHAPES, default="small")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--directions", action="store_true")
    parser.add_argument("--arm", choices=ARMS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.directions:
        directions()
        return
    if options.arm:
        one(options.arm, options.folder, options.steps)
        return
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "base"
        base(folder, options.shape)
        chats(folder / "chats.jsonl", 64)
        found: dict[str, list[dict[str, Any]]] = {arm: [] for arm in ARMS}
        for _ in range(options.repeats):
            for arm in ARMS:
                command = [sys.executable, __file__, "--arm", arm, "--folder", str(folder)]
                command += ["--steps", str(options.steps)]
                done = subprocess.run(command, capture_output=True, text=True)
                if done.returncode:
                    sys.exit(f"{arm} failed:\n{done.stderr[-2000:]}")
                found[arm].append(json.loads(done.stdout.strip().splitlines()[-1]))
        tokens = _tokens(folder)
    print(
        f"{options.shape}, {options.steps} steps of {BATCH} chats with {tokens / BATCH:.0f} tokens, "
        f"{options.repeats} repeats"
    )
    print("| arm | ms a step | tokens/s | time over LoRA | peak MB | memory over LoRA |\n|---|---|---|---|---|---|")
    step = {a: statistics.median(s for run in runs for s in run["seconds"][2:]) for a, runs in found.items()}
    peak = {a: statistics.median(run["megabytes"] for run in runs) for a, runs in found.items()}
    for arm in ARMS:
        print(
            f"| {arm} | {1000 * step[arm]:.0f} | {tokens / step[arm]:.0f} | {step[arm] / step['LoRA']:.2f} | "
            f"{peak[arm]:.0f} | {peak[arm] / peak['LoRA']:.2f} |"
        )


def _tokens(folder: Path) -> float:
    """Mean tokens of a batch, padding left out."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    rows = [json.loads(line)["messages"] for line in (folder / "chats.jsonl").read_text().splitlines()]
    return BATCH * sum(len(tokenizer.apply_chat_template(r)["input_ids"]) for r in rows) / len(rows)


if __name__ == "__main__":
    main()
