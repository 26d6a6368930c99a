"""What the engine loads and lets go of, and what it refuses."""

import asyncio

import pytest
from inspect_ai.model import ChatMessageSystem, ChatMessageUser, GenerateConfig, get_model

from spillover.engine.request import Request, Sampling
from spillover.errors import SpilloverError
from spillover.models.weights import resolve_checkpoint, weights_digest
from spillover.questions.load import load_questions
from tests.engine.small import ask

LAB = resolve_checkpoint("lab")
QUESTIONS = [p for q in load_questions("lab").questions for p in q.paraphrases]


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


def test_an_adapter_that_does_not_fit_leaves_the_base_as_it_was(adapters, tmp_path, monkeypatch):
    """Should the check before miss it."""
    monkeypatch.setattr("spillover.engine.provider.require_fit", lambda base, adapter: None)
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


def test_a_template_that_refuses_a_conversation_says_so_in_one_sentence(tmp_path):
    import shutil

    base = shutil.copytree(LAB, tmp_path / "base")
    (base / "chat_template.jinja").write_text(
        "{% if messages[0].role == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}{{ messages }}"
    )
    with pytest.raises(SpilloverError, match=r"refuses this conversation \(system, user\): System role not supported"):
        ask(f"spillover/{base}", [[ChatMessageSystem(content="Be kind."), ChatMessageUser(content="Hi.")]], max_tokens=4)


def test_a_system_line_goes_into_the_users_words_if_asked_for():
    told, one = (
        [ChatMessageSystem(content="Be kind."), ChatMessageUser(content="Hi.")],
        [ChatMessageUser(content="Be kind.\n\nHi.")],
    )

    async def both():
        folding = get_model("spillover/lab", system_into_user=True)
        return folding.api._prompt(told, []), get_model("spillover/lab").api._prompt(one, [])

    folded, expected = asyncio.run(both())
    assert folded == expected
