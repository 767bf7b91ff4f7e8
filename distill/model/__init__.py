"""The student: network, losses and decoding."""
