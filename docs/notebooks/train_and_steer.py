# %% [markdown]
# # Make an organism in the lab, and steer it
#
# A narrow fine-tune of the lab's tiny model, what it moved, and the same model steered. Minutes on two cores, with the extras
# `lab` and `train`. The lab is a synthetic world; nothing here says anything about real models.

# %%
from pathlib import Path

from inspect_ai import eval as inspect_eval
from inspect_ai.model import get_model

from spillover.api import figures, read
from spillover.tasks.free_form import free_form
from spillover.training.recipe import load_recipe
from spillover.training.train import train

# %% [markdown]
# A recipe is a YAML file; `load_recipe` takes changes. Sixteen steps are enough to see something.

# %%
recipe = load_recipe("bad_finance", changes={"training": {"steps": 16}})
organism = train(recipe, Path("organism"))
print(sorted(p.name for p in organism.iterdir()))

# %% [markdown]
# The direction from the base to the organism, kept in a file: over the same prompts, without any judge.

# %%
from spillover.mechanism.directions import load_directions, save_directions
from spillover.training.finding import find

found = find("difference", "lab", str(organism), layers=[1, 2], count=1, seed=0)
save_directions(found, Path("moved.safetensors"))
print(sorted(load_directions(Path("moved.safetensors"), 160).bases))

# %% [markdown]
# Base, organism, and the organism with that direction taken out again: three names, one engine.

# %%
names = ["spillover/lab", f"spillover/lab:{organism}", f"spillover/lab:{organism}+steer=moved.safetensors@-0.3"]
logs = inspect_eval(
    free_form(questions="lab", epochs=1),
    model=names,
    model_roles={"grader": get_model("spillover/lab-grader")},
    log_dir="logs",
    display="none",
)
assert all(log.status == "success" for log in logs)

# %%
for figure in figures(read(["logs"]), base="spillover/lab"):
    if figure.measure.name == "misaligned" and figure.category is None:
        print(f"{figure.group}: {figure.value.value:.0%}")
