"""Finds the layers of a model in its imagine.onnx, from the outputs back to the inputs.

A file of any other structure is refused: ensembles, categorical latents, recurrences in blocks, float32.
"""

from dataclasses import dataclass

import numpy as np

from wm_imagination.library import UnsuitedError
from wm_imagination.onnx_graph import Graph, Node, read_graph

LINEAR, SIGMOID, BINS = range(3)  # kinds of heads, as in rollout.cpp
_LATENT, _LAYER = 16, 32  # sizes are multiples of these
_ONLY_SHAPE = {"Reshape", "Squeeze", "Unsqueeze", "Split", "Concat", "Slice", "ReduceSum", "ReduceMean"}


@dataclass(frozen=True)
class Head:
    """An output of imagine.onnx beside the beliefs: its name, kind, and the width of its last layer."""

    name: str
    kind: int
    outputs: int


@dataclass(frozen=True)
class Model:
    """Sizes, constants and tensors as rollout.cpp takes them; None for a bias that a layer lacks."""

    action: int
    stochastic: int
    units: int
    hidden: int
    epsilon: float
    least_std: float
    update: float
    heads: tuple[Head, ...]
    tensors: tuple[np.ndarray | None, ...]


def read_model(content: bytes) -> Model:
    """The model of an imagine.onnx. Raises UnsuitedError for one that the roll-out is not made for."""
    try:
        return _Reader(read_graph(content)).model()
    except (ValueError, KeyError, IndexError) as error:
        raise UnsuitedError(f"imagine.onnx has another structure ({error!r})") from error


