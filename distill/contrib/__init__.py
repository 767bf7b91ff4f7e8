"""Additions for few users; only commands import them, on demand."""
