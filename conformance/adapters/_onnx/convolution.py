"""How ONNX spells convolutions."""

from __future__ import annotations

from typing import Any

from conformance.adapters._onnx._nodes import Graph, node
from conformance.spelling import Layout, Parameters, Reshaped, Shapes, Speller, Spellings

spellings = Spellings()

SPATIAL = {1: "w", 2: "hw", 3: "dhw"}
AUTO_PAD = {"same": "SAME_UPPER", "valid": "VALID"}


def _many(one_or_many: Any, axes: int) -> list[int]:
    given = [one_or_many] if isinstance(one_or_many, int) else list(one_or_many)
    return given if len(given) == axes else given * axes


def _graph(operator: str, p: Parameters, kernel: Layout, axes: int, **attributes: Any) -> Graph:
    inputs = ["x", "kernel", "bias"] if p["use_bias"] else ["x", "kernel"]
    spatial = SPATIAL[axes]
    return Graph(
        [node(operator, inputs, ["y"], **attributes)],
        layout=Layout.of(f"b{spatial}c->bc{spatial}"),
        layouts={"kernel": kernel},
    )


def _convolution(axes: int) -> Speller:
    layout = Layout.of(f"{SPATIAL[axes]}io->oi{SPATIAL[axes]}")

    def speller(p: Parameters, shapes: Shapes) -> Graph:
        gaps = _many(p["dilation"], axes)
        before = [(tap - 1) * gap for tap, gap in zip(shapes["kernel"], gaps, strict=False)]
        padding = {"pads": [*before, *[0] * axes]} if p["padding"] == "causal" else {"auto_pad": AUTO_PAD[p["padding"]]}
        return _graph(
            "Conv", p, layout, axes, **padding, strides=_many(p["strides"], axes), dilations=gaps, group=p["groups"]
        )

    return speller


def _transposed(axes: int) -> Speller:
    layout = Layout.of(f"{SPATIAL[axes]}oi->io{SPATIAL[axes]}")

    def speller(p: Parameters, shapes: Shapes) -> Graph:
        gaps, asked = _many(p["dilation"], axes), p["output_padding"]
        half = [((tap - 1) * gap + 1) // 2 for tap, gap in zip(shapes["kernel"], gaps, strict=False)]
        explicit = p["padding"] == "same" and asked >= 0
        padding = {"pads": half * 2} if explicit else {"auto_pad": AUTO_PAD[p["padding"]]}
        return _graph(
            "ConvTranspose",
            p,
            layout,
            axes,
            **padding,
            output_padding=None if asked < 0 else [asked] * axes,
            strides=_many(p["strides"], axes),
            dilations=gaps,
            group=p["groups"],
        )

    return speller


spellings.update({f"conv{axes}d": _convolution(axes) for axes in (1, 2, 3)})
spellings.update({f"conv_transpose{axes}d": _transposed(axes) for axes in (1, 2)})


@spellings
def depthwise_conv2d(p: Parameters, shapes: Shapes) -> Graph:
    height, width, channels, multiplier = shapes["kernel"]
    layout = Reshaped(
        Layout.of("hwcm->cmhw").axes,
        before=(channels, multiplier, height, width),
        after=(channels * multiplier, 1, height, width),
    )
    return _graph(
        "Conv",
        p,
        layout,
        2,
        auto_pad=AUTO_PAD[p["padding"]],
        strides=_many(p["strides"], 2),
        dilations=_many(p["dilation"], 2),
        group=channels,
    )
