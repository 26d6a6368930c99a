"""Question sets as Inspect samples."""

from __future__ import annotations

from inspect_ai.dataset import Sample
from inspect_ai.model import ChatMessage, ChatMessageSystem, ChatMessageUser

from spillover.questions.model import QuestionSet
from spillover.questions.wraps import Wrap


def format_samples(
    questions: QuestionSet, fmt: str, system: str | None = None, context: Wrap | None = None
) -> list[Sample]:
    """One sample per wording; `metadata.question_id` is the unit of every interval.

    Sample ids are `question`, or `question/2` for the third wording, and do not depend on the format, so that answers of
    two formats or two models can be paired. `system` is a line in front of what question and format themselves say;
    `context` puts a setting before the question.
    """
    samples = []
    for question in questions.questions:
        for index, asked in question.ask(fmt):
            lines = " ".join(line for line in (system, asked.system) if line)
            messages: list[ChatMessage] = [ChatMessageSystem(content=lines)] if lines else []
            messages.append(ChatMessageUser(content=asked.user))
            samples.append(
                Sample(
                    id=question.id if len(question.paraphrases) == 1 else f"{question.id}/{index}",
                    input=context.wrap(messages) if context else messages,
                    target="",
                    metadata={
                        "question_id": question.id,
                        "category": question.category,
                        "format": fmt,
                        "question": asked.user,
                        "fields": question.fields,
                        "tags": {},
                    },
                )
            )
    return samples
