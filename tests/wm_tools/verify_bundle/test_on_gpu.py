"""A bundle on a GPU against the processor."""

import pytest
from tiny_bundle import make_tiny_bundle
from wm_tools.common.console import ProgressBar
from wm_tools.common.errors import ProviderError
from wm_tools.verify_bundle.verify_bundle_options import VerifyOptions


@pytest.mark.gpu
@pytest.mark.parametrize("provider", ["cuda", "tensorrt"])
def test_a_gpu_keeps_parity_with_the_processor(provider, tmp_path):
    pytest.importorskip("rclpy", reason="the planner needs ROS 2", exc_type=ImportError)
    from wm_tools.verify_bundle.verify import verify

    bundle, cache = make_tiny_bundle(tmp_path / "tiny"), ("engine_cache", str(tmp_path / "engines"))
    options = VerifyOptions(bundle=bundle, provider=provider, parameters=(cache,), frames=40, calls=5, candidates=16)
    with ProgressBar() as progress:
        try:
            found = verify(options, progress)
        except ProviderError as error:
            pytest.skip(str(error))
    assert found.parity, [verdict.difference for verdict in found.verdicts if not verdict.holds]
    if provider == "tensorrt":
        assert list((tmp_path / "engines").rglob("*.engine"))
