"""Tasks that a model is trained on by reinforcement, each with a verifier that can be fooled and one that can not."""
