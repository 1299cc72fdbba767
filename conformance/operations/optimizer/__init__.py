"""Optimizers: what a gradient does to a variable, one step at a time."""
