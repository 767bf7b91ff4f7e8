"""Data: from a dataset's rows and a teacher's answers to training batches."""
