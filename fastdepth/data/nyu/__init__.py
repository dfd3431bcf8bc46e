"""NYU Depth V2, and any folder of pairs in the same layout."""
