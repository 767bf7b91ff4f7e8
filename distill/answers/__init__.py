"""Reads answers out of text, for the teacher, the data and the evaluation."""
