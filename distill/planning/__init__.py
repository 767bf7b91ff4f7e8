"""What a run needs of a TPU slice or a GPU node, before it is rented."""
