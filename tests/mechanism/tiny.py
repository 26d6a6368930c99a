"""A Llama of two layers with random weights, and the lab's tokenizer."""

import torch
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

from spillover.models.weights import resolve_checkpoint


def tiny_model(seed=0):
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=2560,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=256,
    )
    return LlamaForCausalLM(config).eval()


def tiny_tokenizer():
    return AutoTokenizer.from_pretrained(resolve_checkpoint("lab"))
