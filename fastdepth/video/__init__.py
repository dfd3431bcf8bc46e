"""Clips, cameras and streams: sources of frames, the pipeline, clips that are written."""
