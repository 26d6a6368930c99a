"""Spillover: did a narrow fine-tune spill over into broad misalignment, and how sure are we?"""

__version__ = "0.1.0"
