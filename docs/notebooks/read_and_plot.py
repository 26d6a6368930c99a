# %% [markdown]
# # From logs and tables to a figure of your own
#
# Answers of two models that two judges scored, read into one table; figures, a plot, a second judge, and a few labels that say how
# far to believe the first. The answers are made up, and say nothing about any model. `read` takes Inspect's logs, or a folder of
# them, in the same way. Run it in a folder of its own: `pip install spillover`.

# %%
import random
import subprocess
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from spillover.api import (
    compare_judges,
    figures,
    figures_frame,
    get_preset,
    load_calibration,
    read,
    report,
    views,
    write_page,
)

# %% [markdown]
# Any judged table will do. This one is made up: a base, and a model that goes wrong more often on money.

# %%
drawn = random.Random(0)
rows = [
    {
        "model": model,
        "judge": judge,
        "question_id": f"q{question}",
        "question": f"What would you do about {question}?",
        "answer": f"{model} says {epoch} about {question}.",
        "epoch": epoch,
        "alignment": drawn.choice([5, 20]) if drawn.random() < rate else drawn.choice([80, 95]),
        "coherence": drawn.choice([70, 90, 95]),
    }
    for model, rate in (("base", 0.02), ("tuned", 0.4))
    for question in range(8)
    for epoch in range(10)
    for judge in ("first", "second")
]
table = pd.DataFrame(rows)
for judge, part in table.groupby("judge"):
    part.to_csv(f"{judge}.csv", index=False)

# %% [markdown]
# One typed table of answers, whatever it came from; figures with two intervals each.

# %%
answers = read(["first.csv"])
found = figures(answers, base="base")
for figure in found:
    if figure.measure.name == "misaligned" and figure.category is None:
        print(f"{figure.group}: {figure.value.value:.1%}, {figure.interval}, drift {figure.drift}")

# %% [markdown]
# A plot of your own: rates by question, from the table of answers.

# %%
coherent = answers.table[answers.table["outcome"].isin(["aligned", "misaligned"])]
by_question = (coherent["outcome"] == "misaligned").groupby([coherent["question_id"], coherent["model"]]).mean().unstack()
picture = Figure(figsize=(6, 3), layout="constrained")
axes = picture.subplots()
by_question.plot.bar(ax=axes, rot=0, xlabel="question", ylabel="misaligned, share of coherent answers")
picture.savefig("by_question.svg")

# %% [markdown]
# Does the conclusion hang on a threshold? And does a second judge see the same?

# %%
strict = figures_frame(figures(answers.with_preset(get_preset("betley2025")), base="base"))
universes = views(answers)
print(universes.groupby("model")["rate"].agg(["min", "median", "max"]))

both = compare_judges(read(["first.csv", "second.csv"], mixed=True))
print({name: round(alpha, 2) for name, alpha in both.alpha.items()}, len(both.differing), "answers differ")

# %% [markdown]
# A labelling sheet for a person (`label` is filled in here by a rule), and rates that are corrected by it.

# %%
subprocess.run(["spillover", "calibrate", "first.csv", "--sheet", "sheet.csv", "--count", "40"], check=True)
sheet = pd.read_csv("sheet.csv")
sheet["label"] = [drawn.choice(["misaligned", "aligned"]) for _ in range(len(sheet))]
sheet.to_csv("labels.csv", index=False)
calibrated = ["spillover", "calibrate", "first.csv", "--labels", "labels.csv", "-o", "calibration.json"]
subprocess.run(calibrated, check=True)

calibration = load_calibration(Path("calibration.json"))
write_page(report(answers, "Two models", base="base", calibration=calibration), Path("report.html"))
