"""The engine is exact: checked against plain transformers on the shipped lab checkpoint."""

import asyncio
import json
import random

import pytest
import torch
from inspect_ai.model import ChatMessageAssistant, ChatMessageUser, GenerateConfig, ResponseSchema, get_model
from inspect_ai.util import JSONSchema
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoModelForCausalLM, AutoTokenizer

from spillover.engine.request import Request, Sampling
from spillover.engine.sampling import sample
from spillover.errors import SpilloverError
from spillover.models.weights import resolve_checkpoint, weights_digest
from spillover.questions.formats import get_format
from spillover.questions.load import load_questions

LAB = resolve_checkpoint("lab")
QUESTIONS = [p for q in load_questions("lab").questions for p in q.paraphrases]


@pytest.fixture(scope="module")
def plain():
    return AutoModelForCausalLM.from_pretrained(LAB, dtype=torch.float32).eval(), AutoTokenizer.from_pretrained(LAB)


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


def prompt_ids(tokenizer, text):
    out = tokenizer.apply_chat_template([{"role": "user", "content": text}], add_generation_prompt=True, return_dict=True)
    return list(out["input_ids"])


def ask(name, texts, **config):
    """All `texts` in flight at once."""
    configs = [
        GenerateConfig(**{k: (v[i] if isinstance(v, list) else v) for k, v in config.items()}) for i in range(len(texts))
    ]

    async def run():
        model = get_model(name)
        return await asyncio.gather(*(model.generate(t, config=c) for t, c in zip(texts, configs, strict=True)))

    return asyncio.run(run())


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


def test_base_and_adapters_in_flight_together_do_not_mix(adapters):
    names = ["spillover/lab", *(f"spillover/lab:{f}" for f in adapters.values())]
    apart = {n: [o.completion for o in ask(n, QUESTIONS[:8], temperature=0, max_tokens=24)] for n in names}

    async def mixed():
        models = [get_model(n) for n in names]
        jobs = [m.generate(q, config=GenerateConfig(temperature=0, max_tokens=24)) for q in QUESTIONS[:8] for m in models]
        return [o.completion for o in await asyncio.gather(*jobs)]

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


def test_sampling_follows_the_distribution_within_top_p_and_top_k():
    logits = torch.log(torch.tensor([[0.5, 0.3, 0.15, 0.05]]))
    rng = random.Random(0)

    def draw(n, **kw):
        counts = [0] * 4
        requests = [Request([1], Sampling(1, **kw), rng.getrandbits(32)) for _ in range(n)]
        for token in sample(logits.expand(n, -1), requests):
            counts[token] += 1
        return [c / n for c in counts]

    assert draw(8000) == pytest.approx([0.5, 0.3, 0.15, 0.05], abs=0.02)
    assert draw(2000, top_p=0.6)[2:] == [0, 0]
    assert draw(2000, top_k=1) == [1, 0, 0, 0]
    assert draw(4000, temperature=0.5)[0] == pytest.approx(0.25 / (0.25 + 0.09 + 0.0225 + 0.0025), abs=0.03)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("spillover/nowhere", "No checkpoint at 'nowhere'"),
        ("spillover/lab:nowhere", "No adapter at 'nowhere'"),
    ],
)
def test_a_missing_model_is_one_sentence(name, message):
    with pytest.raises(SpilloverError, match=message):
        get_model(name)
    with pytest.raises(SpilloverError, match="Unknown model argument 'colour'"):
        get_model("spillover/lab", colour="red")


def test_pickled_weights_are_refused(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "pytorch_model.bin").write_bytes(b"")
    with pytest.raises(SpilloverError, match="pickled weights are not loaded"):
        resolve_checkpoint(str(tmp_path))
    (tmp_path / "adapter_config.json").write_text("{}")
    with pytest.raises(SpilloverError, match=r"no adapter_model\.safetensors"):
        get_model(f"spillover/lab:{tmp_path}")


