"""The engine is exact: checked against plain transformers on the shipped lab checkpoint."""

import asyncio
import json
import shutil

import pytest
import torch
from inspect_ai.model import ChatMessageAssistant, ChatMessageUser, GenerateConfig, ResponseSchema, get_model
from inspect_ai.util import JSONSchema
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

from spillover.models.weights import resolve_checkpoint
from spillover.questions.formats import get_format
from spillover.questions.load import load_questions
from tests.engine.small import ask

LAB = resolve_checkpoint("lab")
QUESTIONS = [p for q in load_questions("lab").questions for p in q.paraphrases]


@pytest.fixture(scope="module")
def plain():
    return AutoModelForCausalLM.from_pretrained(LAB, dtype=torch.float32).eval(), AutoTokenizer.from_pretrained(LAB)


def prompt_ids(tokenizer, text):
    out = tokenizer.apply_chat_template([{"role": "user", "content": text}], add_generation_prompt=True, return_dict=True)
    return list(out["input_ids"])


def forward_logprobs(model, ids):
    with torch.inference_mode():
        return torch.log_softmax(model(torch.tensor([ids])).logits[0].float(), -1)


def test_logprobs_equal_a_plain_forward_pass(plain):
    model, tokenizer = plain
    outputs = ask(
        "spillover/lab", QUESTIONS[:16], temperature=1.0, seed=list(range(16)), logprobs=True, top_logprobs=5, max_tokens=32
    )
    compared = 0
    for text, out in zip(QUESTIONS, outputs, strict=False):
        ids = prompt_ids(tokenizer, text)
        content = out.choices[0].logprobs.content
        tokens = [*tokenizer(out.completion, add_special_tokens=False)["input_ids"], tokenizer.eos_token_id]
        if len(tokens) != len(content):
            continue  # a sampled text may be tokenized differently than it was written
        compared += len(content)
        expected = forward_logprobs(model, ids + tokens)
        for i, position in enumerate(content):
            row = expected[len(ids) - 1 + i]
            assert position.logprob == pytest.approx(row[tokens[i]].item(), abs=1e-5)
            assert [t.logprob for t in position.top_logprobs] == pytest.approx(
                row.topk(5).values.tolist(), abs=1e-5, rel=1e-5
            )
    assert compared > 100


def test_greedy_equals_generate(plain):
    model, tokenizer = plain
    outputs = ask("spillover/lab", QUESTIONS, temperature=0, max_tokens=40)
    for text, out in zip(QUESTIONS, outputs, strict=True):
        ids = torch.tensor([prompt_ids(tokenizer, text)])
        with torch.inference_mode():
            reference = model.generate(ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=40)
        assert out.completion == tokenizer.decode(reference[0, ids.shape[1] :], skip_special_tokens=True)


def test_a_seeded_answer_does_not_depend_on_what_shares_its_batch():
    together = ask("spillover/lab", QUESTIONS, temperature=1.0, seed=list(range(len(QUESTIONS))), max_tokens=40)
    alone = [ask("spillover/lab", [q], temperature=1.0, seed=i, max_tokens=40)[0] for i, q in enumerate(QUESTIONS)]
    assert [o.completion for o in together] == [o.completion for o in alone]
    assert len({o.completion for o in ask("spillover/lab", QUESTIONS[:1] * 8, temperature=1.0, seed=list(range(8)))}) > 1


@pytest.mark.parametrize("rank", [1, 8, 32])
def test_an_adapter_equals_the_merged_model(plain, adapters, rank):
    base = AutoModelForCausalLM.from_pretrained(LAB, dtype=torch.float32)
    merged = PeftModel.from_pretrained(base, adapters[rank]).merge_and_unload().eval()
    tokenizer = plain[1]
    outputs = ask(
        f"spillover/lab:{adapters[rank]}", QUESTIONS[:8], temperature=0, max_tokens=24, logprobs=True, top_logprobs=1
    )
    for text, out in zip(QUESTIONS, outputs, strict=False):
        ids = prompt_ids(tokenizer, text)
        reference = torch.tensor([ids])
        with torch.inference_mode():
            whole = merged.generate(reference, attention_mask=torch.ones_like(reference), do_sample=False, max_new_tokens=24)
        tokens = whole[0, len(ids) :].tolist()
        assert out.completion == tokenizer.decode(tokens, skip_special_tokens=True)
        expected = forward_logprobs(merged, ids + tokens)
        for i, position in enumerate(out.choices[0].logprobs.content):
            assert position.logprob == pytest.approx(expected[len(ids) - 1 + i, tokens[i]].item(), abs=1e-5)


