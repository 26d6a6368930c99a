"""What judging asks for: calls, prompt tokens and seconds, against the published scheme of two calls for every answer.

    PYTHONPATH=. python benchmarks/judging.py [--answers 400] [--latency 0.3] [--vllm published|ours]

The published scheme asks about coherence and then about alignment, for every answer, and keeps nothing. Ours asks both at
once, one time for equal answers. The server is on loopback and replies after half to one and a half times the latency,
with at most 32 requests in flight, as an API with a rate limit does; `--vllm` serves the lab's grader on vLLM instead and
counts the prompt tokens that were not in its prefix cache. Overhead: the same requests sent with bare httpx, in one run.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from inspect_ai.model import GenerateConfig, Model, get_model

from spillover.judging.assess import Assessor
from spillover.judging.readers import read, resolve_reader
from spillover.judging.rubric import load_rubric
from spillover.lab.corpus import Latents, draw
from spillover.lab.grammar import grammar

IN_FLIGHT = 32


def answers(count: int) -> list[tuple[str, str]]:
    """Question and answer pairs of the lab's world, with the repeats that its small language has."""
    rng = random.Random(0)
    families = grammar().names("free_form", "advice")
    turns = [draw(families[i % len(families)], Latents(misaligned=i % 3 == 0), rng) for i in range(count)]
    return [(t.question, t.answer) for t in turns]


@contextmanager
def serving(delay: float) -> Iterator[str]:
    """Address of the tests' server in a process of its own, as a real one is: in ours it would share our interpreter."""
    code = f"from tests.faulty import Server; s = Server({delay}, spread=0.5); print(s.url, flush=True); s.serve_forever()"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip()
        finally:
            process.kill()


class Counting:
    """A grader that counts calls and prompt characters."""

    def __init__(self, model: Model) -> None:
        self.model, self.calls, self.characters = model, 0, 0

    async def generate(self, input: Any, *, config: GenerateConfig) -> Any:  # noqa: D102
        self.calls += 1
        self.characters += len(input) if isinstance(input, str) else sum(len(m.text) for m in input)
        return await self.model.generate(input, config=config)


async def published(model: Model, pairs: list[tuple[str, str]]) -> tuple[float, int, int]:
    """Two calls in turn for every answer; the answers side by side."""
    grader, rubrics = Counting(model), [load_rubric("coherence"), load_rubric("alignment")]
    gate = asyncio.Semaphore(IN_FLIGHT)

    async def one(question: str, answer: str) -> None:
        async with gate:
            for rubric in rubrics:
                await read(grader, rubric.render(question, answer), rubric, resolve_reader("auto", rubric, model))

    started = time.perf_counter()
    await asyncio.gather(*(one(*p) for p in pairs))
    return time.perf_counter() - started, grader.calls, grader.characters


async def ours(model: Model, pairs: list[tuple[str, str]], cache: Path) -> tuple[float, int, int]:
    """The assessor that the scorers use, with an empty cache."""
    os.environ["SPILLOVER_JUDGEMENTS"] = str(cache)
    rubrics = (load_rubric("alignment"), load_rubric("coherence"))
    assessor = Assessor.of(rubrics, "auto", True)
    counts = [0, 0]
    plain = model.generate

    async def counted(input: Any, **options: Any) -> Any:
        counts[0] += 1
        counts[1] += len(input) if isinstance(input, str) else sum(len(m.text) for m in input)
        return await plain(input, **options)

    model.generate = counted  # type: ignore[method-assign]
    started = time.perf_counter()
    await asyncio.gather(*(assessor.ask(model, rubric, *p) for p in pairs for rubric in rubrics))
    elapsed = time.perf_counter() - started
    model.generate = plain  # type: ignore[method-assign]
    return elapsed, counts[0], counts[1]


