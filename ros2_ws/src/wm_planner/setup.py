import os

from setuptools import find_packages, setup

SHARE = "share/wm_planner"


def installed_tree(folder):
    """Every file under ``folder`` (followed through links), as data_files entries below the package's share."""
    return [
        (os.path.join(SHARE, root), [os.path.join(root, name) for name in sorted(names)])
        for root, _, names in sorted(os.walk(folder, followlinks=True))
        if names
    ]


setup(
    name="wm_planner",
    version="0.1.0",
    packages=find_packages(),
    package_data={"wm_planner.drive": ["assets/*"], "wm_planner.view": ["assets/*"]},
    data_files=[
        ("share/ament_index/resource_index/packages", ["resource/wm_planner"]),
        (SHARE, ["package.xml"]),
        *installed_tree("config"),
        *installed_tree("launch"),
        *installed_tree("models"),
    ],
    install_requires=["setuptools"],
    extras_require={"test": ["pytest"]},
    maintainer="World Model Driving Team",
    maintainer_email="team@wm-drive.dev",
    description="Plans with a world model: a lifecycle node that turns every camera image into one command.",
    license="Apache-2.0",
    entry_points={
        "console_scripts": [
            "planner = wm_planner.planner_node:main",
            "command_watchdog = wm_planner.command_watchdog_node:main",
            "drive = wm_planner.drive.__main__:main",
            "evaluate_bag = wm_planner.evaluation.__main__:main",
            "benchmark = wm_planner.benchmark.__main__:main",
            "record = wm_planner.recording.__main__:main",
            "play_bag = wm_planner.replay.play:main",
            "replay_monitor = wm_planner.replay.monitor_node:main",
            "live_view = wm_planner.view.node:main",
            "loop_picture = wm_planner.loop_picture.__main__:main",
            "verify_bundle = wm_planner.verification.__main__:main",
        ],
    },
)
