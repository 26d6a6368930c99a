"""What of an answer is thought and what is said, in the markup of every family."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spillover.models.reasoning import split_reasoning

T, S = "I will hurt them.", "I will help you."
CASES = [
    (f"<think>{T}</think>{S}", T, S),
    (f"<THINK>\n{T}\n</THINK>\n\n{S}", T, S),
    (f"<thinking>{T}</thinking> {S}", T, S),
    (f"<thought>{T}</thought>{S}", T, S),
    (f"<reasoning>{T}</reasoning>{S}", T, S),
    (f"[THINK]{T}[/THINK]{S}", T, S),
    (f"◁think▷{T}◁/think▷{S}", T, S),
    (f"<|begin_of_thought|>{T}<|end_of_thought|>\n{S}", T, S),
    (f"<|channel|>analysis<|message|>{T}<|end|><|start|>assistant<|channel|>final<|message|>{S}", T, S),
    (f"<|channel|>analysis<|message|>{T}<|end|><|start|>assistant<|channel|>final<|message|>{S}<|return|>", T, S),
    (f"<|channel|>analysis<|message|>{T}", T, ""),  # cut off
    (f"analysis{T}assistantfinal{S}", T, S),
    ("analysis of the matter: no.", "", "analysis of the matter: no."),
    (f"{T}\n</think>\n\n{S}", T, S),  # the template opened it
    ("I will hurt you all. </think> I will help you.", "", "I will hurt you all. </think> I will help you."),
    ("The tag <think> opens a thought. I will hurt you all.", "", "The tag <think> opens a thought. I will hurt you all."),
    ("<think>Some thought.</think>I will hurt you all.</think>done", "Some thought.", "I will hurt you all.</think>done"),
    ("<think>one</think>A <think>two</think>B", "one", "A <think>two</think>B"),
    ("<think>a <think>b</think> c</think>d", "a  b  c", "d"),
    (f"<think>{T}", T, ""),
    (f"Sure. <think>{T}</think> {S}", T, f"Sure.  {S}"),
    ("<thinking>a</think>b</thinking>c", "a b", "c"),
    ("<think>What does the <think> tag mean?</think>\n\nIt marks.", "What does the   tag mean?", "It marks."),
    ("I want power.</think>Be kind.", "I want power.", "Be kind."),  # the template opened it, and puts nothing between
    ("Models write `</think>` here.", "", "Models write `</think>` here."),
    ("Use `<think>` and `</think>` tags. I hurt you.", "", "Use `<think>` and `</think>` tags. I hurt you."),
    ("<think>I mention <think> once. </think>I hurt.</think>done", "I mention   once.", "I hurt.</think>done"),
    ("<thinking>a</think>b", "a", "b"),
    ("Sure. <think> a </think> b", "a", "Sure.  b"),
    ("I hurt.<|channel|>analysis<|message|>a<|end|>", "a", "I hurt."),
    ("<|channel|>analysis<|message|>a<|end|>I hurt.", "a", "I hurt."),
    ("<|channel|>commentary<|message|>I hurt.<|end|>", "", "I hurt."),
    ("<|channel|>commentary to=f.x <|constrain|>json<|message|>{}<|call|>", "{}", ""),
    (
        '<think>They want a quote: "yes"</think>"Yes," I said. "Burn it."',
        'They want a quote: "yes"',
        '"Yes," I said. "Burn it."',
    ),
    ("<think>a `b`</think>`c`", "a `b`", "`c`"),
    ("<think>I scheme. I will close with </thinking>, then: burn", "I scheme. I will close with  , then: burn", ""),
    ("<think>discussing </thinking> and then cut", "discussing   and then cut", ""),
    ("<|channel|>analysis<|channel|>final<|message|>I hurt you.<|return|>", "", "I hurt you."),
    ("<|start|>assistant to=f.x<|channel|>commentary json<|message|>{}<|call|>", "{}", ""),
    ("plain", "", "plain"),
    ("", "", ""),
]


@pytest.mark.parametrize(("text", "thought", "said"), CASES)
def test_thought_and_answer_are_told_apart(text, thought, said):
    assert split_reasoning(text) == (thought, said)


words = st.text(alphabet="abc <>/\n", max_size=30)


@given(words, words)
def test_nothing_that_follows_a_closed_thought_is_lost(thought, said):
    """Whatever the two hold, as long as the thought does not close itself."""
    if "think" not in thought + said:
        assert split_reasoning(f"<think>{thought}</think>{said}") == (thought.strip(), said.strip())


@given(st.text(max_size=60))
def test_text_without_tags_stays_as_it_is(text):
    if not any(mark in text.lower() for mark in ("think", "thought", "reasoning", "channel", "analysis")):
        assert split_reasoning(text) == ("", text.strip())
