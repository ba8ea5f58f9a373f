from setuptools import find_packages, setup

setup(
    name="wm_training",
    version="0.1.0",
    packages=find_packages(),
    data_files=[
        ("share/ament_index/resource_index/packages", ["resource/wm_training"]),
        ("share/wm_training", ["package.xml"]),
    ],
    install_requires=["setuptools"],
    extras_require={"test": ["pytest"]},
    maintainer="World Model Driving Team",
    maintainer_email="team@wm-drive.dev",
    description="Collects driving episodes from topics, trains RSSM world models from them, exports ONNX bundles.",
    license="Apache-2.0",
    entry_points={
        "console_scripts": [
            "augment = wm_training.augmentation.__main__:main",
            "clone = wm_training.cloning.__main__:main",
            "collect = wm_training.entry:collect",
            "convert = wm_training.convert:main",
            "finetune_policy = wm_training.guidance.__main__:main",
            "train = wm_training.train:main",
            "visualize = wm_training.visualize:main",
            "check_run = wm_training.monitoring.health:main",
            "export = wm_training.export:main",
            "inspect = wm_training.inspect_dataset:main",
            "to_bag = wm_training.to_bag:main",
            "upgrade_bundle = wm_training.upgrade_bundle:main",
            "to_lerobot = wm_training.to_lerobot:main",
        ]
    },
)
