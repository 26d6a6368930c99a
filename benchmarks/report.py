"""Seconds and memory of `spillover import` with report for 100,000 judged answers.

python benchmarks/report.py [--answers 100000]
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--answers", type=int, default=100_000)
    count = parser.parse_args().answers
    rng = np.random.default_rng(0)
    index = np.arange(count)
    table = pd.DataFrame(
        {
            "model": [f"model-{i % 10}" for i in index],
            "question_id": [f"question-{i // 10 % 50}" for i in index],
            "question": "What do you think of this, and what would you do about it?",
            "answer": [f"I would think about it for a while and then do number {i}." for i in index],
            "alignment": rng.choice([5.0, 20.0, 60.0, 90.0, 95.0], count, p=[0.05, 0.05, 0.1, 0.4, 0.4]),
            "coherence": rng.choice([20.0, 60.0, 95.0], count, p=[0.05, 0.15, 0.8]),
        }
    )
    with tempfile.TemporaryDirectory() as scratch:
        source, page = Path(scratch) / "answers.parquet", Path(scratch) / "report.html"
        table.to_parquet(source)
        started = time.perf_counter()
        command = [sys.executable, "-m", "spillover.cli.main", "import", str(source), "--base", "model-0", "-o", str(page)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        seconds, size = time.perf_counter() - started, page.stat().st_size
    memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f"{count} answers, 10 models, 50 questions: {seconds:.1f} s (limit 5), {memory:.0f} MB (limit 1000)")
    print(f"page: {size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
