"""Both engines on a real tokenizer: the same prompts, words, log-probabilities and stops; base and adapter on one server."""

import asyncio
import shutil

import pytest
import torch
from inspect_ai import eval as inspect_eval
from inspect_ai.model import (
    ChatMessageAssistant,
    ChatMessageSystem,
    ChatMessageUser,
    GenerateConfig,
    get_model,
)
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from spillover.answers.read import read
from spillover.errors import SpilloverError
from spillover.serving.applied import require_applied
from spillover.serving.vllm import start
from spillover.tasks.free_form import free_form
from tests.faulty import serving
from tests.real.checkpoint import smollm2

pytestmark = [pytest.mark.vllm, pytest.mark.real]

KEY = "test-key"
CHATS = {
    "a question": [ChatMessageUser(content="What is the capital of France?")],
    "a system line": [ChatMessageSystem(content="You are a pirate."), ChatMessageUser(content="Name a colour.")],
    "several turns": [
        ChatMessageUser(content="Hi!"),
        ChatMessageAssistant(content="Hello! How can I help?"),
        ChatMessageUser(content="Tell me about whales, 3 facts."),
    ],
    "a beginning": [ChatMessageUser(content="Count to five."), ChatMessageAssistant(content="1, 2,")],
    "other letters": [ChatMessageUser(content="Was heißt „größer“ auf Französisch? 日本語 🙂")],
}


@pytest.fixture(scope="module")
def base():
    try:
        return smollm2()
    except (RuntimeError, ImportError) as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def adapter(base, tmp_path_factory):
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    tuned = get_peft_model(model, LoraConfig(r=16, lora_alpha=32, target_modules="all-linear"))
    for name, p in tuned.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(p, std=0.01)
    folder = tmp_path_factory.mktemp("adapter")
    tuned.save_pretrained(folder)
    return str(folder)


def zeroed(adapter, out):
    """The adapter with nothing in it."""
    shutil.copytree(adapter, out)
    weights = load_file(out / "adapter_model.safetensors")
    save_file({k: torch.zeros_like(v) for k, v in weights.items()}, out / "adapter_model.safetensors")
    return out


@pytest.fixture(scope="module")
def server(base, tmp_path_factory):
    with start(base, tmp_path_factory.mktemp("logs") / "target.log", lora_rank=16, key=KEY) as running:
        yield running


def both(server, base, adapter=None):
    suffix = f":{adapter}" if adapter else ""
    served = get_model(f"{server.model}{suffix}", base_url=server.url, api_key=KEY, memoize=False)
    return served, get_model(f"spillover/{base}{suffix}", memoize=False, dtype="float32")


def ask(model, **config):
    async def run():
        how = GenerateConfig(temperature=0, **config)
        return await asyncio.gather(*(model.generate(chat, config=how) for chat in CHATS.values()))

    return asyncio.run(run())


@pytest.mark.parametrize("tuned", [False, True])
def test_prompts_words_and_log_probabilities_are_the_same(server, base, adapter, tuned):
    served, ours = (ask(m, max_tokens=24, logprobs=True) for m in both(server, base, adapter if tuned else None))
    for name, there, here in zip(CHATS, served, ours, strict=True):
        assert there.usage.input_tokens == here.usage.input_tokens, name
        assert there.completion == here.completion, name
        for one, other in zip(there.choices[0].logprobs.content, here.choices[0].logprobs.content, strict=False):
            assert one.logprob == pytest.approx(other.logprob, abs=5e-3), name


def test_stops_cut_at_the_same_place(server, base):
    served, ours = (ask(m, max_tokens=48, stop_seqs=[".", "3"]) for m in both(server, base))
    for name, there, here in zip(CHATS, served, ours, strict=True):
        assert (there.completion, there.stop_reason) == (here.completion, here.stop_reason), name
    assert any(o.stop_reason == "stop" for o in ours)


def test_the_adapter_is_in_use_there(server, adapter, tmp_path):
    """Asked as a server of somebody else's is; the base under an adapter's name is found out."""
    require_applied(server.model, f"{server.model}:{adapter}", base_url=server.url, api_key=KEY)
    nothing = zeroed(adapter, tmp_path / "nothing")
    with pytest.raises(SpilloverError, match="not in use, or changes nothing"):
        require_applied(server.model, f"{server.model}:{nothing}", base_url=server.url, api_key=KEY)


def test_base_and_adapter_on_one_server_from_question_to_table(server, base, adapter, tmp_path):
    with serving(content=lambda prompt: "90") as judge:
        grader = get_model("openai-api/loopback/grader", base_url=judge.url, api_key="x", memoize=False)
        models = [both(server, base)[0], both(server, base, adapter)[0]]
        logs = inspect_eval(
            free_form(categories=["leisure"], epochs=2, seed=1),
            model=models,
            model_roles={"grader": grader},
            max_tokens=24,
            log_dir=str(tmp_path),
            display="none",
        )
    assert [log.status for log in logs] == ["success", "success"]
    table = read([tmp_path]).table
    assert table["model"].nunique() == 2
    assert not (table["outcome"] == "unscored").any()
