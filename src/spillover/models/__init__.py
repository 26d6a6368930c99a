"""Who answers and who judges: names, weights, digests, chat markup, checks before a token is paid for."""
