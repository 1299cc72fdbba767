"""How PyTorch's functions spell activations."""

from __future__ import annotations

from conformance.adapters._torch import argument
from conformance.spelling import Call, Function, Layout, Name, Parameters, Shapes, Spellings

spellings = Spellings(make=Function, reader=argument)

spellings.call("relu", "torch.nn.functional.relu")
spellings.call("gelu", "torch.nn.functional.gelu", approximate="approximate")
spellings.call("softmax", "torch.nn.functional.softmax", dim="axis")
spellings.call("selu", "torch.nn.functional.selu")
spellings.call("silu", "torch.nn.functional.silu")
spellings.call("log_sigmoid", "torch.nn.functional.logsigmoid")
spellings.call("softsign", "torch.nn.functional.softsign")
spellings.call("mish", "torch.nn.functional.mish")
spellings.call("tanh_shrink", "torch.nn.functional.tanhshrink")
spellings.call("relu6", "torch.nn.functional.relu6")
spellings.call("hard_tanh", "torch.nn.functional.hardtanh")
spellings.call("hard_sigmoid", "torch.nn.functional.hardsigmoid")
spellings.call("hard_swish", "torch.nn.functional.hardswish")
spellings.call("sigmoid", "torch.sigmoid")
spellings.call("tanh", "torch.tanh")
spellings.call("leaky_relu", "torch.nn.functional.leaky_relu", negative_slope="negative_slope")
spellings.call("rrelu", "torch.nn.functional.rrelu", lower="lower", upper="upper")
spellings.call("elu", "torch.nn.functional.elu", alpha="alpha")
spellings.call("celu", "torch.nn.functional.celu", alpha="alpha")
spellings.call("softplus", "torch.nn.functional.softplus", beta="beta")
spellings.call("soft_shrink", "torch.nn.functional.softshrink", lambd="threshold")
spellings.call("hard_shrink", "torch.nn.functional.hardshrink", lambd="threshold")
spellings.call("threshold", "torch.nn.functional.threshold", threshold="threshold", value="value")
spellings.call("log_softmax", "torch.nn.functional.log_softmax", dim="axis")
spellings.call("logsumexp", "torch.logsumexp", dim="axis")
spellings.call("glu", "torch.nn.functional.glu", dim="axis")


@spellings
def prelu(p: Parameters, shapes: Shapes) -> Function:
    rank = len(shapes["x"])
    return Function(
        Call("torch.nn.functional.prelu"),
        tensors={"alpha": Name("weight")},
        layout=Layout.moving([rank - 1], 1, rank),
    )