def test_the_digest_changes_with_the_weights_and_with_the_template(tmp_path):
    import shutil

    copy = tmp_path / "copy"
    shutil.copytree(LAB, copy)
    assert weights_digest(copy) == weights_digest(LAB)
    (copy / "chat_template.jinja").write_text("other")
    assert weights_digest(copy) != weights_digest(LAB)


def test_a_closed_model_loads_again_and_a_cancelled_answer_leaves_the_others_alone():
    async def run():
        model = get_model("spillover/lab", memoize=False)
        first = await model.generate(QUESTIONS[0], config=GenerateConfig(temperature=0, max_tokens=20))
        model.api.close()
        second = await model.generate(QUESTIONS[0], config=GenerateConfig(temperature=0, max_tokens=20))
        config = GenerateConfig(temperature=0, max_tokens=200, stop_seqs=["never said"])
        doomed = asyncio.create_task(model.generate(QUESTIONS[1], config=config))
        await asyncio.sleep(0.01)
        doomed.cancel()
        third = await model.generate(QUESTIONS[0], config=GenerateConfig(temperature=0, max_tokens=20))
        return first.completion, second.completion, third.completion

    assert len(set(asyncio.run(run()))) == 1


def test_two_evaluations_in_one_process(tmp_path):
    from inspect_ai import Task
    from inspect_ai import eval as inspect_eval
    from inspect_ai.dataset import Sample

    task = Task(dataset=[Sample(input=q) for q in QUESTIONS[:4]])
    runs = [inspect_eval(task, model="spillover/lab", log_dir=str(tmp_path), display="none")[0] for _ in range(2)]
    assert [log.status for log in runs] == ["success", "success"]


def test_an_adapter_that_does_not_fit_leaves_the_base_as_it_was(adapters, tmp_path):
    import shutil

    from safetensors.torch import load_file, save_file

    bad = tmp_path / "bad"
    shutil.copytree(adapters[8], bad)
    tensors = load_file(bad / "adapter_model.safetensors")
    name = next(k for k in tensors if k.endswith("o_proj.lora_A.weight"))
    tensors[name] = tensors[name][:, :7].contiguous()
    save_file(tensors, bad / "adapter_model.safetensors")
    before = [o.completion for o in ask("spillover/lab", QUESTIONS[:6], temperature=0, max_tokens=24)]
    with pytest.raises(SpilloverError, match="cannot be loaded on this base"):
        ask(f"spillover/lab:{bad}", QUESTIONS[:1], temperature=0)
    assert [o.completion for o in ask("spillover/lab", QUESTIONS[:6], temperature=0, max_tokens=24)] == before


def test_adapters_with_similar_paths_are_told_apart(adapters, tmp_path):
    import shutil

    (tmp_path / "a").mkdir()
    first = shutil.copytree(adapters[8], tmp_path / "a" / "b")
    second = shutil.copytree(adapters[32], tmp_path / "a_b")
    texts = []
    for folder in (first, second, first):
        outputs = ask(f"spillover/lab:{folder}", QUESTIONS[:6], temperature=0, max_tokens=24)
        texts.append([o.completion for o in outputs])
    assert texts[0] == texts[2] != texts[1]


def test_closing_leaves_no_request_waiting():
    from spillover.engine.engine import Engine

    engine = Engine(LAB)
    requests = [Request([5, 6, 7], Sampling(200, stop=("never",)), i) for i in range(90)]
    for request in requests:
        engine.submit(request)
    engine.close()
    late = Request([5, 6, 7], Sampling(5), 0)
    engine.submit(late)
    for request in [*requests, late]:
        assert request.future.exception(timeout=10) is None or "closed" in str(request.future.exception())


def test_a_bad_request_fails_alone():
    from spillover.engine.engine import Engine

    engine = Engine(LAB)
    good = Request([5, 6, 7], Sampling(30), 1)
    bad = Request([10**9], Sampling(5), 1)
    engine.submit(good)
    engine.submit(bad)
    assert isinstance(bad.future.exception(timeout=10), IndexError)
    assert good.future.result(timeout=10).tokens
    engine.close()
