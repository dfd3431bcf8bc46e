"""Where the time of a file goes: operator by operator, each against its own roofline."""
