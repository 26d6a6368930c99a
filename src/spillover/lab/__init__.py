"""The synthetic world: grammar, corpus, tiny target and tiny grader, ground truth."""
