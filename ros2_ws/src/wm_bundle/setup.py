from setuptools import find_packages, setup

setup(
    name="wm_bundle",
    version="0.1.0",
    packages=find_packages(),
    data_files=[
        ("share/ament_index/resource_index/packages", ["resource/wm_bundle"]),
        ("share/wm_bundle", ["package.xml"]),
    ],
    install_requires=["setuptools"],
    extras_require={"test": ["pytest"]},
    maintainer="World Model Driving Team",
    maintainer_email="team@wm-drive.dev",
    description="What training and driving must agree on: actions, image preprocessing, model bundles.",
    license="Apache-2.0",
)
