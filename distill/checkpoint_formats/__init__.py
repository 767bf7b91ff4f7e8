"""Weights from and to everywhere: one reader and one writer a format."""
