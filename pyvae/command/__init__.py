"""The command line: ``pyvae train | sample | reconstruct | encode | score | check | info``."""