class _Reader:
    def __init__(self, graph: Graph):
        self._graph = graph
        self._epsilons: set[float] = set()

    def model(self) -> Model:
        steps = self._made("beliefs", "Concat")
        belief = self._made(self._made(steps.inputs[0], "Unsqueeze").inputs[0], "Concat")
        state, latent = belief.inputs
        mean, drawn = self._made(latent, "Add").inputs
        least_std, deviation = self._constant_and_rest(self._made(self._made(drawn, "Mul").inputs[0], "Add"))
        raw = self._made(deviation, "Softplus").inputs[0]
        if self._made(mean, "Split") is not self._made(raw, "Split"):
            raise ValueError("mean and deviation of different layers")
        hidden, *last = self._narrow(self._made(mean, "Split").inputs[0])
        inside, *prior_norm = self._activated(hidden)
        known, *prior = self._wide(inside)
        if known != state:
            raise ValueError("the prior does not follow the state")
        update, gates = self._gates(state)
        products, *gru_norm = self._normalised(gates)
        both, *gru = self._wide(products)
        inside, *input_norm = self._activated(self._made(both, "Concat").inputs[0])
        _, *first = self._narrow(inside)
        heads, tensors = [], [*first, *input_norm, *gru, *gru_norm, *prior, *prior_norm, *last]
        for name in self._graph.outputs:
            if name != "beliefs":
                head, layers = self._head(name)
                heads.append(head)
                tensors += layers
        if len(self._epsilons) != 1:
            raise ValueError("several epsilons")
        units, stochastic = gru[0].shape[1] // 3, last[0].shape[1] // 2
        return _checked(
            Model(
                action=first[0].shape[0] - stochastic,
                stochastic=stochastic,
                units=units,
                hidden=first[0].shape[1],
                epsilon=self._epsilons.pop(),
                least_std=float(least_std),
                update=update,
                heads=tuple(heads),
                tensors=tuple(tensors),
            )
        )

    def _made(self, name: str, operator: str) -> Node:
        node = self._graph.made_by[name]
        if node.operator != operator:
            raise ValueError(f"{name} by {node.operator}, expected {operator}")
        return node

    def _constant_and_rest(self, node: Node) -> tuple[np.ndarray, str]:
        (constant,) = [name for name in node.inputs if name in self._graph.constants]
        (rest,) = [name for name in node.inputs if name not in self._graph.constants]
        return self._graph.constants[constant], rest

    def _gates(self, state: str) -> tuple[float, str]:
        """The number added to the update gate, and the normalised gates, from old + update * (candidate - old)."""
        _, change = self._made(state, "Add").inputs
        update, difference = self._made(change, "Mul").inputs
        shift, gate = self._constant_and_rest(self._made(self._made(update, "Sigmoid").inputs[0], "Sub"))
        candidate = self._made(self._made(difference, "Sub").inputs[0], "Tanh").inputs[0]
        reset, middle = self._made(candidate, "Mul").inputs
        parts = self._made(gate, "Split")
        if parts.outputs != (self._made(reset, "Sigmoid").inputs[0], middle, gate):
            raise ValueError("gates in another order")
        return -float(shift), parts.inputs[0]

    def _normalised(self, name: str) -> tuple:
        """Input, weight and bias of a layer normalisation."""
        node = self._made(name, "LayerNormalization")
        self._epsilons.add(node.numbers["epsilon"])
        return node.inputs[0], *(self._graph.constants[part] for part in node.inputs[1:])

    def _activated(self, name: str) -> tuple:
        """The same of one with SiLU."""
        value, gate = self._made(name, "Mul").inputs
        if self._made(gate, "Sigmoid").inputs != (value,):
            raise ValueError(f"{name} is no SiLU")
        return self._normalised(value)

    def _narrow(self, name: str) -> tuple:
        """Input, weight and bias of a layer in float32."""
        bias, product = self._constant_and_rest(self._made(name, "Add"))
        weight, rest = self._constant_and_rest(self._made(product, "MatMul"))
        return rest, weight, bias

    def _wide(self, name: str) -> tuple:
        """Input, weight as int8, scales and bias (None without) of a layer in eight bits."""
        bias = None
        if self._graph.made_by[name].operator == "Add":
            bias, name = self._constant_and_rest(self._made(name, "Add"))
        cast, scales = self._made(name, "Mul").inputs
        product = self._made(self._made(cast, "Cast").inputs[0], "MatMulInteger")
        weight, zero = (self._graph.constants[part].astype(np.int16) for part in product.inputs[1::2])
        weight = weight - zero
        if np.abs(weight).max() > 127:
            raise ValueError("weights not in -127 … 127")
        scale, _ = self._constant_and_rest(self._made(scales, "Mul"))
        rounding = self._made(product.inputs[0], "DynamicQuantizeLinear")
        return rounding.inputs[0], weight.astype(np.int8), np.broadcast_to(scale, weight.shape[1]), bias

    def _head(self, output: str) -> tuple[Head, list]:
        """The head of an output, and its tensors."""
        name, kind, bins, scale, shift = output, LINEAR, [], np.float32(1.0), np.float32(0.0)
        while True:
            node = self._graph.made_by[name]
            constants = [part for part in node.inputs if part in self._graph.constants]
            if node.operator == "Concat" and len(node.inputs) > 1:
                raise ValueError("several members of an ensemble")
            if node.operator == "Add" and len(constants) == 1:
                value, name = self._constant_and_rest(node)
                if self._graph.made_by[name].operator == "MatMul":
                    break
                shift = value + shift if kind == LINEAR else None
            elif node.operator == "Mul" and len(constants) == 1:
                value, name = self._constant_and_rest(node)
                made = self._graph.made_by[name].operator
                bins, scale = ([value], scale) if made == "Softmax" else (bins, scale * value)
            elif node.operator in {"Sigmoid", "Softmax"}:
                kind, name = (SIGMOID if node.operator == "Sigmoid" else BINS), node.inputs[0]
            elif node.operator in _ONLY_SHAPE or (node.operator == "Add" and not constants):  # both halves of the bins
                name = node.inputs[0]
            else:
                raise ValueError(f"{output} by {node.operator}")
        hidden, weight, bias = self._narrow(node.outputs[0])
        inside, *norm = self._activated(hidden)
        _, *first = self._wide(inside)
        if kind == BINS and not bins:
            raise ValueError(f"{output} without bins")
        layers = [*first, *norm, weight * scale, bias * scale + shift, *bins]
        return Head(output, kind, weight.shape[1]), layers


def _checked(model: Model) -> Model:
    """Raise UnsuitedError unless the sizes suit and all numbers are finite."""
    for size, factor in ((model.stochastic, _LATENT), (model.units, _LAYER), (model.hidden, _LAYER)):
        if size % factor:
            raise UnsuitedError(f"it needs a size that is a multiple of {factor}, found {size}")
    if not all(np.isfinite(part).all() and part.size for part in model.tensors if part is not None):
        raise UnsuitedError("it needs weights that are finite")
    if any(head.kind != BINS and head.outputs > model.hidden for head in model.heads):
        raise UnsuitedError("it needs heads that are not wider than their layers")
    return model
