"""Compressions of a graph: what keeps its function, and what costs accuracy and is measured."""
