"""A trained world model in your own program, cell by cell. docs/imagination_for_others.md explains the calls.

    python docs/api_example.py runs/carracing/round_2/best_model.pt data/carracing [OUTPUT_FOLDER]

Or open it in an editor that knows ``# %%`` cells, and set the three values of the first one.
"""

# %% A checkpoint, the episodes it was trained on or others like them, and a folder for the pictures
import sys
from pathlib import Path

if len(sys.argv) < 3:
    sys.exit("usage: python docs/api_example.py CHECKPOINT DATA_FOLDER [OUTPUT_FOLDER]")
CHECKPOINT, DATA = sys.argv[1:3]
OUTPUT = Path(sys.argv[3] if len(sys.argv) > 3 else "out/api_example")
OUTPUT.mkdir(parents=True, exist_ok=True)

# %% Load it
import torch  # noqa: E402
from wm_data.episodes import find_episodes  # noqa: E402
from wm_training import Observations, load_world_model, read_episode  # noqa: E402

world_model = load_world_model(CHECKPOINT, device="auto")
print(f"beliefs of {world_model.config.belief_size} numbers, cameras {', '.join(world_model.camera_names)}")

# %% Look at five rows of a recorded drive
episode = read_episode(find_episodes(DATA)[0])
start = min(10, len(episode) // 2)
context = slice(start - 5, start)
state = world_model.encode(Observations.of_episode(episode, context))  # (1, F)

# The same, from arrays: pictures (T, C, H, W) or (T, H, W, C), and what was done between them.
seen = {"image": episode.observations[context], "vector": episode.vector[context]}
assert torch.allclose(state, world_model.encode(seen, actions=episode.actions[context]))

# %% Imagine 20 steps with the model's own policy, and show every fourth picture
trajectory = world_model.imagine(state, "actor", horizon=20)
decoded = world_model.decode(trajectory["states"])  # (1, 21, C, H, W) uint8; picture 0 is the present

from matplotlib.figure import Figure  # noqa: E402

figure = Figure(figsize=(15, 3), layout="constrained")
for i, ax in enumerate(figure.subplots(1, 6)):
    ax.imshow(decoded[0, 4 * i, :3].permute(1, 2, 0).cpu().numpy())
    ax.set_title(f"t={4 * i}")
    ax.axis("off")
figure.savefig(OUTPUT / "imagined_trajectory.png")

# %% Eight different futures of the same actions: a seed samples what the model is not sure of
straight_on = torch.tensor([[0.0, 0.3]]).expand(20, 2)  # (steer, longitudinal) of 20 steps
futures = world_model.imagine(state, straight_on, horizon=20, num_samples=8, seed=0)
print("reward sums of 8 futures:", [round(total, 1) for total in futures["rewards"].sum(1).tolist()])


# %% What is a drive worth? Rewards, as likely as the drive gets there, and the value of where it ends
def imagined_return(imagined: dict[str, torch.Tensor]) -> torch.Tensor:
    """(M,) of what ``imagine`` returns."""
    weights = torch.cumprod(world_model.config.discount * imagined["continues"], 1)
    reached = torch.cat([torch.ones_like(weights[:, :1]), weights[:, :-1]], 1)
    return (reached * imagined["rewards"]).sum(1) + weights[:, -1] * imagined["values"][:, -1]


# %% Your own policy: a function from states, or from the pictures and numbers that a real vehicle would give it
world_model.fit_vector(DATA)  # how to read speed and the like out of states; pictures are decoded


def policy(observations: Observations) -> torch.Tensor:
    """Steers towards the brighter half of the first camera, at an even throttle."""
    picture = observations.image[:, :3].float().mean(1)  # (M, H, W)
    left, right = picture.chunk(2, -1)
    steer = (right.mean((1, 2)) - left.mean((1, 2))) / 255.0
    return torch.stack([steer, torch.full_like(steer, 0.2)], -1)


for name, chosen, sees in (("actor", "actor", "states"), ("policy", policy, "observations")):
    imagined = world_model.imagine(state, chosen, horizon=20, policy_sees=sees)
    print(f"imagined return of the {name}: {imagined_return(imagined).item():.1f}")

# %% Gradients run through the imagined drive: improve a plan by what the model says of it
differentiable = load_world_model(CHECKPOINT, device=str(world_model.device), gradients=True)
plan = torch.zeros(15, 2, device=world_model.device, requires_grad=True)  # before tanh
optimizer = torch.optim.Adam([plan], lr=0.1)
for _ in range(10):
    worth = imagined_return(differentiable.imagine(state, torch.tanh(plan)[None], horizon=15))
    optimizer.zero_grad()
    (-worth.sum()).backward()
    optimizer.step()
print(f"imagined return of the plan after 10 updates: {worth.item():.1f}")

# %% The world model as environments of gymnasium: 16 imagined drives in one batch
import gymnasium  # noqa: E402
import numpy as np  # noqa: E402

envs = gymnasium.make_vec(
    "wm_training.api:WorldModelDriving-v0", num_envs=16, model=world_model, data_path=DATA, horizon=25
)
observations, infos = envs.reset(seed=0)
total, ended = np.zeros(16), 0
for _ in range(25):
    observations, rewards, terminated, truncated, infos = envs.step(envs.action_space.sample())
    total += rewards
    ended += (terminated | truncated).sum()
print(f"25 steps of 16 drives by random actions: {ended} ended, mean reward sum {total.mean():.1f}")
