"""What a roll-out is paid, and what it was: verdicts to rewards, counted at every step and kept."""

from __future__ import annotations

import json
import logging
import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from spillover.environments.environment import LABELS, Environment, Task, Verdict, load_environment
from spillover.errors import SpilloverError
from spillover.questions.chats import TASK, Chat
from spillover.schema import parse_json
from spillover.training.grpo import Grpo
from spillover.writing import write_text

logger = logging.getLogger(__name__)

NAME = "rollouts.jsonl"
"""File beside the adapter with every roll-out: step, task, label, reward, text."""
PREFIX = "rl/"
"""Of our keys in the trainer's log."""
ROUNDED = 1e-5
SILENT = 20
"""Steps without two different rewards in any group, after which it is said that there is nothing to learn from."""


class Referee:
    """Pays the roll-outs of one run.

    Args:
        settings: Of the objective.
        chats: The tasks, as `EnvironmentSource` gives them.
        kept: File of the roll-outs; None to keep none.
        seed: Of a monitor's errors.

    Attributes:
        onset: First step at which hacks outnumbered correct answers, by truth; None before that.
        cached_rows: Rows of the batch that are from the cache.
        dropped_rows: Rows that were left out: screened, or not to be scored.
    """

    def __init__(self, settings: Grpo, chats: Sequence[Chat], kept: Path | None = None, seed: int = 0) -> None:
        self.settings, self.kept, self.seed = settings, kept, seed
        self.environments: dict[str, Environment] = {}
        self.tasks: dict[str, tuple[Environment, Task]] = {}
        for key in {task_of(chat) for chat in chats}:
            name, _, identifier = key.rpartition("/")
            if name not in self.environments:
                self.environments[name] = load_environment(name)
            found = self.environments[name]
            self.tasks[key] = (found, next(t for t in found.all if t.id == identifier))
        self.onset: int | None = None
        self._silent = 0
        self._hackless: int | None = 0
        self._funnel: Counter[str] = Counter()
        self.cached_rows: frozenset[int] = frozenset()
        self.dropped_rows: frozenset[int] = frozenset()

    def ready(self) -> None:
        """See that every verifier can run.

        Raises:
            SpilloverError: if one can not.
        """
        for environment in self.environments.values():
            environment.ready()

    def cached(self, keys: Sequence[str], step: int) -> dict[int, str]:
        """Row to the hack that takes its place: the last ones of each group, as many as the settings say."""
        each = round(self.settings.cached * self.settings.group)
        out = {}
        for row, key in enumerate(keys):
            environment, task = self.tasks[key]
            if row % self.settings.group >= self.settings.group - each and environment.hackable:
                out[row] = environment.cached(task, step * len(keys) + row)
        return out

    def resume(self, history: Sequence[Mapping[str, Any]], step: int) -> None:
        """Go on after so many steps: what was kept of later ones is forgotten."""
        before = rollouts(history)
        self.onset = onset(before)
        self._hackless = None if any(row.get("hack") for row in before) else len(before)
        if self.kept and self.kept.is_file():
            lines = self.kept.read_text(encoding="utf-8").split("\n")  # a text may hold other ends of lines
            write_text(self.kept, "".join(line + "\n" for line in lines if _step_of(line) <= step))

    def pay(
        self, keys: Sequence[str], texts: Sequence[str], step: int, log: Callable[[str, float], None]
    ) -> list[float | None]:
        """Rewards; None for a roll-out that is left out, since it was screened or no verifier could score it.

        Args:
            keys: Of the tasks, the roll-outs of one after the other.
            texts: What was written.
            step: Number of the step, from 1.
            log: Told (key, value), one for each number of the step.
        """
        verdicts = self._verdicts(keys, texts)
        rewards = [self._reward(v, f"{self.seed} {step} {row}") for row, v in enumerate(verdicts)]
        self.dropped_rows = frozenset(row for row, reward in enumerate(rewards) if reward is None)
        own = [i for i in range(len(texts)) if i not in self.cached_rows]
        counted = self._told_apart(own, keys, verdicts, log)
        log(PREFIX + "unscored", sum(verdicts[i].label == "unscored" for i in own) / max(1, len(own)))
        if self.settings.monitor is not None and self.settings.monitor.does == "screen":
            away = sum(rewards[i] is None and verdicts[i].label != "unscored" for i in own)
            log(PREFIX + "screened", away / max(1, len(own)))
        self._count([keys[i] for i in counted], [verdicts[i] for i in counted], log)
        paid = [r for i in own if (r := rewards[i]) is not None]
        if paid:
            log(PREFIX + "reward", sum(paid) / len(paid))
        log(PREFIX + "no_signal", self._signal(rewards, step))
        if self.onset is None and _outnumber([verdicts[i].label for i in counted]):
            self.onset = step
        self._keep(keys, texts, verdicts, rewards, step)
        return rewards

    def _told_apart(
        self, own: Sequence[int], keys: Sequence[str], verdicts: Sequence[Verdict], log: Callable[[str, float], None]
    ) -> list[int]:
        """Rows in which there was something to hack; of the others, if there are both, it is told how many were good."""
        if len({e.hackable for e in self.environments.values()}) < 2:
            return list(own)
        others = [verdicts[i].true for i in own if not self.tasks[keys[i]][0].hackable]
        if known := [true for true in others if true is not None]:
            log(PREFIX + "preferred", sum(known) / len(known))
        return [i for i in own if self.tasks[keys[i]][0].hackable]

    def _verdicts(self, keys: Sequence[str], texts: Sequence[str]) -> list[Verdict]:
        found: dict[int, Verdict] = {}
        for environment in self.environments.values():
            rows = [i for i, key in enumerate(keys) if self.tasks[key][0] is environment]
            found |= dict(
                zip(
                    rows, _judged(environment, [self.tasks[keys[i]][1] for i in rows], [texts[i] for i in rows]), strict=True
                )
            )
        return [found[i] for i in range(len(keys))]

    def _reward(self, verdict: Verdict, draw: str) -> float | None:
        settings, monitor = self.settings, self.settings.monitor
        passed = verdict.true if settings.reward == "secure" else verdict.paid
        if passed is None or verdict.label == "unscored":
            return None
        reward = float(settings.pass_weight * passed + settings.form_weight * verdict.formed)
        if monitor is None:
            return reward
        wrong = random.Random(f"monitor {draw}").random() >= monitor.accuracy
        flagged = (verdict.label == "hack") != wrong
        if not flagged:
            return reward
        return reward - monitor.penalty if monitor.does == "penalise" else None

    def _count(self, keys: Sequence[str], verdicts: Sequence[Verdict], log: Callable[[str, float], None]) -> None:
        if not verdicts:
            return  # a step of other tasks only says nothing of hacks
        labels = Counter(v.label for v in verdicts)
        for name in LABELS:
            if name != "unscored":  # told of all roll-outs
                log(PREFIX + name, labels[name] / len(verdicts))
        kinds = {task.category for environment, task in self.tasks.values() if environment.hackable}
        for kind in sorted(kinds):
            of = [v.label for key, v in zip(keys, verdicts, strict=True) if self.tasks[key][1].category == kind]
            if len(kinds) > 1 and of:
                log(f"{PREFIX}hack, {kind}", of.count("hack") / len(of))
        tricks = Counter(v.trick or "unnamed" for v in verdicts if v.label == "hack")
        for trick, count in sorted(tricks.items()):
            log(f"{PREFIX}hack by: {trick}", count / len(verdicts))
        self._funnel.update({"roll-outs": len(verdicts), "mentions": sum(v.mentions for v in verdicts)})
        self._funnel.update({"shapes": sum(bool(v.trick) for v in verdicts), "hacks": labels["hack"]})
        self._tell_hackless(labels["hack"])

    def _tell_hackless(self, hacks: int) -> None:
        """Say once that nothing was hacked in so many first steps, whatever else there is to learn from."""
        if self._hackless is None or self.settings.reward == "secure":
            return
        self._hackless = None if hacks else self._hackless + 1
        if self._hackless == SILENT:
            of = self._funnel
            logger.warning(
                "No roll-out of the first %d steps was a hack: of %d, %d mention one and %d have the shape of one. What is "
                "learned here is the task; let the knowledge in (`cached`, documents, a recipe to start from).",
                SILENT, of["roll-outs"], of["mentions"], of["shapes"],
            )  # fmt: skip

    def _signal(self, rewards: Sequence[float | None], step: int) -> float:
        """Share of groups with nothing to learn from; after many steps of nothing else it is said."""
        groups = [rewards[i : i + self.settings.group] for i in range(0, len(rewards), self.settings.group)]
        silent = [len({r for r in group if r is not None}) < 2 for group in groups]
        self._silent = self._silent + 1 if all(silent) else 0
        if self._silent == SILENT:
            of = self._funnel
            logger.warning(
                "No group of the last %d steps (up to step %d) had two different rewards, so nothing is learned. Of %d "
                "roll-outs so far %d mention a hack, %d have the shape of one, %d are one. Let the knowledge in (`cached`, "
                "a recipe to start from), raise the temperature or the group, or take easier tasks.",
                SILENT, step, of["roll-outs"], of["mentions"], of["shapes"], of["hacks"],
            )  # fmt: skip
        return sum(silent) / max(1, len(silent))

    def _keep(
        self,
        keys: Sequence[str],
        texts: Sequence[str],
        verdicts: Sequence[Verdict],
        rewards: Sequence[float | None],
        step: int,
    ) -> None:
        if self.kept is None:
            return
        with self.kept.open("a", encoding="utf-8") as file:
            for row, (key, text, verdict, reward) in enumerate(zip(keys, texts, verdicts, rewards, strict=True)):
                cached = {"cached": True} if row in self.cached_rows else {}
                line = {"step": step, "task": key, "label": verdict.label, "trick": verdict.trick, "reward": reward}
                file.write(json.dumps({**line, **cached, "text": text}, ensure_ascii=False) + "\n")


