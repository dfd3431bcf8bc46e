"""What a benchmark measured, and its files."""