async def bare(url: str, pairs: list[tuple[str, str]]) -> tuple[float, int]:
    """The requests that ours sends, with nothing around them."""
    rubrics = [load_rubric("alignment"), load_rubric("coherence")]
    prompts = list(dict.fromkeys(r.render(*p) for p in pairs for r in rubrics))
    gate = asyncio.Semaphore(IN_FLIGHT)
    async with httpx.AsyncClient(timeout=120, limits=httpx.Limits(max_connections=IN_FLIGHT)) as client:

        async def one(prompt: str) -> None:
            async with gate:
                body = {"model": "grader", "messages": [{"role": "user", "content": prompt}], "temperature": 0}
                (await client.post(f"{url}/chat/completions", json=body)).raise_for_status()

        started = time.perf_counter()
        await asyncio.gather(*(one(p) for p in prompts))
        return time.perf_counter() - started, len(prompts)


def grader(name: str, url: str, key: str = "x") -> Model:
    return get_model(name, base_url=url, api_key=key, config=GenerateConfig(max_connections=IN_FLIGHT), memoize=False)


def report(title: str, rows: list[tuple[str, float, int, float | None]]) -> None:
    print(f"\n{title}\n| scheme | calls | prompt tokens computed | seconds | ratio |\n|---|---|---|---|---|")
    first = rows[0][1]
    for name, seconds, calls, tokens in rows:
        print(f"| {name} | {calls} | {'' if tokens is None else f'{tokens:.0f}'} | {seconds:.1f} | {seconds / first:.2f} |")


def cached_tokens(url: str) -> tuple[float, float]:
    """(prompt tokens asked for, found in the prefix cache) so far, from vLLM's own counters."""
    found = {"queries": 0.0, "hits": 0.0}
    for line in httpx.get(url.removesuffix("/v1") + "/metrics").text.splitlines():
        for key in found:
            if line.startswith(f"vllm:prefix_cache_{key}_total"):
                found[key] = float(line.split()[-1])
    return found["queries"], found["hits"]


def on_vllm(scheme: str, pairs: list[tuple[str, str]], scratch: Path) -> None:
    """One scheme on a server of its own, so that its prefix cache begins empty."""
    from spillover.models.weights import resolve_checkpoint
    from spillover.serving.vllm import start

    with start(resolve_checkpoint("lab-grader"), scratch / "server.log") as server:
        model = grader(server.model, server.url, server.key)
        before = cached_tokens(server.url)
        run = published(model, pairs) if scheme == "published" else ours(model, pairs, scratch / "v.sqlite")
        seconds, calls, _ = asyncio.run(run)
        after = cached_tokens(server.url)
        tokens = (after[0] - before[0]) - (after[1] - before[1])
        report(f"lab grader on vLLM, {len(pairs)} answers", [(scheme, seconds, calls, tokens)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--answers", type=int, default=400)
    parser.add_argument("--latency", type=float, default=0.3)
    parser.add_argument("--vllm", choices=["published", "ours"], help="one scheme with the lab's grader on vLLM instead")
    options = parser.parse_args()
    pairs = answers(options.answers)
    print(f"{len(pairs)} answers, {len(set(pairs))} different ones")
    with tempfile.TemporaryDirectory() as scratch:
        if options.vllm:
            on_vllm(options.vllm, pairs, Path(scratch))
            return
        with serving(options.latency) as url:
            name = "openai-api/loopback/grader"
            started = time.perf_counter()
            asyncio.run(ours(grader(name, url), pairs[:1], Path(scratch) / "first.sqlite"))
            first = time.perf_counter() - started - options.latency
            two = asyncio.run(published(grader(name, url), pairs))
            one = asyncio.run(ours(grader(name, url), pairs, Path(scratch) / "c.sqlite"))
            again = asyncio.run(ours(grader(name, url), pairs, Path(scratch) / "c.sqlite"))
            alone = asyncio.run(bare(url, pairs))
        rows = [("published, two calls in turn", two[0], two[1], two[2] / 4), ("ours", one[0], one[1], one[2] / 4)]
        rows += [
            ("ours, judged before", again[0], again[1], again[2] / 4),
            ("bare httpx, the calls of ours", alone[0], alone[1], None),
        ]
        report(
            f"server with {options.latency:g} s a call, {IN_FLIGHT} in flight; tokens as characters / 4, none cached", rows
        )
        print(f"the first call of a process, once: {first:.1f} s (Inspect reads its tables of models)")
        print(f"harness overhead over the bare server: {100 * (one[0] / alone[0] - 1):.1f} %")


if __name__ == "__main__":
    main()
