"""Layers. The interface is in layer.py; each forward pass stands above its backward pass."""

from pyvae.layers.activations import ELU, GELU, LeakyReLU, ReLU, Sigmoid, SiLU, Softplus, Symlog, Tanh
from pyvae.layers.blocks import Dropout, FirstColumns, GatedDense, LayerNorm, Residual
from pyvae.layers.dense import ACTIVATIONS, Dense, Layer, Sequential, mlp
