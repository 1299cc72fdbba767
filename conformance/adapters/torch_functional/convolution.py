"""How PyTorch's functions spell convolutions."""

from __future__ import annotations

from conformance.adapters._torch import geometry
from conformance.spelling import Call, Function, Name, Parameters, Shapes, Speller, Spellings

spellings = Spellings()


def _convolution(axes: int) -> Speller:
    name = f"torch.nn.functional.conv{axes}d"

    def speller(p: Parameters, shapes: Shapes) -> Function:
        return Function(
            Call(name, **geometry.convolving(p, name)),
            tensors={"kernel": Name("weight", geometry.kernel(axes)), "bias": Name("bias")},
            layout=geometry.image(axes),
        )

    return speller


def _transposed(axes: int) -> Speller:
    name = f"torch.nn.functional.conv_transpose{axes}d"

    def speller(p: Parameters, shapes: Shapes) -> Function:
        return Function(
            Call(name, **geometry.convolving_transposed(p, shapes["kernel"][:-2], name)),
            tensors={"kernel": Name("weight", geometry.kernel(axes, transposed=True)), "bias": Name("bias")},
            layout=geometry.image(axes),
        )

    return speller


spellings.update({f"conv{axes}d": _convolution(axes) for axes in (1, 2, 3)})
spellings.update({f"conv_transpose{axes}d": _transposed(axes) for axes in (1, 2)})


@spellings
def depthwise_conv2d(p: Parameters, shapes: Shapes) -> Function:
    name = "torch.nn.functional.conv2d"
    return Function(
        Call(name, **geometry.convolving(p, name) | {"groups": shapes["kernel"][2]}),
        tensors={"kernel": Name("weight", geometry.depthwise_kernel(shapes["kernel"])), "bias": Name("bias")},
        layout=geometry.image(2),
    )
