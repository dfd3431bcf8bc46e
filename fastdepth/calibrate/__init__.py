"""Persistent corrections of one camera and its room: fitted to known distances, kept in files."""
