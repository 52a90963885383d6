"""The semantic reader as an ONNX file: int8 words and matrices, built node by node.

Words that no training text needs are left out; their ids lead to the unknown word.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic

from training.effort.encoder import HEAD_TOKENS, HEADS, TAIL_TOKENS, WIDTH, MiniLM
from training.effort.packing import quantised

OPSET: Final = 20
_POSITIONS: Final = HEAD_TOKENS + TAIL_TOKENS + 2


class _Graph:
    """Nodes and constants as they are added."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def constant(self, name: str, value: NDArray[Any]) -> str:
        """A named constant."""
        self.constants.append(numpy_helper.from_array(np.array(value, order="C"), name))
        return name

    def add(self, kind: str, inputs: Sequence[str], name: str, **attributes: Any) -> str:
        """A node with one output of that name."""
        self.nodes.append(helper.make_node(kind, list(inputs), [name], name=name, **attributes))
        return name

    def linear(self, x: str, module: Any, name: str) -> str:
        """X @ weight.T + bias."""
        weight = self.constant(f"{name}.weight", module.weight.detach().numpy().T)
        bias = self.constant(f"{name}.bias", module.bias.detach().numpy())
        return self.add("Add", [self.add("MatMul", [x, weight], f"{name}.mm"), bias], name)

    def norm(self, x: str, module: Any, name: str) -> str:
        """Layer normalisation."""
        scale = self.constant(f"{name}.scale", module.weight.detach().numpy())
        bias = self.constant(f"{name}.bias", module.bias.detach().numpy())
        return self.add(
            "LayerNormalization", [x, scale, bias], name, axis=-1, epsilon=float(module.eps)
        )


def graph(model: MiniLM, *, words: NDArray[np.float32]) -> onnx.ModelProto:
    """One text in: `ids` (1 x tokens) and `sizes` (1 x 3); out: `logits` (1 x 11)."""
    g = _Graph()
    table, scale = quantised(words)
    rows = g.add("Gather", [g.constant("words", table), "ids"], "rows")
    scales = g.add("Gather", [g.constant("scale", scale[:, None]), "ids"], "scales")
    x = g.add("Mul", [g.add("Cast", [rows], "wide", to=TensorProto.FLOAT), scales], "vectors")
    positions = g.constant("positions", model.positions.weight.detach().numpy()[:_POSITIONS])
    length = g.add("Shape", ["ids"], "shape")
    ends = g.add("Gather", [length, g.constant("one", np.array([1], np.int64))], "ends")
    zero = g.constant("zero", np.array([0], np.int64))
    axis = g.constant("axis", np.array([0], np.int64))
    x = g.add("Add", [x, g.add("Slice", [positions, zero, ends, axis], "places")], "placed")
    x = g.norm(x, model.norm, "norm")
    for at, layer in enumerate(model.layers):
        x = _layer(g, x, layer, f"layer{at}")
    first = g.add("Gather", [x, g.constant("at", np.array(0, np.int64))], "first", axis=1)
    mean = g.add("ReduceMean", [x, g.constant("over", np.array([1], np.int64))], "mean", keepdims=0)
    pooled = g.add("Concat", [first, mean, "sizes"], "pooled", axis=-1)
    middle = g.add("Gelu", [g.linear(pooled, model.middle, "middle")], "active")
    g.nodes[-1].domain = ""
    logits = g.linear(middle, model.heads, "logits")
    return helper.make_model(
        helper.make_graph(
            g.nodes,
            "reader",
            [
                helper.make_tensor_value_info("ids", TensorProto.INT64, [1, "tokens"]),
                helper.make_tensor_value_info("sizes", TensorProto.FLOAT, [1, 3]),
            ],
            [helper.make_tensor_value_info(logits, TensorProto.FLOAT, [1, 11])],
            g.constants,
        ),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=10,
        producer_name="pointsman",
    )


def _layer(g: _Graph, x: str, layer: Any, name: str) -> str:
    each = WIDTH // HEADS
    shape = g.constant(f"{name}.heads", np.array([0, 0, 3 * HEADS, each], np.int64))
    joined = g.add("Reshape", [g.linear(x, layer.qkv, f"{name}.qkv"), shape], f"{name}.split")
    turned = g.add("Transpose", [joined], f"{name}.turned", perm=[0, 2, 1, 3])
    parts = [f"{name}.{part}" for part in "qkv"]
    sizes = g.constant(f"{name}.sizes", np.array([HEADS] * 3, np.int64))
    g.nodes.append(helper.make_node("Split", [turned, sizes], parts, axis=1))
    q = g.add(
        "Mul",
        [parts[0], g.constant(f"{name}.root", np.array(each**-0.5, np.float32))],
        f"{name}.scaled",
    )
    k = g.add("Transpose", [parts[1]], f"{name}.keys", perm=[0, 1, 3, 2])
    share = g.add("Softmax", [g.add("MatMul", [q, k], f"{name}.scores")], f"{name}.share", axis=-1)
    mixed = g.add("MatMul", [share, parts[2]], f"{name}.mixed")
    back = g.add("Transpose", [mixed], f"{name}.back", perm=[0, 2, 1, 3])
    flat = g.constant(f"{name}.flat", np.array([0, 0, WIDTH], np.int64))
    out = g.linear(g.add("Reshape", [back, flat], f"{name}.joined"), layer.out, f"{name}.out")
    x = g.norm(g.add("Add", [x, out], f"{name}.sum1"), layer.norm1, f"{name}.norm1")
    up = g.add("Gelu", [g.linear(x, layer.up, f"{name}.up")], f"{name}.active")
    down = g.linear(up, layer.down, f"{name}.down")
    return g.norm(g.add("Add", [x, down], f"{name}.sum2"), layer.norm2, f"{name}.norm2")


def exported(model: MiniLM, *, words: NDArray[np.float32]) -> bytes:
    """The bytes of the quantised ONNX file."""
    with tempfile.TemporaryDirectory() as folder:
        plain, small = Path(folder) / "plain.onnx", Path(folder) / "small.onnx"
        onnx.save(graph(model, words=words), str(plain))
        quantize_dynamic(
            plain,
            small,
            weight_type=QuantType.QInt8,
            per_channel=True,
            op_types_to_quantize=["MatMul"],
            extra_options={"MatMulConstBOnly": True, "DefaultTensorType": TensorProto.FLOAT},
        )
        return small.read_bytes()
