"""What few need; nothing else of the project imports it but commands."""
