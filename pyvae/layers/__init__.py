"""Layers. The interface is in layer.py; each forward pass stands above its backward pass."""

from pyvae.layers.activations import *
from pyvae.layers.blocks import Dropout, GatedDense, LayerNorm, Residual
from pyvae.layers.convolution import Conv2d, ConvTranspose2d, Upsample2d
from pyvae.layers.dense import Dense
from pyvae.layers.inputs import Clip, FirstColumns
from pyvae.layers.layer import Layer, Sequential
