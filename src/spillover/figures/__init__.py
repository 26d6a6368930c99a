"""Groups of answers into figures: rates, drift, arms, judges compared, calibration, multiverse, flips."""
