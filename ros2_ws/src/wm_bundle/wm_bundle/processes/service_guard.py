"""A node answers every request: one that cannot be served with a failure, instead of ending the process.

rclpy (7.1.6 of Jazzy, and Humble's) lets the exceptions of service callbacks out of the executor, those of its own
services too: for a life cycle transition that does not fit the state, for a parameter of a type there is none. Its own
subscription of /clock (use_sim_time) raises for a time before zero.
Imports nothing of ROS before a node does.
"""

import traceback

from wm_bundle.processes.ros_errors import reason_of


def guard_services(node) -> None:
    """From now on no request to a service of the node raises, and no /clock. Call it when all services are made.

    What a failed request is answered with has ``success`` or ``successful`` false, and the reason where there is a
    place for one; other answers are empty. The reason is logged.
    """
    for service in node.services:
        if not isinstance(service.callback, _Guarded):
            service.callback = _Guarded(service, node.get_logger())
    _guard_clock(node)


def _guard_clock(node) -> None:
    source = node._time_source  # rclpy has no other way to a subscription that comes and goes with use_sim_time
    take = source.clock_callback

    def take_guarded(message) -> None:
        try:
            take(message)
        except ValueError as error:
            node.get_logger().warning(f"/clock: ignored {message.clock.sec} s: {error}", throttle_duration_sec=5.0)

    for subscription in node.subscriptions:
        if subscription.callback == take:
            subscription.callback = take_guarded
    source.clock_callback = take_guarded


class _Guarded:
    """A service's callback that does not raise."""

    def __init__(self, service, logger):
        self._name, self._kind, self._callback = service.srv_name, service.srv_type, service.callback
        self._logger = logger

    def __call__(self, request, response):
        if hasattr(response, "results"):  # of set_parameters: each has a result of its own
            response.results = [
                self._answer(self._kind.Request(parameters=[one]), self._kind.Response()).results[0]
                for one in request.parameters
            ]
            return response
        return self._answer(request, response)

    def _answer(self, request, response):
        try:
            return self._callback(request, response)
        except Exception as error:  # whatever a request leads to, the node goes on
            reason = reason_of(error)
            self._logger.warning(f"{self._name}: refused a request: {reason}")
            self._logger.debug(traceback.format_exc())
            return _refusal(self._kind.Response(), reason)


def _refusal(response, reason: str):
    """The empty answer says that there was no success; only the reason is to be added."""
    if hasattr(response, "results"):
        from rcl_interfaces.msg import SetParametersResult  # a node has answered, so there is ROS

        response.results = [SetParametersResult(successful=False, reason=reason)]
    elif hasattr(response, "result") and hasattr(response.result, "reason"):
        response.result.reason = reason
    elif hasattr(response, "message"):
        response.message = reason
    return response
