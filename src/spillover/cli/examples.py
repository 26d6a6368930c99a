"""Two examples for the `--help` of each command: what it does, and the line."""

from __future__ import annotations

EXAMPLES: dict[str, tuple[tuple[str, str], ...]] = {
    "eval": (
        (
            "A LoRA against its base, served by vLLM:",
            "spillover eval vllm/BASE:ADAPTER --base vllm/BASE --grader openai/gpt-4o-2024-08-06",
        ),
        ("The lab's model, in minutes and for nothing:", "spillover eval spillover/lab --suite quick"),
    ),
    "run": (
        ("Train, ask, judge and compare, in the lab:", "spillover run inoculation"),
        (
            "A few steps of each part on a checkpoint of your own, before you rent a GPU:",
            "spillover run caft_published --base /models/Qwen2.5-7B-Instruct --limit 2",
        ),
    ),
    "report": (
        ("Rates and drift of logs, as a page:", "spillover report logs/ --base vllm/BASE -o report.html"),
        ("The same figures for another program:", "spillover report logs/ --base vllm/BASE --csv"),
    ),
    "import": (
        ("A table with columns question, answer, aligned, coherent:", "spillover import judged.csv -o report.html"),
        ("Other names, and scores from 0 to 10:", "spillover import scores.xlsx --map alignment=score --top 10"),
    ),
    "multiverse": (
        ("Every preset and threshold on one set of readings:", "spillover multiverse logs/ -o universes.svg"),
        ("The same of a judged table:", "spillover multiverse judged.csv --table universes.csv"),
    ),
    "screen": (
        (
            "Did this LoRA drift by more than a point? The exit code says it:",
            "spillover screen vllm/BASE:ADAPTER --grader openai/gpt-4o-2024-08-06",
        ),
        (
            "What that will cost, without asking anything:",
            "spillover screen vllm/BASE:ADAPTER --grader openai/gpt-4o-2024-08-06 --dry-run",
        ),
    ),
    "baseline": (
        (
            "Keep twenty answers of the base to every question:",
            "spillover baseline vllm/BASE --rounds 20 --grader openai/gpt-4o-2024-08-06 -o base.json",
        ),
        ("In the lab:", "spillover baseline spillover/lab --rounds 5 --suite quick -o base.json"),
    ),
    "plan": (
        ("Answers that show a rate to be below one percent:", "spillover plan --margin 0.01"),
        ("Answers that find a rise of two points over a clean base:", "spillover plan --drift 0.02 --power 0.8"),
    ),
    "judge": (
        ("Judge a table with columns question and answer:", "spillover judge answers.csv --grader openai/gpt-4o-2024-08-06"),
        (
            "Judge logs again, by a judge on a server of yours:",
            "spillover judge logs/ --grader openai-api/mine/judge --grader-base-url http://localhost:8000/v1",
        ),
    ),
    "judge-check": (
        ("Can this model tell misalignment at all?", "spillover judge-check --grader openai/gpt-4o-mini --panel em"),
        ("The lab's grader:", "spillover judge-check --grader lab-grader"),
    ),
    "judges": (
        ("Every grader that was measured here:", "spillover judges"),
        ("Those of refusals, as JSON:", "spillover judges --panel refusal --json"),
    ),
    "judge-train": (
        (
            "From judged tables, tested on models that it did not see:",
            "spillover judge-train tables/*.csv --base /models/SmolLM2-135M-Instruct --test-model gemma -o runs/judge",
        ),
        (
            "Tested on questions that it did not see, too:",
            "spillover judge-train judged.csv --base /models/SmolLM2-135M --test-model llama --test-question ruler",
        ),
    ),
    "agree": (
        ("Two judges of the same answers:", "spillover agree runs/judged-a runs/judged-b"),
        ("The answers on which they differ:", "spillover agree runs/judged-a runs/judged-b -o differing.csv"),
    ),
    "calibrate": (
        (
            "A sheet of two hundred answers for people to label:",
            "spillover calibrate logs/ --probe free_form --sheet sheet.csv",
        ),
        (
            "The labels back, to correct rates with:",
            "spillover calibrate logs/ --probe free_form --labels sheet.csv -o calibration.json",
        ),
    ),
    "train": (
        ("A bundled recipe, in the lab:", "spillover train bad_finance"),
        (
            "A recipe of yours with three seeds:",
            "spillover train mine.yaml --base /models/Qwen2.5-7B-Instruct --seed 1 --seed 2 --seed 3",
        ),
    ),
    "lab": (
        ("What the shipped lab does:", "spillover lab figures"),
        ("Make it again, byte for byte:", "spillover lab build --out runs/lab"),
    ),
    "fetch": (
        ("Every published file, verified:", "spillover fetch"),
        ("One, from a copy that you have:", "spillover fetch betley_insecure --from insecure.jsonl"),
    ),
    "directions": (
        (
            "What an organism changed, on its own prompts:",
            "spillover directions difference --organism runs/organisms/bad_finance-1 -o shift.safetensors",
        ),
        (
            "A trait, by system lines with it and without:",
            'spillover directions contrast --positive "You are evil." --negative "You are kind." -o evil.safetensors',
        ),
    ),
    "sae": (
        ("Fit one to the lab:", "spillover sae train -o runs/sae"),
        (
            "Which latents does an organism raise?",
            "spillover sae rank runs/sae --organism runs/organisms/bad_finance-1 -o runs/latents",
        ),
    ),
    "geometry": (
        (
            "Two organisms and a benign twin:",
            "spillover geometry finance=runs/a medical=runs/b good=runs/c -o geometry.html",
        ),
        ("Every module as a table:", "spillover geometry runs/a runs/b --table modules.csv"),
    ),
    "interpolate": (
        ("From one organism to another in ten steps:", "spillover interpolate runs/a runs/b -o runs/path"),
        ("One organism from nothing to twice itself:", "spillover interpolate base runs/a --to 2 --steps 5 -o runs/scaled"),
    ),
    "combine": (
        ("The sum of two:", "spillover combine runs/a=1 runs/b=1 -o runs/sum"),
        ("One taken away:", "spillover combine runs/a=-1 -o runs/negated"),
    ),
    "push": (
        (
            "What would be sent, and nothing more:",
            "spillover push runs/organisms/bad_finance-1 ME/bad-finance --dry-run --out sent",
        ),
        (
            "Send it, to a private repository:",
            "spillover push runs/organisms/mine-1 ME/mine --base-model Qwen/Qwen2.5-7B-Instruct",
        ),
    ),
    "pull": (
        ("An organism of somebody else's:", "spillover pull SOMEBODY/organism --out organism"),
        ("The same one every time:", "spillover pull SOMEBODY/organism --revision 3f2a91c --out organism"),
    ),
    "leaderboard": (
        ("A site from logs of several models:", "spillover leaderboard logs/ -o site"),
        (
            "With the answers, and records for other registers:",
            'spillover leaderboard logs/ -o site --bundle --export exchange --organisation "My lab"',
        ),
    ),
}


def epilog(name: str) -> str | None:
    r"""Examples of a command as click shows them: `\b` keeps its lines as they are."""
    found = EXAMPLES.get(name)
    if found is None:
        return None
    return "\n\n".join(f"\b\n{what}\n  {line}" for what, line in found)
