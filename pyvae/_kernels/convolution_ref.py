"""Convolutions: the definition, in NumPy. A convolution is a dense layer on patches.

Pictures are rows, (B, height * width * channels), channels last. The geometry of a convolution is

    (height, width, channels, kernel, stride, top, left, out_height, out_width)

of the pictures x that it reads, and of the places y from which it looks: place (i, j) sees the pixels (stride i - top
+ s, stride j - left + t) for the taps s, t = 0 .. kernel - 1, and zeros outside. P (B out_height out_width, kernel
kernel channels) has what the places see, columns ascending over (s, t, channel), as the rows of W (kernel kernel
channels, filters) do. The kernels that are compiled never store P.
"""

import numpy as np

from pyvae._kernels.elementwise_ref import activate, column_sums


def patches(x, geometry):
    """P."""
    height, width, channels, kernel, stride, top, left, out_height, out_width = geometry
    below, right = (kernel + stride * (n - 1) for n in (out_height, out_width))  # what all the places see, from -top on
    padded = np.zeros((len(x), max(below, top + height), max(right, left + width), channels), x.dtype)
    padded[:, top : top + height, left : left + width] = x.reshape(len(x), height, width, channels)
    seen = np.lib.stride_tricks.sliding_window_view(padded[:, :below, :right], (kernel, kernel), (1, 2))
    seen = seen[:, ::stride, ::stride].transpose(0, 1, 2, 4, 5, 3)  # (B, out_height, out_width, s, t, channels)
    return seen.reshape(len(x) * out_height * out_width, kernel * kernel * channels)


def conv(x, W, b, geometry, activation, out):
    """out (B, out_height * out_width * filters) = f(P W + b), f the activation; b (filters,) or None."""
    y = patches(x, geometry) @ W
    if b is not None:
        y += b
    activate(y, activation, y)
    out[...] = y.reshape(out.shape)


def conv_dx(dy, W, b, geometry, activation, out):
    """out (B, height * width * channels) = f(dx + b): dP = dy W.T, and dx of a pixel is the sum of the dP that it was
    copied to, taps ascending. b (channels,) may be None; f and b make it a transposed convolution of dy."""
    height, width, channels, kernel, stride, top, left, out_height, out_width = geometry
    filters = W.shape[1]
    dy = dy.reshape(len(dy), out_height, out_width, filters)
    dx = np.zeros((len(dy), height, width, channels), dy.dtype)
    for s in range(kernel):
        for t in range(kernel):
            y, x = (s - top) % stride, (t - left) % stride  # the first pixel that some place sees by this tap
            seen = dx[:, y::stride, x::stride]
            places = part_of(dy, (y + top - s) // stride, (x + left - t) // stride, *seen.shape[1:3])
            seen += places @ W.reshape(kernel, kernel, channels, filters)[s, t].T
    dx = dx.reshape(len(dy) * height * width, channels)
    if b is not None:
        dx += b
    activate(dx, activation, dx)
    out[...] = dx.reshape(out.shape)


def part_of(pictures, y, x, height, width):
    """The part of pictures (B, ., ., channels) that begins at y and x, zeros outside."""
    part = np.zeros((len(pictures), height, width, pictures.shape[3]), pictures.dtype)
    inside = pictures[:, max(y, 0) : max(y + height, 0), max(x, 0) : max(x + width, 0)]
    below, right = max(-y, 0), max(-x, 0)
    part[:, below : below + inside.shape[1], right : right + inside.shape[2]] = inside
    return part


def conv_dW(x, dy, geometry, out, db=None, accumulate=False):
    """out (kernel kernel channels, filters) = P.T dy, and db = the sums of dy over all places; or both +=. db may be
    None."""
    P = patches(x, geometry)
    dy = dy.reshape(len(P), out.shape[1])
    product = P.T @ dy
    out[...] = out + product if accumulate else product
    if db is not None:
        column_sums(dy, db, accumulate)
