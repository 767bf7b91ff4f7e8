"""One HTML page of grids, runs and caches: answers, figures, a browser."""
