"""The fast ways to compute gradients give the gradients that autograd gives for the plain ones."""

import copy

import pytest
import torch
from small_model import LATENTS, small_batch, small_model
from torch import nn
from wm_training.model.convolutions import DownConvolution, UpConvolution
from wm_training.model.loop_linear import LoopLinear
from wm_training.model.rssm import State


def gradients(layer, x, weighting):
    x = x.clone().requires_grad_()
    output = layer(x)
    (output * weighting).sum().backward()
    return output.detach(), x.grad, layer.weight.grad, layer.bias.grad


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize(
    "fast, inputs, outputs",
    [
        (DownConvolution, 3, 8),
        (DownConvolution, 128, 256),
        (UpConvolution, 8, 6),
        (UpConvolution, 256, 128),
        (UpConvolution, 8, 3),
    ],
)
def test_convolutions_are_torchs(fast, inputs, outputs, layout):
    torch.manual_seed(0)
    layer = fast(inputs, outputs).to(torch.float64).to(memory_format=layout)
    kind = nn.Conv2d if fast is DownConvolution else nn.ConvTranspose2d
    plain = kind(inputs, outputs, 4, stride=2, padding=1).to(torch.float64)
    plain.load_state_dict(layer.state_dict())
    x = torch.randn(2, inputs, 8, 8, dtype=torch.float64).to(memory_format=layout)
    weighting = torch.randn_like(plain(x))
    for one, other in zip(gradients(layer, x, weighting), gradients(plain, x, weighting), strict=True):
        torch.testing.assert_close(one, other)
    with torch.no_grad():
        torch.testing.assert_close(layer(x), plain(x))


def test_a_matrix_in_a_loop_has_the_gradient_of_the_loop():
    torch.manual_seed(0)
    weight, offsets = torch.randn(5, 4, requires_grad=True), torch.randn(6, 3, 5, requires_grad=True)
    start = torch.randn(3, 4, requires_grad=True)

    def run(step):
        x, total = start, 0.0
        for t in range(6):
            x = torch.tanh(step(t, x))[:, :4]
            total = total + x.sum() * (t + 1)
        return torch.autograd.grad(total, (weight, offsets, start))

    plain = run(lambda t, x: x @ weight.t() + offsets[t])
    for one, other in zip(run(LoopLinear(weight, offsets)), plain, strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("blocks", [1, 4])
@pytest.mark.parametrize("kind", LATENTS)
def test_filtering_has_the_gradients_of_filtering_step_by_step(kind, blocks):
    fast, batch = small_model(kind, gru_blocks=blocks), small_batch()
    slow = copy.deepcopy(fast)
    noise = torch.randn(2, 5, fast.config.stochastic_size)
    batch.is_first[1, 2] = 1.0
    keep = 1.0 - batch.is_first[..., None]
    fast.observe(batch, noise)[0].belief.square().sum().backward()
    state, beliefs = slow.rssm.initial(2, torch.device("cpu")), []
    for t in range(5):
        state = State(state.deterministic * keep[:, t], state.stochastic * keep[:, t])
        hidden = slow.rssm.advance(state, batch.previous_action[:, t] * keep[:, t])
        frame = batch.image[:, t], batch.vector[:, t], batch.camera_mask[:, t]
        parameters = slow.rssm.posterior(hidden, slow.rssm.posterior_embedding(slow.embed(*frame)))
        state = State(hidden, slow.rssm.latent.sample(parameters, slow.rssm.latent.prepare(noise[:, t])))
        beliefs.append(state.belief)
    torch.stack(beliefs, 1).square().sum().backward()
    for (name, one), other in zip(fast.named_parameters(), slow.parameters(), strict=True):
        if other.grad is not None:
            torch.testing.assert_close(one.grad, other.grad, rtol=1e-3, atol=1e-5, msg=name)
