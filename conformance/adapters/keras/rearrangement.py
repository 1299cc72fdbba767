"""How Keras spells rearrangement: it has no layers for it, so by functions, for patches by the one made for images."""

from __future__ import annotations

from conformance.adapters.keras_ops.rearrangement import fold, patches, pixel_shuffle, pixel_unshuffle
from conformance.spelling import Spellings

spellings = Spellings(
    {"unfold": patches, "fold": fold, "pixel_shuffle": pixel_shuffle, "pixel_unshuffle": pixel_unshuffle}
)
