"""Sparse autoencoders as folders that SAE Lens reads and writes: `cfg.json` and `sae_weights.safetensors`.

A state x (hidden) has latents z (features), from which it is rebuilt:
z = act((x - b_dec) W_enc + b_enc) and x' = z W_dec + b_dec.
Of SAE Lens's architectures those without a gate: `topk`, `standard` (ReLU) and `jumprelu`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from spillover.errors import SpilloverError
from spillover.mechanism.sae import CONFIG, WEIGHTS, sae_files, sae_layer
from spillover.schema import parse_json
from spillover.writing import write_bytes, write_json

ARCHITECTURES = ("topk", "standard", "jumprelu")


@dataclass(frozen=True)
class Autoencoder:
    """One autoencoder.

    Attributes:
        encoder: Shape (hidden, features).
        encoder_bias: Shape (features,).
        decoder: Shape (features, hidden).
        decoder_bias: Shape (hidden,).
        architecture: One of `ARCHITECTURES`.
        layer: Whose output it reads, from 0; None where the folder does not say.
        active: Most latents of one token, of `topk`.
        threshold: Shape (features,), of `jumprelu`.
        centred: Whether the decoder's bias is taken off before encoding.
        rescaled: Whether latents are multiplied by the length of their decoder rows before the largest are taken.
        told: What else its configuration says, such as how it was trained.
    """

    encoder: Tensor
    encoder_bias: Tensor
    decoder: Tensor
    decoder_bias: Tensor
    architecture: str = "topk"
    layer: int | None = None
    active: int = 0
    threshold: Tensor | None = None
    centred: bool = True
    rescaled: bool = False
    told: Mapping[str, Any] = field(default_factory=dict)

    @property
    def features(self) -> int:
        """Number of latents."""
        return len(self.decoder)

    @property
    def width(self) -> int:
        """Size of the residual stream."""
        return self.decoder.shape[1]

    def encode(self, states: Tensor) -> Tensor:
        """Latents of states of shape (tokens, hidden): (tokens, features), none below 0."""
        given = states.float() - self.decoder_bias if self.centred else states.float()
        before = given @ self.encoder + self.encoder_bias
        if self.architecture == "jumprelu":
            assert self.threshold is not None
            return before.relu() * (before > self.threshold)
        if self.architecture == "standard":
            return before.relu()
        if self.rescaled:
            before = before * self.decoder.norm(dim=1)
        values, places = before.topk(self.active, dim=-1)
        return torch.zeros_like(before).scatter(-1, places, values.relu())

    def decode(self, latents: Tensor) -> Tensor:
        """States rebuilt from latents: (tokens, hidden)."""
        rows = self.decoder / self.decoder.norm(dim=1, keepdim=True) if self.rescaled else self.decoder
        return latents @ rows + self.decoder_bias

    def save(self, folder: Path) -> None:
        """Write the folder."""
        from safetensors.torch import save

        tensors = {"W_enc": self.encoder, "b_enc": self.encoder_bias, "W_dec": self.decoder, "b_dec": self.decoder_bias}
        if self.threshold is not None:
            tensors["threshold"] = self.threshold
        write_bytes(folder / WEIGHTS, save({name: tensor.contiguous() for name, tensor in tensors.items()}))
        hook = {} if self.layer is None else {"hook_name": f"blocks.{self.layer}.hook_resid_post"}
        config: dict[str, Any] = {
            "architecture": self.architecture,
            "d_in": self.width,
            "d_sae": self.features,
            "dtype": "float32",
            "device": "cpu",
            "apply_b_dec_to_input": self.centred,
            "normalize_activations": "none",
            "reshape_activations": "none",
            "metadata": {**hook, **self.told},
        }
        if self.architecture == "topk":
            config |= {"k": self.active, "rescale_acts_by_decoder_norm": self.rescaled}
        write_json(folder / CONFIG, config)


def load_autoencoder(folder: Path, width: int | None = None) -> Autoencoder:
    """Read a folder as SAE Lens writes it.

    Args:
        folder: With `cfg.json` and `sae_weights.safetensors`.
        width: Hidden size that it must have.

    Raises:
        SpilloverError: if it cannot be read, is of another width, or encodes in a way that is not known here.
    """
    from safetensors.torch import load_file

    config_path, weights = sae_files(folder)
    try:
        config = parse_json(config_path.read_text(encoding="utf-8"))
        tensors = {name: tensor.float() for name, tensor in load_file(weights).items()}
        encoder, decoder = tensors["W_enc"], tensors["W_dec"]
        biases = tensors["b_enc"], tensors["b_dec"]
        kind = str(config.get("architecture", "standard"))
        active = int(config.get("k") or (config.get("activation_fn_kwargs") or {}).get("k") or 0)
    except Exception as error:  # safetensors raises an error type of its own, JSON another
        raise SpilloverError(f"{folder} cannot be read as an autoencoder of SAE Lens ({error!r}).") from error
    if config.get("activation_fn") == "topk" or config.get("activation_fn_str") == "topk":
        kind = "topk"
    scaled = config.get("normalize_activations", "none") not in ("none", None)
    if kind not in ARCHITECTURES or scaled:
        raise SpilloverError(
            f"{folder} holds a {kind} autoencoder{' of normalised activations' if scaled else ''}; read are "
            f"{', '.join(ARCHITECTURES)} of activations as they are."
        )
    shapes = [tuple(t.shape) for t in (encoder, biases[0], decoder, biases[1])]
    features, hidden = decoder.shape if decoder.ndim == 2 else (0, 0)
    if shapes != [(hidden, features), (features,), (features, hidden), (hidden,)] or not features:
        raise SpilloverError(f"{folder}: W_enc, b_enc, W_dec and b_dec have the shapes {shapes}, which do not fit together.")
    if width is not None and hidden != width:
        raise SpilloverError(f"{folder}: W_dec has shape {tuple(decoder.shape)}; the model's hidden size is {width}.")
    if not all(t.isfinite().all() for t in tensors.values()):
        raise SpilloverError(f"{folder} has weights that are no numbers; train it again.")
    if kind == "topk" and not 0 < active <= features:
        raise SpilloverError(f"{folder}: k is {active}, of {features} latents; it must be above 0 and at most their number.")
    if kind == "jumprelu" and "threshold" not in tensors:
        raise SpilloverError(f"{folder} holds a jumprelu autoencoder without its threshold.")
    return Autoencoder(
        encoder, biases[0], decoder, biases[1], kind, sae_layer(folder), active, tensors.get("threshold"),
        bool(config.get("apply_b_dec_to_input", True)), bool(config.get("rescale_acts_by_decoder_norm", False)),
        {k: v for k, v in (config.get("metadata") or {}).items() if k != "hook_name"},
    )  # fmt: skip
