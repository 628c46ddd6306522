"""How the shipped network was made: `python -m training.train`, `.cross_validate`, `.export`."""
