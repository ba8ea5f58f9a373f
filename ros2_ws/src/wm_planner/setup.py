import os

from setuptools import find_packages, setup

SHARE = "share/wm_planner"


def installed_tree(folder):
    """Every file under ``folder`` (links followed) as data_files entries below the package's share.

    Skips bytecode: installed launch files get their own, which would break a second build.
    """
    return [
        (os.path.join(SHARE, root), [os.path.join(root, name) for name in sorted(names)])
        for root, _, names in sorted(os.walk(folder, followlinks=True))
        if names and os.path.basename(root) != "__pycache__"
    ]


setup(
    name="wm_planner",
    version="0.1.0",
    packages=find_packages(),
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
            "planner = wm_planner.entry:main",
            "command_watchdog = wm_planner.entry:main",
            # The earlier names of commands of wm_tools; new ones are not added.
            "benchmark = wm_planner.entry:tool",
            "drive = wm_planner.entry:tool",
            "evaluate_bag = wm_planner.entry:tool",
            "live_view = wm_planner.entry:tool",
            "loop_picture = wm_planner.entry:tool",
            "play_bag = wm_planner.entry:tool",
            "record = wm_planner.entry:tool",
            "replay_monitor = wm_planner.entry:tool",
            "verify_bundle = wm_planner.entry:tool",
        ]
    },
)
