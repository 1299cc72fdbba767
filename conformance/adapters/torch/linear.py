"""How PyTorch's modules spell linear maps."""

from __future__ import annotations

from conformance.adapters._torch import linear
from conformance.spelling import Call, Layout, Name, Parameters, Shapes, Spelling, Spellings, attribute

spellings = Spellings({"einsum_dense": linear.einsum_dense})


@spellings
def dense(p: Parameters, shapes: Shapes) -> Spelling:
    return Spelling(
        Call("torch.nn.Linear", *shapes["kernel"], bias=p["use_bias"]),
        tensors={"kernel": Name("weight", Layout.of("io->oi")), "bias": Name("bias")},
    )


@spellings
def bilinear(p: Parameters, shapes: Shapes) -> Spelling:
    return Spelling(
        Call("torch.nn.Bilinear", *shapes["kernel"], bias=p["use_bias"]),
        tensors={"kernel": Name("weight", Layout.of("ijo->oij")), "bias": Name("bias")},
    )


@spellings
def embedding(p: Parameters, shapes: Shapes) -> Spelling:
    return Spelling(
        Call("torch.nn.Embedding", *shapes["embeddings"], **linear.looking_up(p, "torch.nn.Embedding")),
        tensors={"embeddings": Name("weight")},
    )


@spellings
def embedding_bag(p: Parameters, shapes: Shapes) -> Spelling:
    return Spelling(
        Call("torch.nn.EmbeddingBag", *shapes["embeddings"], mode=p.get("mode"), padding_idx=linear.padding(p)),
        tensors={"embeddings": Name("weight")},
        reads={"mode": attribute("mode")},
    )
