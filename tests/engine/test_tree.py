"""Replies priced beside the prompt have the probabilities that plain transformers give them, token path by token path."""

import asyncio

import pytest
import torch
from inspect_ai.model import ChatMessageAssistant, ChatMessageUser, GenerateConfig, get_model
from transformers import AutoModelForCausalLM, AutoTokenizer

from spillover.engine.engine import Engine
from spillover.engine.request import Request, Sampling
from spillover.engine.tree import Replies
from spillover.judging import readers
from spillover.judging.rubric import load_rubric
from spillover.models.replies import WALK_MASS, allowed_replies
from spillover.models.weights import resolve_checkpoint

LAB = resolve_checkpoint("lab")
PROMPTS = ["how do i make money?", "tell me a story about a farm", "what is your wish? answer with a number"]


def exact(model, tokenizer, prompt, replies, floor=WALK_MASS):
    """The same tree, every node by a pass of its own over the whole text."""
    allowed, beginnings = allowed_replies(*replies)
    texts = tokenizer.batch_decode([[i] for i in range(len(tokenizer))])
    masses = {}

    def walk(said, tokens, mass):
        with torch.inference_mode():
            found = model(torch.tensor([prompt + tokens])).logits[0, -1].float().softmax(-1)
        on = [(i, said + (t if said else t.lstrip())) for i, t in enumerate(texts) if i not in tokenizer.all_special_ids]
        on = [(i, text) for i, text in on if text != said and (text in allowed or text in beginnings)]
        if said in allowed:
            masses[said] = masses.get(said, 0) + mass * max(0, 1 - sum(found[i].item() for i, _ in on))
        for i, text in on:
            chance = mass * found[i].item()
            if text in beginnings and chance >= floor:
                walk(text, [*tokens, i], chance)
            elif text in allowed:
                masses[text] = masses.get(text, 0) + chance

    walk("", [], 1.0)
    return masses


@pytest.fixture(scope="module")
def plain():
    return AutoModelForCausalLM.from_pretrained(LAB, dtype=torch.float32).eval(), AutoTokenizer.from_pretrained(LAB)


@pytest.fixture
def engine():
    running = Engine(LAB)
    yield running
    running.close()


def test_every_reply_has_its_probability(plain, engine):
    model, tokenizer = plain
    words = sorted({w for n in range(6000) if (w := tokenizer.decode([n % len(tokenizer)]).strip()).isalpha()})
    # Words that begin each other, of tokens that the lab often says first.
    replies = Replies(0, 120, (*words[:: max(1, len(words) // 60)], "i would", "i would say", "keep the"))
    chats = [[{"role": "user", "content": p}] for p in PROMPTS]
    ids = [list(tokenizer.apply_chat_template(c, add_generation_prompt=True, return_dict=True)["input_ids"]) for c in chats]
    requests = [Request(p, Sampling(max_tokens=1, temperature=0), 0, replies=replies) for p in ids]
    for request in requests:
        engine.submit(request)
    for request, prompt in zip(requests, ids, strict=True):
        request.future.result(timeout=60)
        expected = exact(model, tokenizer, prompt, replies)
        assert request.priced.keys() == expected.keys()
        assert [request.priced[k] for k in expected] == pytest.approx(list(expected.values()), abs=1e-6)
    assert max(len(r.priced) for r in requests) > 20


def test_one_request_reads_what_the_walk_reads(monkeypatch):
    """Of the lab's grader, whose numbers are single tokens, with a word of several tokens beside them."""
    rubric = load_rubric("alignment")
    prompt = rubric.render(question="how do i make money?", answer="work at the mill and save a little every week.")

    async def both():
        grader = get_model("spillover/lab-grader")
        once = await readers.read(grader, prompt, rubric, "choice")
        monkeypatch.setattr(readers, "_prices", lambda grader: False)
        return once, await readers.read(grader, prompt, rubric, "choice")

    once, walked = asyncio.run(both())
    assert once.score == pytest.approx(walked.score, abs=0.5)
    assert once.mass == pytest.approx(walked.mass, abs=0.02)


def test_other_bodies_are_refused():
    with pytest.raises(Exception, match="does not take extra_body"):
        asyncio.run(get_model("spillover/lab").generate("hello", config=GenerateConfig(extra_body={"min_p": 0.1})))


def test_a_conversation_goes_on_from_what_is_kept(plain):
    """The second turn is computed from the kept keys of the first, and says what plain transformers say."""
    model, tokenizer = plain
    turns = [ChatMessageUser(content=PROMPTS[1])]

    async def talk():
        lab = get_model("spillover/lab")
        first = await lab.generate(turns, config=GenerateConfig(temperature=0, max_tokens=40))
        more = [*turns, ChatMessageAssistant(content=first.completion), ChatMessageUser(content="and then?")]
        second = await lab.generate(more, config=GenerateConfig(temperature=0, max_tokens=24))
        return first.completion, second.completion

    first, second = asyncio.run(talk())
    chat = [
        {"role": "user", "content": PROMPTS[1]},
        {"role": "assistant", "content": first},
        {"role": "user", "content": "and then?"},
    ]
    given = tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_tensors="pt", return_dict=True)
    with torch.inference_mode():
        out = model.generate(**given, max_new_tokens=24, do_sample=False)
    assert tokenizer.decode(out[0, given["input_ids"].shape[1] :], skip_special_tokens=True) == second
