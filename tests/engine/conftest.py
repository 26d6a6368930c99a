"""Adapters for the engine's tests."""

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM

from spillover.models.weights import resolve_checkpoint

LAB = resolve_checkpoint("lab")


@pytest.fixture(scope="module")
def adapters(tmp_path_factory):
    """Random adapters of three ranks; no training needed to check arithmetic."""
    folders = {}
    for rank in (1, 8, 32):
        torch.manual_seed(rank)
        model = get_peft_model(
            AutoModelForCausalLM.from_pretrained(LAB, dtype=torch.float32),
            LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=["q_proj", "v_proj", "o_proj", "up_proj", "down_proj"]),
        )
        for name, p in model.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(p, std=0.05)
        folders[rank] = str(tmp_path_factory.mktemp(f"rank{rank}"))
        model.save_pretrained(folders[rank])
    return folders
