"""What every process of ours does alike: parameters, start and stop, guarded services."""
