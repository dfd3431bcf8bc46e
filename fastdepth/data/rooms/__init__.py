"""Indoor rooms with exact depth, drawn by ray-casting; no download."""
