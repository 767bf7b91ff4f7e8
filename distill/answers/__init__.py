"""Answers: what a text says, for teacher, data and evaluation alike."""