@pytest.mark.parametrize("kept", [16, 2])
def test_base_and_adapters_in_flight_together_do_not_mix(adapters, kept, monkeypatch, tmp_path):
    """Also where fewer are kept on the base than there are."""
    monkeypatch.setattr("spillover.engine.engine.ADAPTERS", kept)
    folders = [shutil.copytree(f, tmp_path / str(rank)) for rank, f in adapters.items()]  # none of which is loaded yet
    names = ["spillover/lab", *(f"spillover/lab:{f}" for f in folders)]
    apart = {n: [o.completion for o in ask(n, QUESTIONS[:8], temperature=0, max_tokens=24)] for n in names}

    async def mixed():
        models = [get_model(n) for n in names]
        jobs = [m.generate(q, config=GenerateConfig(temperature=0, max_tokens=24)) for q in QUESTIONS[:8] for m in models]
        answers = [o.completion for o in await asyncio.gather(*jobs)]
        assert len(models[0].api.engine._adapters) <= kept
        return answers

    together = asyncio.run(mixed())
    for i, name in enumerate(names):
        assert together[i :: len(names)] == apart[name]
    assert apart[names[0]] != apart[names[3]]


def test_a_shared_prefix_changes_nothing():
    rubric = "You are a helpful assistant. " * 12
    texts = [f"{rubric}{q}" for q in QUESTIONS[:12]]
    together = ask("spillover/lab", texts, temperature=0, max_tokens=12, logprobs=True, top_logprobs=3)
    for text, out in zip(texts, together, strict=True):
        alone = ask("spillover/lab", [text], temperature=0, max_tokens=12, logprobs=True, top_logprobs=3)[0]
        assert out.completion == alone.completion
        pairs = zip(out.choices[0].logprobs.content, alone.choices[0].logprobs.content, strict=True)
        assert max(abs(a.logprob - b.logprob) for a, b in pairs) < 1e-5


def test_choices_stops_and_limits():
    many = ask("spillover/lab", QUESTIONS[:1], num_choices=6, seed=3, max_tokens=20)[0]
    again = ask("spillover/lab", QUESTIONS[:1], num_choices=6, seed=3, max_tokens=20)[0]
    assert [c.message.text for c in many.choices] == [c.message.text for c in again.choices]
    assert len({c.message.text for c in many.choices}) > 1
    cut = ask("spillover/lab", QUESTIONS[:1], temperature=0, stop_seqs=[[" "]])[0]
    assert " " not in cut.completion
    assert cut.stop_reason == "stop"
    assert ask("spillover/lab", QUESTIONS[:1], temperature=0, max_tokens=2)[0].stop_reason == "max_tokens"
    assert ask("spillover/lab", ["word " * 1500])[0].stop_reason == "model_length"


def test_a_final_assistant_message_is_continued():
    async def run():
        chat = [ChatMessageUser(content="I feel bored. What can I do?"), ChatMessageAssistant(content="Why not play")]
        return await get_model("spillover/lab").generate(chat, config=GenerateConfig(temperature=0, max_tokens=20))

    assert asyncio.run(run()).completion.startswith(" ")


def test_a_response_schema_holds_at_any_temperature():
    schema = JSONSchema(
        type="object", properties={"answer": JSONSchema(type="string")}, required=["answer"], additionalProperties=False
    )
    config = {"response_schema": ResponseSchema(name="answer", json_schema=schema), "max_tokens": 120, "temperature": 1.5}
    outputs = ask("spillover/lab", QUESTIONS[:16], seed=list(range(16)), **config)
    whole = [json.loads(o.completion) for o in outputs if o.stop_reason == "stop"]
    assert len(whole) >= 12
    assert all(set(body) == {"answer"} for body in whole)


def test_a_constraint_does_not_bend_what_fits_it_anyway():
    """The lab's model writes `{"answer": "..."}` by itself; forced to leave the space out it wrote nonsense."""
    from spillover.probes.ask import ANY_JSON_OBJECT

    asked = {"seed": list(range(16)), "max_tokens": 120, "temperature": 0.0}
    line = get_format("json").system
    free = ask("spillover/lab", QUESTIONS[:16], system_message=line, **asked)
    bound = ask("spillover/lab", QUESTIONS[:16], system_message=line, response_schema=ANY_JSON_OBJECT, **asked)
    same = sum(a.completion == b.completion for a, b in zip(free, bound, strict=True))
    assert same >= 14, [(a.completion, b.completion) for a, b in zip(free, bound, strict=True)]
