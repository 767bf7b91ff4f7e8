"""Procedural datasets: made from a seed, with nothing to download."""
