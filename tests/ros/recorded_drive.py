"""A short drive of the built-in simulator and the planner, recorded by `record`."""

import time
from pathlib import Path

import graph
import rclpy
from rclpy.executors import SingleThreadedExecutor
from wm_msgs.srv import Reset

START_S = 60.0  # for a process to come up on a busy machine
DISCOVERY_S = 3.0  # until the planner, too, knows of the recorder that knows of it
ROOT = "/carla/ego_vehicle"
PATIENT = ("deadline_ms:=10000.0", "deadline_frames:=0")  # a busy machine is no fault here


def begin_episode(domain: int) -> None:
    """Have the waiting simulator begin its episode."""
    with graph.rclpy_context(domain) as context:
        node = rclpy.create_node("starter", context=context)
        executor = SingleThreadedExecutor(context=context)
        client = node.create_client(Reset, f"{ROOT}/reset")
        assert client.wait_for_service(START_S)
        answer = client.call_async(Reset.Request(seed=0))
        executor.add_node(node)
        executor.spin_until_future_complete(answer, START_S)
        assert answer.done() and answer.result().success
        executor.shutdown()
        node.destroy_node()


def record_drive(file: Path, bundle: Path, seconds: float) -> str:
    """Drive for about ``seconds`` in real time into ``file``; the recorder ends because the simulator does.

    Returns what the recorder said.
    """
    domain = graph.fresh_domain_id()
    words = [
        word for entry in (f"bundle:={bundle}", "candidates:=16", "autostart:=true", *PATIENT) for word in ("-p", entry)
    ]
    # Every tick waits for its command, so that none acts late; the first one for all to be there, the recorder too.
    flags = [
        "-p",
        "wait_for_driver:=60.0",
        "-p",
        "synchronous_mode_wait_for_vehicle_control_command:=true",
        "-p",
        "auto_reset:=false",
    ]
    with graph.start("wm_planner", "record", "--output", str(file), domain_id=domain) as recorder:
        with graph.start("wm_sim", "bridge", "--ros-args", *flags, domain_id=domain) as simulator:
            recorder.wait_for_output(f"recording {ROOT}/vehicle_status", START_S)  # the last one by name
            with graph.start("wm_planner", "planner", "--ros-args", *words, domain_id=domain) as planner:
                recorder.wait_for_output(f"recording {ROOT}/vehicle_control_cmd", START_S)
                time.sleep(DISCOVERY_S)
                begin_episode(domain)
                planner.wait_for_output("a new episode begins", START_S)
                time.sleep(seconds)
                assert simulator.stop(START_S) == 0, simulator.output()
                assert recorder.wait(START_S) == 0, recorder.output()
        return recorder.output()
