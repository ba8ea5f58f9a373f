import os

from setuptools import find_packages, setup

SHARE = "share/wm_planner"


def installed_tree(folder):
    """Every file under ``folder`` (followed through links), as data_files entries below the package's share.

    Without bytecode: the installed launch files get their own, and a second build would end at it.
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
            "planner = wm_planner.entry:planner",
            "command_watchdog = wm_planner.entry:command_watchdog",
            "drive = wm_planner.entry:drive",
            "evaluate_bag = wm_planner.entry:evaluate_bag",
            "benchmark = wm_planner.entry:benchmark",
            "record = wm_planner.entry:record",
            "play_bag = wm_planner.entry:play_bag",
            "replay_monitor = wm_planner.entry:replay_monitor",
            "live_view = wm_planner.entry:live_view",
            "loop_picture = wm_planner.entry:loop_picture",
            "verify_bundle = wm_planner.entry:verify_bundle",
        ]
    },
)
