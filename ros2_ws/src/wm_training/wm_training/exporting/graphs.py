"""The four graphs of a bundle, as modules around a trained model, and their export to ONNX.

Tensor names and shapes are the contract in docs/architecture.md, "Bundle".
"""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from wm_training.exporting.file_model import Said, Sizes, said_of
from wm_training.exporting.tracing import write_graph
from wm_training.model.heads import search_to_command
from wm_training.model.world_model import WorldModel


class _Graph(nn.Module):
    def __init__(self, model: WorldModel):
        super().__init__()
        self.model = model


class ObserveGraph(_Graph):
    """One filter step. The belief takes the posterior's mean: planning should not depend on a sample."""

    def forward(
        self,
        image: Tensor,
        vector: Tensor,
        previous_action: Tensor,
        belief: Tensor,
        is_first: Tensor,
        camera_mask: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Returns the belief (1, F) and the surprise (1,). ``camera_mask`` (1, K) None: all cameras present."""
        if camera_mask is None:
            camera_mask = torch.ones(1, self.model.cameras)
        rssm, keep = self.model.rssm, (1.0 - is_first)[:, None]
        embedded = rssm.posterior_embedding(self.model.embed(image, vector, camera_mask))
        state, surprise = rssm.filter_step(rssm.split(belief * keep), previous_action * keep, embedded)
        return state.belief, surprise


class ImagineGraph(_Graph):
    """N action sequences of H steps from one belief, with every head on every state reached."""

    def forward(self, belief: Tensor, actions: Tensor, noise: Tensor) -> tuple[Tensor, ...]:
        """Returns reward, continue and value (N, H) and the beliefs (N, H, F).

        Models with an ensemble also return the disagreement of reward and value, (N, H) each, and those with such a
        heads the vector inputs (N, H, V), in physical units, and the terms of the reward (N, H, R).
        """
        rssm = self.model.rssm
        state = rssm.split(belief.expand(actions.shape[0], -1))
        beliefs, _ = rssm.imagine(state, actions, actions.shape[1], noise)
        # All heads see all N×H states in one matrix product each.
        said = {
            name: x.unflatten(0, actions.shape[:2]) for name, x in self.model.predict(beliefs.flatten(0, 1)).items()
        }
        outputs = said["rewards"], said["continues"], said["values"], beliefs
        if self.model.config.ensemble_size > 1:
            outputs += said["disagreement"], said["value_disagreement"]
        return outputs + tuple(said[name] for name in _signals(self.model))


class ActorGraph(_Graph):
    """The actor now and along its own mean future."""

    def forward(self, belief: Tensor) -> tuple[Tensor, Tensor]:
        """Returns the commands (1, H, 3) and the deviation of (steer, longitudinal) now (1, 2)."""
        rssm, deviations = self.model.rssm, []

        def choose(reached: Tensor) -> Tensor:
            chosen = self.model.actor(reached)
            deviations.append(chosen.action_std)
            return search_to_command(chosen.mode)

        _, actions = rssm.imagine(rssm.split(belief), choose, self.model.config.imagination_horizon)
        return actions, deviations[0]


class DecodeGraph(_Graph):
    """Beliefs to pictures."""

    def forward(self, belief: Tensor) -> Tensor:
        """Returns (M, C, H, W) uint8."""
        return (self.model.decode(belief) * 255.0).round().clamp(0.0, 255.0).to(torch.uint8)


class TorchModel(Sizes):
    """The graphs as functions of arrays, in torch's float32: the interface of wm_planner.engine."""

    def __init__(self, model: WorldModel):
        config = model.config
        super().__init__(config.belief_size, config.imagination_horizon, config.stochastic_size)
        self._observe, self._imagine = ObserveGraph(model).eval(), ImagineGraph(model).eval()
        self._actor, self._decode = ActorGraph(model).eval(), DecodeGraph(model).eval()

    @torch.no_grad()
    def observe(self, image, vector, previous_action, belief, is_first: bool) -> tuple[np.ndarray, float]:
        """The belief (1, F) after an image (C, height, width) with all cameras present, and the surprise [nats]."""
        row = [torch.from_numpy(np.asarray(part)[None]) for part in (image, vector, previous_action)]
        found, surprise = self._observe(*row, torch.from_numpy(belief), torch.tensor([float(is_first)]))
        return found.numpy(), float(surprise)

    @torch.no_grad()
    def imagine(self, belief, actions, noise) -> Said:
        """Imagine ``actions`` (N, H, 3) from ``belief`` (1, F) with ``noise`` (N, H, S)."""
        said = self._imagine(*(torch.from_numpy(part) for part in (belief, actions, noise)))
        found = dict(zip(imagined_outputs(self._imagine.model), (part.numpy() for part in said), strict=True))
        return said_of(found)

    @torch.no_grad()
    def actor(self, belief) -> tuple[np.ndarray, np.ndarray]:
        """The actor's commands (H, 3), and its deviations (2,) now."""
        actions, std = self._actor(torch.from_numpy(belief))
        return actions[0].numpy(), std[0].numpy()

    @torch.no_grad()
    def decode(self, beliefs) -> np.ndarray:
        """Pictures (M, C, height, width) uint8 of beliefs (M, F)."""
        return self._decode(torch.from_numpy(beliefs)).numpy()


def imagined_outputs(model: WorldModel) -> list[str]:
    """Names of the outputs of ``ImagineGraph``, in order."""
    names = ["reward", "continue", "value", "beliefs"]
    if model.config.ensemble_size > 1:
        names += ["disagreement", "value_disagreement"]
    return [*names, *_signals(model)]


def _signals(model: WorldModel) -> list[str]:
    heads = {"vector": model.vector, "reward_terms": model.reward_terms}
    return [name for name, head in heads.items() if head is not None]


def export_graphs(model: WorldModel, folder: Path) -> dict[str, Path]:
    """Write the four ONNX files into ``folder``; returns them by their names in a bundle."""
    config = model.config
    belief, horizon = torch.zeros(1, config.belief_size), config.imagination_horizon
    image = torch.zeros(1, model.channels, config.image_size, config.image_size, dtype=torch.uint8)
    observed = {
        "image": image,
        "vector": torch.zeros(1, model.vector_mean.shape[0]),
        "previous_action": torch.zeros(1, 3),
        "belief": belief,
        "is_first": torch.ones(1),
    }
    if model.cameras > 1:
        observed["camera_mask"] = torch.ones(1, model.cameras)
    imagined = {
        "belief": belief,
        "actions": torch.zeros(2, horizon, 3),
        "noise": torch.zeros(2, horizon, config.stochastic_size),
    }
    scores = imagined_outputs(model)
    one = {"belief": belief}
    graphs = {
        "observe.onnx": (ObserveGraph(model), observed, ["next_belief", "surprise"], {}),
        "imagine.onnx": (ImagineGraph(model), imagined, scores, dict.fromkeys(["actions", "noise", *scores], "N")),
        "actor.onnx": (ActorGraph(model), one, ["actions", "std"], {}),
        "decode.onnx": (DecodeGraph(model), one, ["image"], {"belief": "M", "image": "M"}),
    }
    for name, (graph, inputs, outputs, free) in graphs.items():
        write_graph(graph.eval(), inputs, outputs, free, folder / name)
    return {name: folder / name for name in graphs}
