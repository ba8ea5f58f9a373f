"""A matrix product inside a loop over time, with its gradient computed once after the loop."""

import torch
from torch import Tensor


class LoopLinear:
    """``W x_t + offset_t`` for the steps t of one pass through a loop.

    With plain autograd, every step would compute a gradient of the whole matrix from its few rows and add it to the
    sum; here the rows are collected and multiplied once. Use each step once, in order."""

    def __init__(self, weight: Tensor, offsets: Tensor):
        """``weight`` (O, I); ``offsets`` (T, B, O), the part independent of the loop, in the type of the
        computation."""
        self._inputs: list[Tensor] = []
        self._weight = weight.detach().to(offsets.dtype).t()
        self._offsets = _Defer.apply(weight, offsets, self._inputs).unbind(0)

    def __call__(self, t: int, x: Tensor) -> Tensor:
        """x (B, I) of step t to (B, O)."""
        x = x.to(self._weight.dtype)
        self._inputs.append(x.detach())
        return torch.addmm(self._offsets[t], x, self._weight)


class _Defer(torch.autograd.Function):
    """Passes ``offsets`` on; its backward pass runs after those of all steps and also returns the weight's gradient."""

    @staticmethod
    def forward(ctx, weight: Tensor, offsets: Tensor, inputs: list[Tensor]) -> Tensor:
        ctx.inputs = inputs
        return offsets.view_as(offsets)

    @staticmethod
    def backward(ctx, gradient: Tensor):
        # y_t = W x_t + offset_t: the gradient of offset_t is that of y_t, and dW = Σ_t dy_t x_tᵀ.
        return gradient.flatten(0, 1).t() @ torch.cat(ctx.inputs), gradient, None
