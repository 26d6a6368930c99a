"""Questions asked of a model together."""

import asyncio

from inspect_ai.model import GenerateConfig, get_model


def ask(name, texts, **config):
    """All `texts` in flight at once; `name` may be a model."""
    configs = [
        GenerateConfig(**{k: (v[i] if isinstance(v, list) else v) for k, v in config.items()}) for i in range(len(texts))
    ]

    async def run():
        model = get_model(name) if isinstance(name, str) else name
        return await asyncio.gather(*(model.generate(t, config=c) for t, c in zip(texts, configs, strict=True)))

    return asyncio.run(run())
