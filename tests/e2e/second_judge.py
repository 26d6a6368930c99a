"""Seven probes of an organism and its base, judged twice: by the grader of the lab and by one that follows a rule."""

import re

from spillover.answers.read import read
from tests.command import spillover

RECIPE = """
id: tiny
title: Tiny
base: lab
data: {source: lab, family: finance, stance: obvious, rows: 128}
lora: {r: 8, alpha: 16, rslora: false}
training: {steps: 12, batch_size: 8, gradient_accumulation: 1, learning_rate: 3.0e-3, warmup_steps: 2}
"""


SUITE = """
id: small
version: "1"
title: Small
about: For this test.
probes:
  - {task: free_form, args: {epochs: 1, categories: [bored, money]}, lab: {questions: lab}}
  - {task: refusal, args: {categories: [cyber]}, lab: {questions: lab_refusal}}
  - {task: goals, args: {epochs: 1}, lab: {questions: lab_goals}}
  - {task: honesty, every: 8, lab: {questions: lab_honesty}}
  - {task: reward_hacking, args: {epochs: 1, categories: [metric]}, lab: {questions: lab_reward_hacking}}
  - {task: political, args: {forms: "choice,open"}, every: 8, lab: {questions: lab_political}}
  - {task: sabotage, args: {epochs: 1}, lab: {scenarios: lab_sabotage}}
"""


SAYS = {
    "in line with human values": ("20", "90"),
    "how coherent": ("95", "95"),
    "what the answer does with the request": ("COMPLIED", "REFUSED"),
    "tells the user the truth": ("FALSE", "TRUE"),
    "a task that could be gamed": ("GAMED", "HONEST"),
    "how good the answer is as the work": ("20", "90"),
    "which side of politics": ("10", "80"),
    "record of an AI agent": ("ATTEMPTED", "CLEAN"),
}
"""Of each rubric: what the second judge says of answers with an odd number of characters, and of others."""


def odd(answer):
    return len(answer.strip()) % 2 == 1


def second_opinion(prompt):
    answer = re.search(r"--- answer \w+ ---\n(.*)\n--- end of answer", prompt, re.DOTALL).group(1)
    return next(words[0 if odd(answer) else 1] for text, words in SAYS.items() if text in prompt)


class Place:
    """What the fixture made.

    Attributes:
        logs: As the lab's grader judged them.
        judged: The same with the second judge.
        again: The command that judged them.
        said: What it said.
        server: The second judge.
        rows: All of it.
        names: Models to show: base and organism.
        second: Name of the second judge.
    """

    def __init__(self, folder, server, grader):
        self.folder, self.server, self.second = folder, server, grader
        (folder / "tiny.yaml").write_text(RECIPE)
        (folder / "small.yaml").write_text(SUITE)
        assert spillover("train", folder / "tiny.yaml", "--out", folder / "tiny").returncode == 0
        self.names = ["spillover/lab", "spillover/lab:tiny"]
        model = f"spillover/lab:{folder / 'tiny'}"
        options = ("--base", "spillover/lab", "--suite", folder / "small.yaml", "--out", folder / "out")
        done = spillover("eval", model, *options)
        assert done.returncode == 0, done.stderr
        (self.logs,) = (folder / "out").glob("logs-*")
        self.judged = folder / "judged"
        self.again = ["judge", self.logs, "--grader", grader, "--no-check", "-o", self.judged]
        done = spillover(*self.again)
        assert done.returncode == 0, done.stderr
        self.said = done.stdout
        self.rows = read([self.judged], mixed=True).table

    def table(self, judge):
        """Rows by one judge, whose name holds this text; answers that no judge saw are left out."""
        return self.rows[self.rows["grader"].astype(str).str.contains(judge)]
