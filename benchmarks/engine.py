"""Tokens per second of the in-process engine against a bare batched `generate`, Inspect's `hf/` and vLLM.

    python benchmarks/engine.py [--requests 64] [--checkpoint DIR] [--threads 1]

All rows answer the same prompts with the same number of new tokens on the same machine in the same run; the figure to
look at is the ratio. vLLM is measured where it is installed (its own environment).
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import statistics
import tempfile
import time
from pathlib import Path

from spillover.cli.quiet import quiet_libraries

NEW_TOKENS = 48


def prompts(count: int) -> list[str]:
    from spillover.questions.load import load_questions

    texts = [p for q in load_questions("lab").questions for p in q.paraphrases]
    return [texts[i % len(texts)] for i in range(count)]


def bare_generate(path: Path, texts: list[str], threads: int) -> float:
    """One `generate` call on a left-padded batch that holds every prompt; end tokens are ignored."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    torch.set_num_threads(threads)
    tokenizer = AutoTokenizer.from_pretrained(path)
    model = AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32).eval()
    chats = [[{"role": "user", "content": t}] for t in texts]
    batch = tokenizer.apply_chat_template(
        chats, add_generation_prompt=True, return_dict=True, padding=True, padding_side="left", return_tensors="pt"
    )
    started = time.perf_counter()
    with torch.inference_mode():
        model.generate(**batch, do_sample=True, top_k=0, min_new_tokens=NEW_TOKENS, max_new_tokens=NEW_TOKENS)
    return len(texts) * NEW_TOKENS / (time.perf_counter() - started)


def engine(path: Path, texts: list[str], threads: int) -> float:
    """All requests in flight at once; end tokens are ignored, so that the work is the same as the bare call's."""
    from spillover.engine.engine import Engine
    from spillover.engine.request import Request, Sampling

    running = Engine(path, threads=threads, max_batch=len(texts))
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=64)
    parser.add_argument("--checkpoint", default="lab")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    quiet_libraries()
    from spillover.models.weights import resolve_checkpoint

    path, texts = resolve_checkpoint(args.checkpoint), prompts(args.requests)
    bare_generate(path, texts, args.threads)
    pairs = [(bare_generate(path, texts, args.threads), engine(path, texts, args.threads)) for _ in range(args.rounds)]
    bare = statistics.median(b for b, _ in pairs)
    print(
        f"{args.requests} requests, {args.threads} thread(s), median of {args.rounds} rounds; tokens/s, ratio to the first"
    )
    print(f"transformers generate   {bare:8.0f}  1.00")
    ours = statistics.median(e for _, e in pairs)
    print(f"spillover engine        {ours:8.0f}  {statistics.median(e / b for b, e in pairs):.2f}")
    provider = through_inspect(f"spillover/{args.checkpoint}", texts, threads=args.threads)
    print(f"spillover/ in Inspect   {provider:8.0f}  {provider / bare:.2f}  (answers end by themselves)")
    hf = through_inspect("hf/local", texts, model_path=str(path), device="cpu")
    print(f"hf/ in Inspect          {hf:8.0f}  {hf / bare:.2f}  (answers end by themselves)")
    if importlib.util.find_spec("vllm"):
        from spillover.serving.vllm import start

        with tempfile.TemporaryDirectory() as scratch, start(path, Path(scratch) / "server.log") as server:
            vllm = through_inspect(server.model, texts, base_url=server.url, api_key=server.key)
            print(f"vllm/ in Inspect        {vllm:8.0f}  {vllm / bare:.2f}  (answers end by themselves)")


if __name__ == "__main__":
    main()
