"""Policy files among the controllers: named in the settings, so that --resume goes on with the same bytes only."""

import pytest
from tiny_bundle import make_tiny_bundle
from tiny_policy import make_tiny_policy
from wm_bundle import load_bundle
from wm_planner.engine.policy import read_policy
from wm_tools.benchmark.benchmark_options import parse_options
from wm_tools.benchmark.runner import settings_of
from wm_tools.benchmark.store import EpisodeStore
from wm_tools.common.errors import DriveError
from wm_tools.drive.controllers import read_policies


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return load_bundle(make_tiny_bundle(tmp_path_factory.mktemp("policies") / "bundle"))


def policies_of(options, bundle) -> dict:
    bundles = {entry.name: bundle for entry in options.controllers}
    return read_policies(options.controllers, options.parameters, bundles)


def settings(options, bundle) -> dict:
    return settings_of(options, {entry.name: bundle for entry in options.controllers}, policies_of(options, bundle))


def test_a_file_that_was_changed_since_is_refused_by_resume(bundle, tmp_path):
    file = make_tiny_policy(tmp_path / "clone.onnx", policy_id="clone-00000000")
    options = parse_options(["--controllers", f"planner,clone={file}"])
    before = settings(options, bundle)
    EpisodeStore(tmp_path / "out", before, resume=False).__exit__()
    EpisodeStore(tmp_path / "out", settings(options, bundle), resume=True).__exit__()
    make_tiny_policy(file, (0.0, 0.0, 0.5), policy_id="clone-00000000")  # the same id, other weights
    found = settings(options, bundle)
    assert found["controllers"][1]["policy"] != before["controllers"][1]["policy"]
    with pytest.raises(DriveError, match="a benchmark with other settings: controllers was .*clone-00000000"):
        EpisodeStore(tmp_path / "out", found, resume=True)


def test_weather_is_among_the_settings_and_a_benchmark_from_before_it_is_continued_at_noon(bundle):
    def named(*words):
        return settings(parse_options(list(words)), bundle)

    assert not {"weather", "light"} & set(named())
    assert named("--weather", "fog", "--light", "0.5").items() >= {"weather": "fog", "light": 0.5}.items()


def test_a_proposing_policy_belongs_to_those_who_ask_it(bundle, tmp_path):
    common, own = make_tiny_policy(tmp_path / "common.onnx"), make_tiny_policy(tmp_path / "own.onnx", (0.0, 0.1, 0.0))
    words = ["--controllers", f"planner,cem,actor,clone={own},random", "--set", f"proposal_policy={common}"]
    policies = policies_of(parse_options(words), bundle)
    assert policies == {"planner": read_policy(common), "cem": read_policy(common), "clone": read_policy(own)}


def test_a_policy_that_does_not_fit_its_bundle_is_refused_before_anything_is_driven(bundle, tmp_path):
    file = make_tiny_policy(tmp_path / "clone.onnx", control_period_s=0.05)
    with pytest.raises(
        DriveError, match="^clone: policy file .*: expected the period of bundle tiny-test: 0.08 s, found 0.05 s"
    ):
        policies_of(parse_options(["--controllers", f"clone={file}"]), bundle)
