"""Recipes, supervised fine-tuning with LoRA, organism cards."""
