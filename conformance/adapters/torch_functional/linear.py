"""How PyTorch's functions spell linear maps."""

from __future__ import annotations

from conformance.adapters._torch import argument, linear
from conformance.spelling import Call, Function, Layout, Name, Parameters, Shapes, Spellings

spellings = Spellings({"einsum_dense": linear.einsum_dense})


@spellings
def dense(p: Parameters, shapes: Shapes) -> Function:
    return Function(
        Call("torch.nn.functional.linear"),
        tensors={"kernel": Name("weight", Layout.of("io->oi")), "bias": Name("bias")},
    )


@spellings
def bilinear(p: Parameters, shapes: Shapes) -> Function:
    return Function(
        Call("torch.nn.functional.bilinear"),
        tensors={"kernel": Name("weight", Layout.of("ijo->oij")), "bias": Name("bias")},
    )


@spellings
def embedding(p: Parameters, shapes: Shapes) -> Function:
    name = "torch.nn.functional.embedding"
    return Function(Call(name, **linear.looking_up(p, name)), tensors={"embeddings": Name("weight")})


@spellings
def embedding_bag(p: Parameters, shapes: Shapes) -> Function:
    return Function(
        Call("torch.nn.functional.embedding_bag", mode=p.get("mode"), padding_idx=linear.padding(p)),
        tensors={"embeddings": Name("weight")},
        reads={"mode": argument("mode")},
    )
