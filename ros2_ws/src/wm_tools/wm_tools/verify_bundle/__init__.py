"""`verify_bundle`: does a bundle compute the same here as on the CPU, and is it fast enough?"""
