"""What this project adds to T5X; `model.py` alone imports it."""
