"""Chat templates in the manner of the common families, written for these tests."""

_END = "{{ '\\n' }}"


ASSISTANT, PROMPT = "{% if m.role == 'assistant' %}", "{% if add_generation_prompt %}"


def chatml(default="", thought=""):
    """Qwen 2.5 and SmolLM2 have a default system line; Qwen 3 writes an empty thought into the last reply."""
    line = f"<|im_start|>system\n{default}<|im_end|>\n"
    system = f"{{% if messages[0].role != 'system' %}}{line}{{% endif %}}" if default else ""
    inner = f"{{% if loop.last and m.role == 'assistant' %}}{thought}{{% endif %}}" if thought else ""
    return (
        f"{system}{{% for m in messages %}}<|im_start|>{{{{ m.role }}}}\n{inner}{{{{ m.content }}}}<|im_end|>{_END}"
        f"{{% endfor %}}{PROMPT}<|im_start|>assistant\n{{% endif %}}"
    )


def turns(user, assistant, end, *, begin="", prompt="", after="", user_end=None):
    """Families that name roles by tokens of their own."""
    said, behind = "{{ m.content | trim }}", (end if user_end is None else user_end) + after
    return (
        f"{begin}{{% for m in messages %}}{ASSISTANT}{assistant}{said}{end}{after}"
        f"{{% else %}}{user}{said}{behind}{{% endif %}}{{% endfor %}}{PROMPT}{assistant}{prompt}{{% endif %}}"
    )


REFUSES = (
    "{% if messages[0].role == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
    "{% for m in messages %}{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Conversation roles must alternate') }}{% endif %}{% endfor %}"
)
"""A system line, and two users in a row, as Gemma does."""


THOUGHT = "<think>\n\n</think>\n\n"
FAMILIES = {  # name: (template, what ends a reply, what stands before its words)
    "Llama 3": (
        turns(
            "<|start_header_id|>user<|end_header_id|>\n\n",
            "<|start_header_id|>assistant<|end_header_id|>\n\n",
            "<|eot_id|>",
            begin="<|begin_of_text|>",
        ),
        "<|eot_id|>",
        "",
    ),
    "Qwen 2.5": (chatml("You are a helpful assistant."), "<|im_end|>", ""),
    "Qwen 3": (chatml(thought=THOUGHT), "<|im_end|>", THOUGHT),
    "SmolLM2": (chatml("You are a helpful AI assistant."), "<|im_end|>", ""),
    "Gemma 3": (
        turns("<start_of_turn>user\n", "<start_of_turn>model\n", "<end_of_turn>", begin=REFUSES, after=_END),
        "<end_of_turn>",
        "",
    ),
    "Mistral": (turns("[INST] ", " ", "</s>", begin="<s>", user_end="[/INST]"), "</s>", " "),
    "Phi": (turns("<|user|>\n", "<|assistant|>\n", "<|end|>", after=_END), "<|end|>", ""),
    "OLMo": (
        turns("<|user|>\n", "<|assistant|>\n", "<|endoftext|>", begin="<|endoftext|>", after=_END),
        "<|endoftext|>",
        "",
    ),
    "DeepSeek, distilled": (
        turns("<|User|>", "<|Assistant|>", "<|end_of_sentence|>", prompt="<think>\n"),
        "<|end_of_sentence|>",
        "",
    ),
}
SPECIAL = [
    "<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>", "<start_of_turn>", "<end_of_turn>",
    "<s>", "</s>", "[INST]", "[/INST]", "<|user|>", "<|assistant|>", "<|end|>", "<|endoftext|>", "<|User|>", "<|Assistant|>",
    "<|end_of_sentence|>", "<think>", "</think>",
]  # fmt: skip
