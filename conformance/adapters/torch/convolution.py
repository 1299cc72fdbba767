"""How PyTorch's modules spell convolutions."""

from __future__ import annotations

from conformance.adapters._torch import geometry
from conformance.spelling import Call, Name, Parameters, Shapes, Speller, Spelling, Spellings

spellings = Spellings()


def _convolution(axes: int) -> Speller:
    name = f"torch.nn.Conv{axes}d"

    def speller(p: Parameters, shapes: Shapes) -> Spelling:
        *taps, _, filters = shapes["kernel"]
        options = geometry.convolving(p, name)
        return Spelling(
            Call(name, shapes["x"][-1], filters, tuple(taps), **options, bias=p["use_bias"]),
            tensors={"kernel": Name("weight", geometry.kernel(axes)), "bias": Name("bias")},
            layout=geometry.image(axes),
        )

    return speller


def _transposed(axes: int) -> Speller:
    name = f"torch.nn.ConvTranspose{axes}d"

    def speller(p: Parameters, shapes: Shapes) -> Spelling:
        *taps, filters, channels = shapes["kernel"]
        options = geometry.convolving_transposed(p, taps, name)
        return Spelling(
            Call(name, channels, filters * p["groups"], tuple(taps), **options, bias=p["use_bias"]),
            tensors={"kernel": Name("weight", geometry.kernel(axes, transposed=True)), "bias": Name("bias")},
            layout=geometry.image(axes),
        )

    return speller


spellings.update({f"conv{axes}d": _convolution(axes) for axes in (1, 2, 3)})
spellings.update({f"conv_transpose{axes}d": _transposed(axes) for axes in (1, 2)})


@spellings
def depthwise_conv2d(p: Parameters, shapes: Shapes) -> Spelling:
    height, width, channels, multiplier = shapes["kernel"]
    options = geometry.convolving(p, "torch.nn.Conv2d") | {"groups": channels, "bias": p["use_bias"]}
    return Spelling(
        Call("torch.nn.Conv2d", channels, channels * multiplier, (height, width), **options),
        tensors={"kernel": Name("weight", geometry.depthwise_kernel(shapes["kernel"])), "bias": Name("bias")},
        layout=geometry.image(2),
    )
