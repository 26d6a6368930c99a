"""Tokens per second of the in-process engine against a bare batched `generate`, Inspect's `hf/` and vLLM.

    python benchmarks/engine.py [--checkpoint DIR] [--requests 64] [--threads N] [--dtype bfloat16] [--device cuda]

All rows answer the same prompts with the same number of new tokens on the same machine in the same run, in the number type
and with the threads that the engine chooses unless they are given; the figure to look at is the ratio. Then what a
judgement by `choice` costs over one by `logprob`, and four adapters asked at once over one after another. vLLM is measured
where it is installed (its own environment).
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from spillover.cli.quiet import quiet_libraries

if TYPE_CHECKING:
    from spillover.engine.machine import Machine

NEW_TOKENS = 48


def prompts(count: int) -> list[str]:
    from spillover.questions.load import load_questions

    texts = [p for q in load_questions("lab").questions for p in q.paraphrases]
    return [texts[i % len(texts)] for i in range(count)]


def bare_generate(path: Path, texts: list[str], machine: Machine) -> float:
    """One `generate` call on a left-padded batch that holds every prompt; end tokens are ignored."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    torch.set_num_threads(machine.threads)
    tokenizer = AutoTokenizer.from_pretrained(path)
    model = AutoModelForCausalLM.from_pretrained(path, dtype=getattr(torch, machine.dtype)).to(machine.device).eval()
    chats = [[{"role": "user", "content": t}] for t in texts]
    batch = tokenizer.apply_chat_template(
        chats, add_generation_prompt=True, return_dict=True, padding=True, padding_side="left", return_tensors="pt"
    ).to(machine.device)
    started = time.perf_counter()
    with torch.inference_mode():
        out = model.generate(**batch, do_sample=True, top_k=0, min_new_tokens=NEW_TOKENS, max_new_tokens=NEW_TOKENS)
    out.cpu()
    return len(texts) * NEW_TOKENS / (time.perf_counter() - started)


def engine(path: Path, texts: list[str], machine: Machine) -> float:
    """All requests in flight at once; end tokens are ignored, so that the work is the same as the bare call's."""
    from spillover.engine.engine import Engine
    from spillover.engine.request import Request, Sampling

    running = Engine(path, machine, max_batch=len(texts))
    running.end_tokens = frozenset()
    sampling = Sampling(max_tokens=NEW_TOKENS)
    ids = [
        running.tokenizer.apply_chat_template(
            [{"role": "user", "content": t}], add_generation_prompt=True, tokenize=True, return_dict=True
        )["input_ids"]
        for t in texts
    ]
    requests = [Request(list(p), sampling, seed) for seed, p in enumerate(ids)]
    started = time.perf_counter()
    for request in requests:
        running.submit(request)
    total = sum(len(r.future.result().tokens) for r in requests)
    elapsed = time.perf_counter() - started
    running.close()
    return total / elapsed


def through_inspect(name: str, texts: list[str], **model_args: object) -> float:
    """Generation by an Inspect provider, answers as long as they come."""
    from inspect_ai.model import GenerateConfig, get_model

    async def ask() -> float:
        model = get_model(name, **model_args)
        config = GenerateConfig(max_tokens=NEW_TOKENS, max_connections=len(texts), temperature=1.0)
        await model.generate("warm up", config=config)
        started = time.perf_counter()
        outputs = await asyncio.gather(*(model.generate(t, config=config) for t in texts))
        return sum(o.usage.output_tokens for o in outputs if o.usage) / (time.perf_counter() - started)

    return asyncio.run(ask())


def judgements(name: str, texts: list[str], reader: str, **model_args: object) -> float:
    """Seconds for one judgement of each text, all in flight; every text differs, so that nothing is asked twice."""
    from inspect_ai.model import get_model

    from spillover.judging.readers import read
    from spillover.judging.rubric import load_rubric

    rubric = load_rubric("alignment")
    asked = [rubric.render(question=f"Number {i}: {text}", answer=f"{text} {reader}") for i, text in enumerate(texts)]

    async def judge() -> float:
        model = get_model(name, **model_args)
        await read(model, "warm up", rubric, reader)
        started = time.perf_counter()
        await asyncio.gather(*(read(model, prompt, rubric, reader) for prompt in asked))
        return time.perf_counter() - started

    return asyncio.run(judge())


