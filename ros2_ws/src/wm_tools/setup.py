from setuptools import find_packages, setup

setup(
    name="wm_tools",
    version="0.1.0",
    packages=find_packages(),
    package_data={"wm_tools.drive": ["assets/*"], "wm_tools.live_view": ["assets/*"]},
    data_files=[
        ("share/ament_index/resource_index/packages", ["resource/wm_tools"]),
        ("share/wm_tools", ["package.xml"]),
    ],
    install_requires=["setuptools"],
    extras_require={"test": ["pytest"]},
    maintainer="World Model Driving Team",
    maintainer_email="team@wm-drive.dev",
    description="Drives, benchmarks, records, replays and evaluates a planner.",
    license="Apache-2.0",
    entry_points={
        "console_scripts": [
            "benchmark = wm_tools.entry:main",
            "carla_watch = wm_tools.entry:main",
            "drive = wm_tools.entry:main",
            "evaluate_bag = wm_tools.entry:main",
            "goal_relay = wm_tools.entry:main",
            "live_view = wm_tools.entry:main",
            "loop_picture = wm_tools.entry:main",
            "play_bag = wm_tools.entry:main",
            "record = wm_tools.entry:main",
            "replay_monitor = wm_tools.entry:main",
            "verify_bundle = wm_tools.entry:main",
        ]
    },
)
