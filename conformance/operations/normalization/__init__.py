"""Normalization: an array less its mean, divided by its standard deviation or its norm."""
