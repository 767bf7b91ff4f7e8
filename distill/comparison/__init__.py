"""Grids of students, side by side: run, judged, drawn and written down."""
