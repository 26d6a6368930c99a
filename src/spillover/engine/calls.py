"""Tool calls by the chat template: how tools and calls are shown to a model, and how its calls are read."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from inspect_ai.model import ChatMessage, ChatMessageAssistant
from inspect_ai.tool import ToolCall, ToolInfo

from spillover.errors import SpilloverError
from spillover.models.reasoning import split_reasoning, strip_reasoning
from spillover.schema import parse_json

_CALL = re.compile(r"<tool_call>(.*?)(?:</tool_call>|\Z)", re.DOTALL)


def require_tool_template(template: str, name: str) -> None:
    """Refuse a model whose template writes calls in another way than `<tool_call>{...}</tool_call>` (Hermes, Qwen, the lab).

    Raises:
        SpilloverError: with what to do instead.
    """
    if "tools" not in template or "<tool_call>" not in template:
        raise SpilloverError(
            f"The chat template of '{name}' has no tools, or does not write calls in <tool_call>; "
            "serve it with vLLM, which has a parser for every family (vllm/MODEL "
            "-M enable_auto_tool_choice= -M tool_call_parser=NAME)."
        )


def require_tools(base: Path) -> None:
    """The same of the checkpoint in a folder, before anything is trained on it.

    Raises:
        SpilloverError: as `require_tool_template`.
    """
    from transformers import AutoTokenizer

    tokenizer: Any = AutoTokenizer.from_pretrained(base, trust_remote_code=False)
    require_tool_template(str(tokenizer.get_chat_template() if tokenizer.chat_template else ""), str(base))


def template_tool(tool: ToolInfo) -> dict[str, Any]:
    """A tool in the layout that chat templates take (OpenAI's)."""
    parameters = tool.parameters.model_dump(exclude_none=True)
    return {"type": "function", "function": {"name": tool.name, "description": tool.description, "parameters": parameters}}


def template_message(message: ChatMessage) -> dict[str, Any]:
    """A message in the layout that chat templates take."""
    out: dict[str, Any] = {"role": message.role, "content": message.text}
    if isinstance(message, ChatMessageAssistant) and message.tool_calls:
        out["tool_calls"] = [
            {"type": "function", "id": c.id, "function": {"name": c.function, "arguments": c.arguments}}
            for c in message.tool_calls
        ]
    return out


def parse_calls(text: str) -> tuple[str, list[ToolCall]]:
    """What was said outside of calls, and the calls; one that can not be read carries its error, which the model is told."""
    calls = []
    said = strip_reasoning(text)  # what was only thought of is not done
    for index, match in enumerate(_CALL.finditer(said)):
        name, arguments, error = _read(match.group(1))
        calls.append(ToolCall(id=f"call_{index}", function=name, arguments=arguments, parse_error=error))
    if not calls:
        return text, []
    thought = split_reasoning(text)[0]
    rest = _CALL.sub("", said).strip()
    return (f"<think>{thought}</think>{rest}" if thought else rest), calls


def _read(body: str) -> tuple[str, dict[str, Any], str | None]:
    try:
        found = parse_json(body)
        name, arguments = found["name"], found.get("arguments", {})
        if isinstance(arguments, str):
            arguments = parse_json(arguments)
        if not isinstance(name, str) or not isinstance(arguments, dict):
            raise TypeError
    except (ValueError, KeyError, TypeError, AttributeError):
        return "unreadable", {}, f'A call must be JSON such as {{"name": "tool", "arguments": {{}}}}, not: {body[:200]}'
    return name, arguments, None
