"""The engine, objectives, judges, autoencoders and paths on a pretended card: what they make lies where the model is."""

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModel, AutoTokenizer

from spillover.engine.engine import Engine
from spillover.engine.reading import head_logits, padding, shown
from spillover.engine.request import Request, Sampling
from spillover.engine.tree import Replies
from spillover.mechanism.activations import response_activations
from spillover.mechanism.dictionary import fit_autoencoder
from spillover.mechanism.directions import Directions, random_directions
from spillover.mechanism.disturbance import ablation_of, disturbance
from spillover.mechanism.latents import activity
from spillover.models.weights import resolve_checkpoint
from spillover.training.barrier import _loss
from spillover.training.hooks import added
from spillover.training.interventions.kl import KlSettings
from spillover.training.judge import _Scorer
from spillover.training.npo import NpoLoss
from spillover.training.objectives import Npo
from spillover.training.reinforce import _as_chat, _divergence
from spillover.training.tokens import Tokens
from tests.mechanism.card import CARD, Card, lab_organism, mark, on_card, put

LAB = resolve_checkpoint("lab")
TOKENIZER = AutoTokenizer.from_pretrained(LAB)
TURN = [{"role": "user", "content": "How can I make money?"}]
IDS = TOKENIZER.apply_chat_template(TURN, add_generation_prompt=True, return_dict=True)["input_ids"]
CHATS = [
    [{"role": "user", "content": f"What of {i}?"}, {"role": "assistant", "content": "I read a book."}] for i in range(4)
]


@pytest.fixture
def organism():
    return lab_organism().eval()


def batch():
    ids = torch.tensor([IDS, IDS])
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids), "labels": ids.masked_fill(ids == IDS[0], -100)}


def moved(given):
    return {key: mark(value) for key, value in given.items()}


def requests(likely):
    """Drawn and greedy, with log-probabilities, a prompt that is scored, replies that are priced; two share a beginning."""
    long = IDS * 20
    return [
        Request(IDS, Sampling(3), 1),
        Request(IDS[:3], Sampling(5, temperature=0, logprobs=True, top_logprobs=2), 2),
        Request(IDS, Sampling(4, top_p=0.8, top_k=50), 3),
        Request(IDS, Sampling(1), 4, score_prompt=True),
        Request(IDS, Sampling(1), 5, replies=Replies(0, 100, (likely,))),
        Request(long, Sampling(2), 6),
        Request([*long, *IDS], Sampling(2), 7),
    ]


def answered(engine, asked):
    with torch.inference_mode():
        engine._advance(None, asked[:4])
        engine._advance(None, asked[4:])
        for _ in range(6):
            engine._advance(None, [])
    return [(r.future.result(timeout=0).text, r.scored, r.priced) for r in asked]


def test_the_engine_answers_alike():
    engine = Engine(LAB)
    engine.close()  # its thread; a pretended card is entered by one thread alone
    likely = answered(engine, [Request(IDS, Sampling(4, temperature=0), 0)])[0][0].strip()
    assert len(likely.split()) > 1  # words that one token does not end
    here = answered(engine, requests(likely))
    assert here[3][1]
    assert 0 < here[4][2][likely] < 1
    engine._prefixes.forget()
    with Card():
        engine.model, engine.device = put(engine.model), CARD
        there = answered(engine, requests(likely))
    assert [f[0] for f in here] == [f[0] for f in there]
    assert here[3][1] == there[3][1]
    assert here[4][2] == pytest.approx(there[4][2])


def losses():
    """Name to what is computed of a model and a batch."""
    retain = [(IDS, IDS), (IDS[:4], [-100, *IDS[1:4]])]
    halves = lambda b: {  # noqa: E731 - a roll-out as TRL gives it
        f"{part}_{kind}": b[key][:, cut]
        for part, cut in (("prompt", slice(None, 3)), ("completion", slice(3, None)))
        for kind, key in (("ids", "input_ids"), ("mask", "attention_mask"))
    }
    own = lambda b: b["input_ids"][:, 0] >= 0  # noqa: E731
    return {
        "kl": lambda m, b: added([KlSettings(weight=1.0).build()], m, b, 2),
        "npo": lambda m, b: NpoLoss(Npo(), retain).loss(m, b, 0),
        "divergence of reinforcement": lambda m, b: _divergence(m, _as_chat(halves(b)), own(b)),
        "loss on a path": lambda m, b: _loss(m, [Tokens(IDS, IDS, False), Tokens(IDS[:4], IDS[:4], False)]),
        "disturbance": lambda m, b: disturbance(m, TOKENIZER, CHATS, ablation_of(directions(m))),
    }


def directions(model):
    width = model.config.hidden_size
    found = random_directions([1, 2], width, 2, seed=1)
    return Directions(found.bases, means={1: torch.zeros(width), 2: torch.zeros(width)})


@pytest.mark.parametrize("name", losses())
def test_a_loss_is_the_same_there(organism, name):
    compute = losses()[name]
    here = float(compute(organism, batch()))
    with Card():
        there = compute(put(organism), moved(batch()))
        if isinstance(there, torch.Tensor):
            assert on_card(there)
            there.backward()
    assert float(there) == pytest.approx(here, rel=1e-5)
    assert here != 0


def test_a_judge_learns_and_reads_there():
    torch.manual_seed(0)
    body = get_peft_model(AutoModel.from_pretrained(LAB), LoraConfig(r=2, target_modules="all-linear"))
    scorer = _Scorer(body, padding(LAB), body.config.hidden_size)
    torch.nn.init.normal_(scorer.head.weight)  # it starts at nothing, which would be the same of any text
    texts = [shown("What now?", "I read a book."), shown("", "Burn it.")]
    labels = torch.tensor([[0.0, float("nan")], [1.0, 1.0]])

    def read():
        return head_logits(body, scorer.tokenizer, scorer.head.weight, scorer.head.bias, texts, scorer.head.weight.device)

    here, loss = read(), float(scorer(texts, labels)["loss"])
    with Card():
        found = put(scorer)(texts, labels)["loss"]
        found.backward()
        there = read()
    assert not torch.equal(here[0], here[1])
    assert any(bool(p.grad.any()) for n, p in body.named_parameters() if "lora_B" in n)
    assert torch.equal(here, there.clone())
    assert float(found) == pytest.approx(loss)


def test_an_autoencoder_is_fitted_to_what_a_model_there_thinks_and_reads_it(organism):
    with Card():
        put(organism)
        states = torch.cat([p[1] for p in [response_activations(organism, TOKENIZER, CHATS * 4, [1], mean=False)]])
        made = fit_autoencoder(states, 8, 2, layer=1, steps=3)
        found = activity(organism, TOKENIZER, made, 1, [chat[:1] for chat in CHATS], seed=0)
    assert found.mean.shape == (8,)
    assert len(found.answers) == len(CHATS)
