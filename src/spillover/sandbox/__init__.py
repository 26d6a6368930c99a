"""Where code that a model wrote is run: shut off from the machine, or not at all."""
