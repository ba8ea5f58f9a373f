"""CarRacing's car, by Box2D's densities and gymnasium's source: not a real car's figures."""

from wm_sim.world import CarBody

CAR_MASS_KG = 7.3  # hull 7.06 and four wheels of 0.06
MAX_STEERING_ANGLE = 0.4  # [rad] limit of the front wheels; a steer command of s asks for s rad

CAR = CarBody(
    type="vehicle.gymnasium.car_racing",
    mass_kg=CAR_MASS_KG,
    size_m=(5.0, 2.4, 1.0),  # the height is nominal, the world is flat
    max_steering_angle=MAX_STEERING_ANGLE,
    wheel_radius_m=0.54,
    wheel_positions_m=((1.6, 1.1), (1.6, -1.1), (-1.64, 1.1), (-1.64, -1.1)),
)
