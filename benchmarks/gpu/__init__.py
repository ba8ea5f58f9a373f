"""What a GPU makes of the project, in minutes: training, planning, parity and the tests that need one."""
