"""What this project adds to T5X. Only `model.py` imports T5X."""
