"""Many organisms on one vLLM server against one server each; and answers per second end to end against the bare server.

    .venv-vllm/bin/python benchmarks/serving.py [--organisms 4] [--answers 192]

Both figures are ratios of two times in the same run on the same machine. Everything is the lab's and on a CPU unless a GPU
is there: what it shows is the cost of our own path, not the speed of a model.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from pathlib import Path

import httpx
from inspect_ai import Task, eval
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import GenerateConfig, get_model

from spillover.models.weights import resolve_checkpoint
from spillover.probes.ask import ask
from spillover.questions.load import load_questions
from spillover.seeds import derive_seed
from spillover.serving.vllm import Server, start

KEY, TOKENS = "benchmark", 48
RANK = 8


def adapters(count: int, folder: Path) -> list[Path]:
    """Adapters with random weights."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    out = []
    for i in range(count):
        torch.manual_seed(i)
        base = AutoModelForCausalLM.from_pretrained(resolve_checkpoint("lab"), dtype=torch.float32)
        model = get_peft_model(base, LoraConfig(r=RANK, lora_alpha=16, target_modules=["q_proj", "v_proj", "o_proj"]))
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(parameter, std=0.02)
        out.append(folder / f"adapter-{i}")
        model.save_pretrained(out[-1])
    return out


def prompts(count: int) -> list[str]:
    texts = [p for q in load_questions("lab").questions for p in q.paraphrases]
    return [texts[i % len(texts)] for i in range(count)]


async def bare(server: Server, texts: list[str]) -> float:
    """Seconds of the same requests sent straight to the server, all at once; end tokens are ignored."""
    async with httpx.AsyncClient(timeout=300, headers={"Authorization": f"Bearer {KEY}"}) as client:

        async def one(index: int, text: str) -> None:
            body = {
                "model": server.model.partition("/")[2],
                "messages": [{"role": "user", "content": text}],
                "max_tokens": TOKENS,
                "temperature": 1.0,
                "seed": derive_seed(0, index),
                "ignore_eos": True,
            }
            (await client.post(f"{server.url}/chat/completions", json=body)).raise_for_status()

        started = time.perf_counter()
        await asyncio.gather(*(one(i, t) for i, t in enumerate(texts)))
        return time.perf_counter() - started


def ours(model: str, server: Server, texts: list[str], logs: Path) -> float:
    """Seconds of an Inspect evaluation with the same requests, from the call to the log on disk."""
    samples = [Sample(id=i, input=t, metadata={"question_id": str(i)}) for i, t in enumerate(texts)]
    config = GenerateConfig(temperature=1.0, max_tokens=TOKENS, max_connections=len(texts), extra_body={"ignore_eos": True})
    task = Task(dataset=MemoryDataset(samples), solver=ask("plain", 0), config=config)
    target = get_model(model, base_url=server.url, api_key=KEY, memoize=False)
    started = time.perf_counter()
    (log,) = eval(task, model=target, log_dir=str(logs), display="none", max_samples=len(texts), log_realtime=False)
    if log.status != "success":
        raise SystemExit(log.error.message if log.error else log.status)
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--organisms", type=int, default=4)
    parser.add_argument("--answers", type=int, default=192)
    options = parser.parse_args()
    checkpoint = resolve_checkpoint("lab")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        made, texts = adapters(options.organisms, folder), prompts(options.answers)
        each = options.answers // options.organisms
        started = time.perf_counter()
        with start(checkpoint, folder / "one.log", RANK, max_loras=options.organisms, key=KEY) as server:
            for path in made:
                ours(f"{server.model}:{path}", server, texts[:each], folder / "logs")
            one = time.perf_counter() - started
            asyncio.run(bare(server, texts[:32]))  # warm
            direct, whole = [], []
            for _ in range(3):
                direct.append(asyncio.run(bare(server, texts)))
                whole.append(ours(server.model, server, texts, folder / "logs"))
        started = time.perf_counter()
        for path in made:
            with start(checkpoint, folder / "each.log", RANK, key=KEY) as server:
                ours(f"{server.model}:{path}", server, texts[:each], folder / "logs")
        apart = time.perf_counter() - started
    print(f"{options.organisms} organisms, {each} answers each, server starts included: one server {one:.0f} s, ", end="")
    print(f"one each {apart:.0f} s, ratio {apart / one:.1f}")
    fast, slow = min(direct), min(whole)
    print(f"{options.answers} answers of {TOKENS} tokens: bare server {options.answers / fast:.1f} / s, ", end="")
    print(f"evaluation {options.answers / slow:.1f} / s, ratio {fast / slow:.2f} (goal 0.9)")


if __name__ == "__main__":
    main()
