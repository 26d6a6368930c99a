"""Directions in the residual stream: found in weights or activations, kept in a file, compared, ablated."""
