"""Rooms of furniture in true size, path-traced, with exact depth."""
