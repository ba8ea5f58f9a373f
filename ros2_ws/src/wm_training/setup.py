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
            "augment = wm_training.commands.augment:main",
            "clone = wm_training.commands.clone:main",
            "collect = wm_training.commands.collect:main",
            "convert = wm_training.commands.convert:main",
            "finetune_policy = wm_training.commands.finetune_policy:main",
            "train = wm_training.commands.train:main",
            "visualize = wm_training.commands.visualize:main",
            "check_run = wm_training.commands.check_run:main",
            "export = wm_training.commands.export:main",
            "inspect = wm_training.commands.inspect_dataset:main",
            "to_bag = wm_training.commands.to_bag:main",
            "upgrade_bundle = wm_training.commands.upgrade_bundle:main",
            "to_lerobot = wm_training.commands.to_lerobot:main",
        ]
    },
)
