"""Losses: how far a prediction lies from its target."""
