"""`verify_bundle`: does a bundle say here what it says on the processor, and is it fast enough?"""
