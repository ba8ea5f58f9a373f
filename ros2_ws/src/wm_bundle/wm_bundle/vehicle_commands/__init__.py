"""Commands as vehicles' messages have them: (steer, throttle, brake) to a message, and a message to them."""
