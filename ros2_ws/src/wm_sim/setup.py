from setuptools import find_packages, setup

setup(
    name="wm_sim",
    version="0.1.0",
    packages=find_packages(),
    data_files=[("share/ament_index/resource_index/packages", ["resource/wm_sim"]), ("share/wm_sim", ["package.xml"])],
    install_requires=["setuptools"],
    extras_require={"test": ["pytest"]},
    maintainer="World Model Driving Team",
    maintainer_email="team@wm-drive.dev",
    description="CarRacing-v3 and highway-env's traffic behind the CARLA ROS bridge's topics, with scripted experts.",
    license="Apache-2.0",
    entry_points={"console_scripts": ["bridge = wm_sim.entry:bridge", "evaluate_expert = wm_sim.evaluate_expert:main"]},
)
