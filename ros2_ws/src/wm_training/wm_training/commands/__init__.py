"""The command lines, one file each; nothing else in wm_training has a main."""
