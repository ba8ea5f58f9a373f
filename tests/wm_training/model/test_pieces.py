import pytest
import torch
from torch import nn
from wm_training.model.pieces import in_pieces


@pytest.fixture(params=[1, 2, 3])
def threads(request):
    """Runs the test with that many threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def layer_and_frames():
    torch.manual_seed(0)
    layer = nn.Sequential(nn.Linear(5, 7), nn.SiLU(), nn.Linear(7, 3))
    return layer, torch.randn(23, 5, requires_grad=True), torch.randint(0, 9, (23, 3), dtype=torch.uint8)


def gradients(layer, frames, outputs):
    outputs.square().sum().backward()
    found = [frames.grad, *(p.grad for p in layer.parameters())]
    frames.grad = None
    layer.zero_grad()
    return found


def test_pieces_have_the_outputs_and_gradients_of_the_whole(threads):
    layer, frames, target = layer_and_frames()

    def function(x, t):
        return layer(x) - t.float()

    whole, pieces = function(frames, target), in_pieces(function, layer.parameters(), 4, frames, target)
    torch.testing.assert_close(pieces, whole)
    for one, other in zip(gradients(layer, frames, pieces), gradients(layer, frames, whole), strict=True):
        torch.testing.assert_close(one, other)


def test_the_same_pieces_give_the_same_bits(threads):
    layer, frames, _ = layer_and_frames()
    runs = [gradients(layer, frames, in_pieces(layer, layer.parameters(), 4, frames)) for _ in range(5)]
    assert all(torch.equal(a, b) for run in runs for a, b in zip(run, runs[0], strict=True))


def test_autocast_and_no_grad_hold_in_every_piece(threads):
    layer, frames, _ = layer_and_frames()
    with torch.autocast("cpu", torch.bfloat16):
        outputs = in_pieces(layer, layer.parameters(), 4, frames)
        with torch.no_grad():
            silent = in_pieces(layer, layer.parameters(), 4, frames)
    assert outputs.dtype == silent.dtype == torch.bfloat16
    assert outputs.requires_grad and not silent.requires_grad


def test_an_error_in_a_piece_comes_out(threads):
    layer, frames, _ = layer_and_frames()

    def function(x):
        raise ValueError("a piece is bad")

    with pytest.raises(ValueError, match="a piece is bad"):
        in_pieces(function, layer.parameters(), 4, frames)
