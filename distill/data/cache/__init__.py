"""The cache of rationales: its schema, its manifest, its shards."""
