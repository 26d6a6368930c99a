"""The in-process Inspect model provider: batched decoding, adapters, exact log-probabilities."""
