"""Convolution: one small kernel, applied at every place of a signal, an image or a volume."""
