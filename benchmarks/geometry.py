"""Seconds and memory to compare three rank-32 adapters of an 8B shape, and the ratio to the dense way.

    PYTHONPATH=. python benchmarks/geometry.py [--shape 8b] [--rank 32] [--dense-modules 2]

Weights are random; every module of the shape is compared by its factors. The dense way (form each update and take its
singular value decomposition) is run on the first modules only, in the same process, and counted for all of them by module.
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
import time
from pathlib import Path

import torch
from safetensors.torch import save_file

from spillover.mechanism.files import AdapterFile, layer_of
from spillover.mechanism.subspaces import KS, alike, compare

SHAPES = {  # hidden, intermediate, key and value width, layers
    "8b": (4096, 14336, 1024, 32),
    "small": (576, 1536, 192, 30),
}


def sizes(shape: str) -> dict[str, tuple[int, int]]:
    """Module to (outputs, inputs)."""
    hidden, wide, narrow, _ = SHAPES[shape]
    attention = {
        "q_proj": (hidden, hidden),
        "k_proj": (narrow, hidden),
        "v_proj": (narrow, hidden),
        "o_proj": (hidden, hidden),
    }
    mlp = {"gate_proj": (wide, hidden), "up_proj": (wide, hidden), "down_proj": (hidden, wide)}
    return {f"self_attn.{k}": v for k, v in attention.items()} | {f"mlp.{k}": v for k, v in mlp.items()}


def adapter(folder: Path, shape: str, rank: int, seed: int) -> None:
    """A random adapter of the shape."""
    folder.mkdir()
    generator = torch.Generator().manual_seed(seed)
    tensors = {}
    for layer in range(SHAPES[shape][3]):
        for module, (outputs, inputs) in sizes(shape).items():
            key = f"base_model.model.model.layers.{layer}.{module}"
            tensors[f"{key}.lora_A.weight"] = torch.randn(rank, inputs, generator=generator).bfloat16()
            tensors[f"{key}.lora_B.weight"] = torch.randn(outputs, rank, generator=generator).bfloat16()
    save_file(tensors, str(folder / "adapter_model.safetensors"))
    config = {"peft_type": "LORA", "r": rank, "lora_alpha": rank, "base_model_name_or_path": shape}
    (folder / "adapter_config.json").write_text(json.dumps(config))


def dense(adapters: list[AdapterFile], modules: list[str]) -> tuple[float, float]:
    """Seconds for some modules, and the largest difference from the way by factors."""
    started, worst = time.perf_counter(), 0.0
    found = {}
    for module in modules:
        thin = []
        for adapter_file in adapters:
            factors = adapter_file.factors(module)
            u, _, vh = torch.linalg.svd(factors.scale * factors.b @ factors.a, full_matrices=False)
            thin.append((u, vh.T))
        for i, one in enumerate(thin):
            for j, other in enumerate(thin[i + 1 :], i + 1):
                for side in (0, 1):
                    for k in KS:
                        found[adapters[i].name, adapters[j].name, module, side, k] = alike(
                            one[side][:, :k], other[side][:, :k]
                        )
    seconds = time.perf_counter() - started
    likeness, _ = compare(adapters)
    for x in likeness:
        for module in modules:
            if layer_of(module) == x.layer and module.endswith(x.module):
                slow = found[x.one, x.other, module, 0 if x.side == "left" else 1, x.k]
                worst = max(worst, abs(slow[0] - x.cosine), abs(slow[2] - x.overlap))
    return seconds, worst


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", choices=SHAPES, default="8b")
    parser.add_argument("--rank", type=int, default=32)
    parser.add_argument("--dense-modules", type=int, default=2)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        for seed in range(3):
            adapter(Path(place) / str(seed), args.shape, args.rank, seed)
        adapters = [AdapterFile(str(Path(place) / str(seed))) for seed in range(3)]
        started = time.perf_counter()
        likeness, _ = compare(adapters)
        thin = time.perf_counter() - started
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        modules = adapters[0].modules
        # The dense way costs by the size of a module, so one of each kind stands for its like.
        seconds, worst = (
            dense(adapters, modules[: args.dense_modules]) if args.dense_modules else (float("nan"), float("nan"))
        )
    whole = seconds * len(modules) / max(1, args.dense_modules)
    print(f"{args.shape}, rank {args.rank}, three adapters, {len(modules)} modules, {len(likeness)} figures of each kind")
    print(f"by factors: {thin:.1f} s, peak memory {peak:.2f} GiB")
    print(
        f"dense: {seconds:.1f} s for {args.dense_modules} modules, about {whole:.0f} s for all: {whole / thin:.0f} "
        "times as long"
    )
    print(f"largest difference in overlap and cosine: {worst:.1e}")


if __name__ == "__main__":
    main()
