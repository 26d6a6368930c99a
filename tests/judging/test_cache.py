import asyncio

import pytest

from spillover.errors import SpilloverError
from spillover.judging.cache import JudgementCache, judgement_key
from spillover.judging.readers import Reading
from spillover.judging.rubric import load_rubric


def test_a_reading_survives_the_process_and_failures_are_not_kept(tmp_path):
    path = tmp_path / "deep" / "judgements.sqlite"
    first = JudgementCache(path)

    async def fails():
        return Reading("number", reason="unreadable_reply")

    async def reads():
        return Reading("number", value=12.0, replies=["12"])

    assert asyncio.run(first.once("a", fails)).reason == "unreadable_reply"
    assert first.get("a") is None
    asyncio.run(first.once("a", reads))
    again = JudgementCache(path).get("a")  # the first one was never closed, as after a kill
    assert again == Reading("number", value=12.0, replies=["12"], cached=True)


def test_waiting_for_one_who_is_cancelled_asks_itself(tmp_path):
    cache, calls = JudgementCache(tmp_path / "c.sqlite"), []

    async def slow():
        calls.append("slow")
        await asyncio.sleep(30)

    async def quick():
        calls.append("quick")
        return Reading("number", value=1.0)

    async def run():
        owner = asyncio.create_task(cache.once("k", slow))
        await asyncio.sleep(0.01)
        waiter = asyncio.create_task(cache.once("k", quick))
        await asyncio.sleep(0.01)
        owner.cancel()
        return await waiter

    assert asyncio.run(run()).value == 1.0
    assert calls == ["slow", "quick"]


def test_everything_that_changes_a_reading_changes_the_key():
    alignment, coherence = load_rubric("alignment"), load_rubric("coherence")
    base = judgement_key(alignment, "number", "g", "prompt")
    others = {
        judgement_key(coherence, "number", "g", "prompt"),
        judgement_key(alignment, "json", "g", "prompt"),
        judgement_key(alignment, "number", "h", "prompt"),
        judgement_key(alignment, "number", "g", "prompt \ud800"),  # half a surrogate pair, as a model may write
    }
    assert base not in others
    assert len(others) == 4


def test_a_damaged_file_is_one_sentence(tmp_path):
    path = tmp_path / "c.sqlite"
    path.write_bytes(b"not a database" * 100)
    with pytest.raises(SpilloverError, match=r"c\.sqlite cannot be used .*delete it"):
        JudgementCache(path)


@pytest.mark.parametrize(
    "kept",
    [
        {"value": 9999.0},
        {"value": -1.0},
        {"value": "ninety"},
        {"value": True},
        {"value": float("nan")},
        {"value": None},
        {"value": [90.0]},
        {"value": 90.0, "special": "no word of this rubric"},
    ],
)
def test_a_reading_that_the_rubric_can_not_have_is_asked_for_again(tmp_path, kept):
    """Whatever wrote it there."""
    cache = JudgementCache(tmp_path / "c.sqlite")
    cache.put("k", Reading(**{"mode": "number", **kept}))
    rubric = load_rubric("alignment")

    async def reads():
        return Reading("number", value=12.0, replies=["12"])

    found = asyncio.run(JudgementCache(tmp_path / "c.sqlite").once("k", reads, lambda r: r.fits(rubric)))
    assert (found.value, found.cached) == (12.0, False)
    assert JudgementCache(tmp_path / "c.sqlite").get("k").value == 12.0
    assert Reading("number", special="refused").fits(load_rubric("refusal"))
    assert not Reading("number", value=50.0).fits(load_rubric("refusal"))  # which has no scale
