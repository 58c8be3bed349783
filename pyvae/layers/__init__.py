"""Layers. The interface is in layer.py; each forward pass stands above its backward pass."""

from pyvae.layers.activations import *
from pyvae.layers.blocks import Dropout, FirstColumns, GatedDense, LayerNorm, Residual
from pyvae.layers.dense import Dense
from pyvae.layers.layer import Layer, Sequential