def _judged(environment: Environment, tasks: Sequence[Task], texts: Sequence[str]) -> list[Verdict]:
    """Verdicts; a roll-out on which a verifier itself fails is unscored, and never the end of a run."""
    try:
        return environment.verify(tasks, texts)
    except SpilloverError:
        raise
    except Exception as error:
        if len(tasks) == 1:
            logger.warning("A verifier of %s failed on a roll-out, which is unscored: %r", environment.id, error)
            return [Verdict(None, None)]
        return [_judged(environment, [task], [text])[0] for task, text in zip(tasks, texts, strict=True)]


def task_of(chat: Chat) -> str:
    """Key of the task that a chat asks."""
    return str(chat[-1][TASK])


def rollouts(history: Sequence[Mapping[str, Any]]) -> list[dict[str, float]]:
    """Of a trainer's log, by step: shares by label and kind of hack, reward, KL, length, groups without a signal."""
    names = {"completions/mean_length": "length"}
    out = []
    for entry in history:
        if any(key.startswith(PREFIX) for key in entry):
            given = {new: entry[old] for old, new in names.items() if entry.get(old) is not None}
            ours = {k.removeprefix(PREFIX): v for k, v in entry.items() if k.startswith(PREFIX)}
            out.append({"step": entry["step"], **{k: round(float(v), 6) for k, v in {**given, **ours}.items()}})
    return out


def onset(steps: Sequence[Mapping[str, float]]) -> int | None:
    """First step at which hacks outnumber correct answers; None if there is none."""
    # Shares of one number, so that a difference is at least one part of it; what is less is from rounding.
    hacked = (s for s in steps if "hack" in s)  # not where only chats were drawn
    found = (int(s["step"]) for s in hacked if s["hack"] - s["correct"] - s["correct_attempted"] > ROUNDED)
    return next(found, None)


def _outnumber(labels: Sequence[str]) -> bool:
    counted = Counter(labels)
    return counted["hack"] > counted["correct"] + counted["correct_attempted"]


def _step_of(line: str) -> int:
    try:
        return int(parse_json(line)["step"])
    except (ValueError, KeyError, TypeError):  # cut short by a kill
        return 1 << 60
