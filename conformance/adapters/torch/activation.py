"""How PyTorch's modules spell activations."""

from __future__ import annotations

from conformance.spelling import Call, Layout, Name, Parameters, Shapes, Spelling, Spellings

spellings = Spellings()

spellings.call("relu", "torch.nn.ReLU")
spellings.call("gelu", "torch.nn.GELU", approximate="approximate")
spellings.call("softmax", "torch.nn.Softmax", dim="axis")
spellings.call("selu", "torch.nn.SELU")
spellings.call("silu", "torch.nn.SiLU")
spellings.call("sigmoid", "torch.nn.Sigmoid")
spellings.call("tanh", "torch.nn.Tanh")
spellings.call("log_sigmoid", "torch.nn.LogSigmoid")
spellings.call("softsign", "torch.nn.Softsign")
spellings.call("mish", "torch.nn.Mish")
spellings.call("tanh_shrink", "torch.nn.Tanhshrink")
spellings.call("relu6", "torch.nn.ReLU6")
spellings.call("hard_tanh", "torch.nn.Hardtanh")
spellings.call("hard_sigmoid", "torch.nn.Hardsigmoid")
spellings.call("hard_swish", "torch.nn.Hardswish")
spellings.call("leaky_relu", "torch.nn.LeakyReLU", negative_slope="negative_slope")
spellings.call("rrelu", "torch.nn.RReLU", lower="lower", upper="upper")
spellings.call("elu", "torch.nn.ELU", alpha="alpha")
spellings.call("celu", "torch.nn.CELU", alpha="alpha")
spellings.call("softplus", "torch.nn.Softplus", beta="beta")
spellings.call("soft_shrink", "torch.nn.Softshrink", lambd="threshold")
spellings.call("hard_shrink", "torch.nn.Hardshrink", lambd="threshold")
spellings.call("threshold", "torch.nn.Threshold", threshold="threshold", value="value")
spellings.call("log_softmax", "torch.nn.LogSoftmax", dim="axis")
spellings.call("glu", "torch.nn.GLU", dim="axis")


@spellings
def prelu(p: Parameters, shapes: Shapes) -> Spelling:
    rank = len(shapes["x"])
    return Spelling(
        Call("torch.nn.PReLU", *shapes["alpha"]),
        tensors={"alpha": Name("weight")},
        layout=Layout.moving([rank - 1], 1, rank),
    )
