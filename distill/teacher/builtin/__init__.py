"""The built-in teacher: solves procedural questions from the prompt only."""
