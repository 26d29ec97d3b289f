"""Judges timelines: how a request ended and why, and whether it kept to the lifecycle."""
