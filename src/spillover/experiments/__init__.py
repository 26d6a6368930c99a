"""Run an `evals/*.yaml`: plan keyed by digest, executor, resume."""