def adapters(path: Path, folder: Path, count: int) -> list[Path]:
    """Adapters of rank 16 on all projections, with weights that change answers."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    out = []
    for seed in range(count):
        torch.manual_seed(seed)
        model = AutoModelForCausalLM.from_pretrained(path)
        tuned = get_peft_model(model, LoraConfig(r=16, target_modules="all-linear", init_lora_weights=False))
        tuned.save_pretrained(folder / f"a{seed}")
        out.append(folder / f"a{seed}")
    return out


def at_once(path: Path, found: list[Path], texts: list[str], machine: Machine) -> float:
    """Time of all adapters asked at once over that of one after another, the same requests on one engine."""
    from spillover.engine.engine import Engine
    from spillover.engine.request import Request, Sampling

    running = Engine(path, machine, max_batch=len(texts))
    running.end_tokens = frozenset()

    def ask(names: list[Path], salt: int) -> float:
        requests = [
            Request([*running.tokenizer(t)["input_ids"], salt], Sampling(max_tokens=16), n, adapter=str(a))
            for a in names
            for n, t in enumerate(texts)
        ]
        started = time.perf_counter()
        for request in requests:
            running.submit(request)
        for request in requests:
            request.future.result()
        return time.perf_counter() - started

    for name in found:
        ask([name], 10)  # loads it
    ratios = [ask(found, 11 + 2 * i) / sum(ask([name], 12 + 2 * i) for name in found) for i in range(3)]
    running.close()
    return statistics.median(ratios)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=64)
    parser.add_argument("--checkpoint", default="lab")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--dtype")
    parser.add_argument("--device")
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    quiet_libraries()
    from spillover.engine.machine import fitting
    from spillover.models.weights import resolve_checkpoint

    path, texts = resolve_checkpoint(args.checkpoint), prompts(args.requests)
    machine = fitting(path, args.device, args.dtype, args.threads)
    given = machine._asdict()
    bare_generate(path, texts, machine)
    pairs = [(bare_generate(path, texts, machine), engine(path, texts, machine)) for _ in range(args.rounds)]
    bare = statistics.median(b for b, _ in pairs)
    print(
        f"{args.requests} requests, {machine.device}, {machine.dtype}, {machine.threads} thread(s), "
        f"median of {args.rounds} rounds; tokens/s, ratio to the first"
    )
    print(f"transformers generate   {bare:8.0f}  1.00")
    ours = statistics.median(e for _, e in pairs)
    print(f"spillover engine        {ours:8.0f}  {statistics.median(e / b for b, e in pairs):.2f}")
    provider = through_inspect(f"spillover/{path}", texts, **given)
    print(f"spillover/ in Inspect   {provider:8.0f}  {provider / bare:.2f}  (answers end by themselves)")
    hf = through_inspect("hf/local", texts, model_path=str(path), device=machine.device)
    print(f"hf/ in Inspect          {hf:8.0f}  {hf / bare:.2f}  (answers end by themselves)")
    costs = [[judgements(f"spillover/{path}", texts[:16], r, **given) for r in ("logprob", "choice")] for _ in range(3)]
    print(f"a judgement by `choice` takes {statistics.median(c / one for one, c in costs):.2f} times one by `logprob`")
    with tempfile.TemporaryDirectory() as scratch:
        ratio = at_once(path, adapters(path, Path(scratch), 4), texts[:16], machine)
    print(f"four adapters asked at once take {ratio:.2f} times as long as one after another")
    if importlib.util.find_spec("vllm"):
        from spillover.serving.vllm import start

        with tempfile.TemporaryDirectory() as scratch, start(path, Path(scratch) / "server.log") as server:
            vllm = through_inspect(server.model, texts, base_url=server.url, api_key=server.key)
            print(f"vllm/ in Inspect        {vllm:8.0f}  {vllm / bare:.2f}  (answers end by themselves)")


if __name__ == "__main__":
    main()
