from setuptools import find_packages, setup

setup(
    name="wm_data",
    version="0.1.0",
    packages=find_packages(),
    data_files=[
        ("share/ament_index/resource_index/packages", ["resource/wm_data"]),
        ("share/wm_data", ["package.xml"]),
    ],
    install_requires=["setuptools"],
    extras_require={"test": ["pytest"]},
    maintainer="World Model Driving Team",
    maintainer_email="team@wm-drive.dev",
    description="Recorded driving: episode files, rewards, converters of rosbags and datasets.",
    license="Apache-2.0",
)
