"""The release gate: a checkpoint against its base, probe by probe, until there is an answer."""
