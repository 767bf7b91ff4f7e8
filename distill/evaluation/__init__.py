"""Metrics, evaluator, inference and report: what a student is worth."""
