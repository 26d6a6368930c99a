"""Directions that a sparse autoencoder names: rows of its decoder, picked by hand as in CAFT (arXiv 2507.16795, section 4).

Reads the folder that SAE Lens writes (`sae.save_model(folder)`, also the layout of its releases on the Hub): `cfg.json` and
`sae_weights.safetensors` with `W_dec` of shape (features, hidden). SAE Lens itself is not needed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from spillover.errors import SpilloverError
from spillover.schema import parse_json

if TYPE_CHECKING:
    from spillover.mechanism.directions import Directions

CONFIG, WEIGHTS = "cfg.json", "sae_weights.safetensors"


def sae_files(folder: Path) -> tuple[Path, Path]:
    """Configuration and weights; needs no PyTorch.

    Raises:
        SpilloverError: if the folder does not hold an autoencoder as SAE Lens writes it.
    """
    for name in (CONFIG, WEIGHTS):
        if not (folder / name).is_file():
            raise SpilloverError(f"There is no {name} in {folder}; give a folder that SAE Lens wrote.")
    return folder / CONFIG, folder / WEIGHTS


def sae_layer(folder: Path) -> int | None:
    """Layer whose output the autoencoder reads; None where its configuration does not say.

    TransformerLens calls the output of layer 7 `blocks.7.hook_resid_post`, and also `blocks.8.hook_resid_pre`.

    Raises:
        SpilloverError: if it reads something else than a layer's output, or is malformed.
    """
    config = parse_json((folder / CONFIG).read_text(encoding="utf-8"))
    about = config.get("metadata") if isinstance(config, dict) else None
    if not isinstance(config, dict) or not isinstance(about, dict | None):
        raise SpilloverError(f"{folder / CONFIG} is no configuration of an autoencoder; give a folder that SAE Lens wrote.")
    hook = str(config.get("hook_name") or (about or {}).get("hook_name") or "")
    if not hook:
        return None
    found = re.fullmatch(r"blocks\.(\d+)\.hook_resid_(pre|post)", hook)
    layer = int(found[1]) - (found[2] == "pre") if found else -1
    if layer < 0:
        raise SpilloverError(f"The autoencoder in {folder} reads {hook}, which is no output of a layer.")
    return layer


def sae_directions(folder: Path, features: Sequence[int], hidden: int, layer: int | None = None) -> Directions:
    """The decoder rows of some features as directions at one layer.

    Args:
        folder: As SAE Lens writes it.
        features: Numbers of features, from 0.
        hidden: Size of the model's residual stream.
        layer: Whose output is meant; the autoencoder's own for None.

    Raises:
        SpilloverError: if the autoencoder is of another size or layer, lacks a feature, or does not say its layer.
    """
    from safetensors import safe_open

    from spillover.mechanism.directions import Directions, orthonormal

    _, path = sae_files(folder)
    try:
        own = sae_layer(folder)
        with safe_open(path, framework="pt") as file:
            decoder = file.get_tensor("W_dec").float()
    except SpilloverError:
        raise
    except Exception as error:  # safetensors raises an error type of its own, JSON another
        raise SpilloverError(f"{folder} cannot be read as an autoencoder of SAE Lens ({error}).") from error
    chosen = own if layer is None else layer
    if chosen is None:
        raise SpilloverError(f"{folder} does not say which layer's output it reads; give `layers` with that one layer.")
    if own is not None and chosen != own:
        raise SpilloverError(f"The autoencoder in {folder} reads the output of layer {own}, not of layer {chosen}.")
    if decoder.ndim != 2 or decoder.shape[1] != hidden:
        raise SpilloverError(f"{path}: W_dec has shape {tuple(decoder.shape)}; the model's hidden size is {hidden}.")
    beyond = [f for f in features if f >= len(decoder)]
    if beyond:
        raise SpilloverError(f"{folder} has {len(decoder)} features, numbered from 0; there is no feature {beyond[0]}.")
    rows = decoder[list(features)]
    found = {"method": "sae", "path": str(folder), "features": list(features)}
    return Directions({chosen: orthonormal(rows)}, norms={chosen: rows.norm(dim=1)}, found=found)
