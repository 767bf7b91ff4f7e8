"""Evaluation: predictions, metrics, and rationales of a trained student."""
