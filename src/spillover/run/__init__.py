"""Plans of steps and what executes them: train, serve, ask, judge. Runs, evaluations and gates are plans."""
