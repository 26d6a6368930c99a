"""vLLM servers on loopback."""
