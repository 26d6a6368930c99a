"""How many sampled answers hang on the batch that they were in: `python benchmarks/draws.py lab --answers 2000 --tokens 60`.

The same requests, each with its seed, in batches of 64 and of 5: how many answers differ, and tokens a second at 64. With
`--adapter FOLDER` also how many answers of base and adapter are alike, as the gate pairs them.
"""

from __future__ import annotations

import argparse
import time

from spillover.engine.engine import Engine
from spillover.engine.request import Request, Sampling
from spillover.models.weights import resolve_checkpoint
from spillover.questions.load import load_questions


def asked(name: str, answers: int, tokens: int, batch: int, adapter: str | None = None) -> tuple[list[list[int]], float]:
    """Tokens of every answer, and seconds."""
    engine = Engine(resolve_checkpoint(name), max_batch=batch)
    texts = [p for q in load_questions("lab").questions for p in q.paraphrases]
    chats = [[{"role": "user", "content": texts[i % len(texts)]}] for i in range(answers)]
    prompts = [engine.tokenizer.apply_chat_template(c, add_generation_prompt=True, return_dict=False) for c in chats]
    requests = [Request(list(p), Sampling(max_tokens=tokens), seed=i, adapter=adapter) for i, p in enumerate(prompts)]
    started = time.monotonic()
    for request in requests:
        engine.submit(request)
    found = [request.future.result().tokens for request in requests]
    seconds = time.monotonic() - started
    engine.close()
    return found, seconds


def main() -> None:
    """Print one line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint")
    parser.add_argument("--answers", type=int, default=2000)
    parser.add_argument("--tokens", type=int, default=60)
    parser.add_argument("--adapter")
    options = parser.parse_args()
    many, seconds = asked(options.checkpoint, options.answers, options.tokens, 64)
    few, _ = asked(options.checkpoint, options.answers, options.tokens, 5)
    differ = sum(a != b for a, b in zip(many, few, strict=True))
    print(f"{differ} of {len(many)} answers differ; {sum(map(len, many)) / seconds:.0f} tokens/s in batches of 64")
    if options.adapter:
        other, _ = asked(options.checkpoint, options.answers, options.tokens, 64, options.adapter)
        print(
            f"{sum(a == b for a, b in zip(many, other, strict=True))} of {len(many)} answers of base and adapter are alike"
        )


if __name__ == "__main__":
    main()
