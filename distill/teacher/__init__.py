"""Teachers: prompts go in, rationales with parsed answers come out."""
