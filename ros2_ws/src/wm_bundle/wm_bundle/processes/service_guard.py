"""Makes a node answer every request: invalid ones with a failure, instead of ending the process.

rclpy (7.1.6 of Jazzy, and Humble's) lets exceptions of service callbacks escape from the executor, also of its own
services: for a life cycle transition that is invalid in the state, or an invalid parameter type. Its own subscription
to /clock (use_sim_time) raises for a negative time.
Imports ROS only when a node does.
"""

import traceback

from wm_bundle.processes.ros_errors import reason_of


def guard_services(node) -> None:
    """From now on no request to the node's services raises, nor does /clock. Call it after creating all services.

    A failed request is answered with ``success`` or ``successful`` false, and the reason if there is a field for it;
    other answers are empty. The reason is logged.
    """
    for service in node.services:
        if not isinstance(service.callback, _Guarded):
            service.callback = _Guarded(service, node.get_logger())
    _guard_clock(node)


def _guard_clock(node) -> None:
    source = node._time_source  # the only access to a subscription that depends on use_sim_time
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
        if hasattr(response, "results"):  # of set_parameters: one result each
            response.results = [
                self._answer(self._kind.Request(parameters=[one]), self._kind.Response()).results[0]
                for one in request.parameters
            ]
            return response
        return self._answer(request, response)

    def _answer(self, request, response):
        try:
            return self._callback(request, response)
        except Exception as error:  # whatever a request causes, the node continues
            reason = reason_of(error)
            self._logger.warning(f"{self._name}: refused a request: {reason}")
            self._logger.debug(traceback.format_exc())
            return _refusal(self._kind.Response(), reason)


def _refusal(response, reason: str):
    """An empty answer already means failure; add the reason."""
    if hasattr(response, "results"):
        from rcl_interfaces.msg import SetParametersResult  # a node answers, so ROS is available

        response.results = [SetParametersResult(successful=False, reason=reason)]
    elif hasattr(response, "result") and hasattr(response.result, "reason"):
        response.result.reason = reason
    elif hasattr(response, "message"):
        response.message = reason
    return response
