"""Images as files, collections and colours; points and contact sheets."""
