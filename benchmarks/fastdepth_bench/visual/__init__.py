"""What networks predict, to look at."""
