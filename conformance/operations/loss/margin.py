"""Losses that ask for a distance: between a score and a label, or between two points."""
