"""Layers. The interface is in layer.py; each forward pass stands above its backward pass."""

from pyvae.layers.activations import ACTIVATIONS, ELU, GELU, LeakyReLU, ReLU, Sigmoid, SiLU, Softplus, Symlog, Tanh
from pyvae.layers.blocks import Dropout, FirstColumns, GatedDense, LayerNorm, Residual
from pyvae.layers.dense import Dense
from pyvae.layers.layer import Layer, Sequential
