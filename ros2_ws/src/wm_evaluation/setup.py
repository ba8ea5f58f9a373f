from setuptools import find_packages, setup

setup(
    name="wm_evaluation",
    version="0.1.0",
    packages=find_packages(),
    data_files=[
        ("share/ament_index/resource_index/packages", ["resource/wm_evaluation"]),
        ("share/wm_evaluation", ["package.xml"]),
    ],
    package_data={"wm_evaluation.report": ["assets/*"]},
    install_requires=["setuptools"],
    extras_require={"test": ["pytest"]},
    maintainer="World Model Driving Team",
    maintainer_email="team@wm-drive.dev",
    description="Measures of model predictions and of driving, and the reports that show them.",
    license="Apache-2.0",
)
