"""Published datasets, behind the interface of the procedural ones."""
