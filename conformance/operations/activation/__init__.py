"""Activations: a nonlinear function of each element, or of each row."""
