"""Convolutions: one dense layer at every place of a picture, and its gradients.

A picture is a row of height * width * channels numbers, channels last. A convolution looks at it from a grid of places.
From each it sees kernel x kernel pixels, zeros beyond the edge; all that it sees are the rows of a matrix P of patches

    P (B out_height out_width, kernel kernel c_in)        a = P W + b,  y = f(a),  W (kernel kernel c_in, c_out)

So it is the dense layer (dense.py) on P, and so are its gradients:

    da = dy f'(a)        dW = P.T da        db = column sums of da        dP = da W.T

But a number of the picture stands in P once for every place that sees it. What it does to the loss, it does there:

    dx = the sum, for each number of x, of the dP that it was copied to

From y to x that is a linear map, too, and a layer of its own: a transposed convolution, which makes a large picture of
a small one. Its forward pass is dx, its backward pass is the convolution. P is never stored: the kernels copy a few
hundred of its numbers at a time, while they multiply (_kernels/convolution_ref.py is the definition).
"""

from typing import NamedTuple

import numpy as np

from pyvae import _kernels
from pyvae.arguments import check_count
from pyvae.layers.activations import ACTIVATIONS
from pyvae.layers.dense import INITIALIZERS, check_words
from pyvae.layers.layer import Layer
from pyvae.module import register
from pyvae.workspace import FRESH


class Geometry(NamedTuple):
    """The pictures x that a convolution reads, and the places y from which it looks. Place (i, j) sees the pixels
    (stride i - top + s, stride j - left + t), s and t from 0 to kernel - 1."""

    height: int
    width: int
    channels: int
    kernel: int
    stride: int
    top: int
    left: int
    out_height: int
    out_width: int


class ConvCache(NamedTuple):
    x: np.ndarray  # (B, n_in)
    kept: np.ndarray  # (B, n_out): y, or a where y does not determine f'(a)
    memory: object


class Convolution(Layer):
    """What both have in common: W, b, their sizes, and the activation."""

    def __init__(self, height, width, c_in, c_out, kernel, stride, padding, activation, init):
        check_words(activation, init)
        sizes = {"height": height, "width": width, "c_in": c_in, "c_out": c_out, "kernel": kernel, "stride": stride}
        for name, size in sizes.items():
            setattr(self, name, check_count(name, size, 1))
        self.padding = padding if padding in ("same", "valid") else check_padding(padding)
        self.activation, self.init = activation, init

    def initialize(self, noise):
        taps = self.kernel**2
        n_in, n_out = self.terms(taps)
        self.W[...] = INITIALIZERS[self.init](noise, self.W.shape, n_in, n_out, self.W.dtype)

    def config(self):
        names = ("height", "width", "c_in", "c_out", "kernel", "stride", "padding", "activation", "init")
        return {name: getattr(self, name) for name in names}

    @classmethod
    def from_config(cls, config):
        padding = config["padding"]
        return cls(**config | {"padding": padding if isinstance(padding, str) else tuple(padding)})

    def da_of(self, dy, cache):
        """da = dy f'(a)."""
        if self.activation is None:
            return dy
        da = cache.memory.take(dy.shape, dy.dtype)
        _kernels.activate_backward(dy, cache.kept, self.activation, dx=da)
        return da

    @property
    def keeps_input(self):
        return self.activation is not None and ACTIVATIONS[self.activation].keeps_input


@register
class Conv2d(Convolution):
    """y = f(P W + b): pictures x (B, height * width * c_in) -> y (B, out_height * out_width * c_out), channels last.

    W (kernel kernel c_in, c_out), b (c_out,) starting at zero. P (B out_height out_width, kernel kernel c_in) has the
    patches of x, each kernel pixels high and wide, that lie ``stride`` apart. padding: the zeros around a picture,
    (top, bottom, left, right); "valid": none; "same": so many that out_height is height / stride, rounded up, the odd
    one at the bottom, and so for the width. activation, init: as of Dense. Raises ValueError for other words, sizes
    below 1, or a kernel that is larger than the picture with its padding. Source: LeCun et al. 1998, section II.
    """

    playable = True

    def __init__(
        self, height, width, c_in, c_out, kernel=3, stride=2, padding="same", activation=None, init="uniform"
    ):  # fmt: skip
        super().__init__(height, width, c_in, c_out, kernel, stride, padding, activation, init)
        top, bottom, left, right = paddings(padding, height, width, kernel, stride)
        self.out_height, self.out_width = (
            (n - kernel) // stride + 1 for n in (top + height + bottom, left + width + right)
        )
        if min(self.out_height, self.out_width) < 1:
            raise ValueError(f"a kernel of {kernel} x {kernel} does not fit into pictures of {height} x {width}")
        self.geometry = Geometry(height, width, c_in, kernel, stride, top, left, self.out_height, self.out_width)
        self.n_in, self.n_out = height * width * c_in, self.out_height * self.out_width * c_out

    def forward(self, x, noise=None, memory=FRESH):
        y = memory.take((len(x), self.n_out), x.dtype)
        a = memory.take(y.shape, y.dtype) if self.keeps_input else y
        _kernels.conv(x, self.W, self.b, self.geometry, None if self.keeps_input else self.activation, out=a)
        if self.keeps_input:
            _kernels.activate(a, self.activation, out=y)  # y = f(P W + b)
        return y, ConvCache(x, a, memory)

    def backward(self, dy, cache, need_dx=True):
        da = self.da_of(dy, cache)
        _kernels.conv_dW(cache.x, da, self.geometry, out=self.dW, db=self.db, accumulate=True)  # dW += P.T da
        if not need_dx:
            return None
        dx = cache.memory.take(cache.x.shape, cache.x.dtype)
        _kernels.conv_dx(da, self.W, None, self.geometry, None, out=dx)  # dP = da W.T, added up by pixels
        return dx

    def shapes(self):
        return {"W": (self.kernel**2 * self.c_in, self.c_out), "b": (self.c_out,)}

    def terms(self, taps):
        """Of how many inputs an output is a sum, and of how many outputs an input is a term."""
        return taps * self.c_in, taps * self.c_out / self.stride**2


@register
class ConvTranspose2d(Convolution):
    """y = f(dx + b), dx what Conv2d's backward pass makes of x: pictures x (B, height * width * c_in) -> larger ones,
    y (B, out_height * out_width * c_out), channels last.

    W (kernel kernel c_out, c_in): that of the convolution from y to x. b (c_out,) starts at zero. Each pixel of x adds
    W's kernel x kernel pixels to y, ``stride`` apart from those of its neighbour. padding: the pixels that are cut off
    at the edges, (top, bottom, left, right); "valid": none; "same": so many that out_height is stride * height, and so
    for the width. out_size: (out_height, out_width) of one of the sizes from which such a convolution makes pictures of
    this height and width; None: the smallest for numbers and for "valid", stride times the size for "same". activation,
    init: as of Dense. Raises ValueError for other words or sizes. Source: Zeiler et al. 2010, equation 2; the name is
    that of Dumoulin and Visin 2016, section 4.
    """

    playable = True

    def __init__(
        self, height, width, c_in, c_out, kernel=3, stride=2, padding="same", activation=None, init="uniform",
        out_size=None,
    ):  # fmt: skip
        super().__init__(height, width, c_in, c_out, kernel, stride, padding, activation, init)
        self.out_size = out_size and tuple(check_count("out_size", size, 1) for size in out_size)
        if out_size is None:
            cut = (0, 0, 0, 0) if isinstance(padding, str) else padding
            out_size = (
                (stride * height, stride * width) if padding == "same"
                else (stride * (height - 1) + kernel - cut[0] - cut[1], stride * (width - 1) + kernel - cut[2] - cut[3])
            )  # fmt: skip
        self.out_height, self.out_width = out_size
        mirrored = Conv2d(*out_size, c_out, c_in, kernel, stride, padding)
        if (mirrored.out_height, mirrored.out_width) != (height, width):
            raise ValueError(
                f"no convolution makes pictures of {height} x {width} of those of {self.out_height} x {self.out_width}"
            )
        self.geometry = mirrored.geometry
        self.n_in, self.n_out = mirrored.n_out, mirrored.n_in

    def forward(self, x, noise=None, memory=FRESH):
        y = memory.take((len(x), self.n_out), x.dtype)
        a = memory.take(y.shape, y.dtype) if self.keeps_input else y
        _kernels.conv_dx(x, self.W, self.b, self.geometry, None if self.keeps_input else self.activation, out=a)
        if self.keeps_input:
            _kernels.activate(a, self.activation, out=y)  # y = f(dx + b)
        return y, ConvCache(x, a, memory)

    def backward(self, dy, cache, need_dx=True):
        da = self.da_of(dy, cache)
        _kernels.conv_dW(da, cache.x, self.geometry, out=self.dW, accumulate=True)  # dW += P.T x, P the patches of da
        _kernels.column_sums(da.reshape(-1, self.c_out), out=self.db)
        if not need_dx:
            return None
        dx = cache.memory.take(cache.x.shape, cache.x.dtype)
        _kernels.conv(da, self.W, None, self.geometry, None, out=dx)  # dx = P W
        return dx

    def shapes(self):
        return {"W": (self.kernel**2 * self.c_out, self.c_in), "b": (self.c_out,)}

    def terms(self, taps):
        """Of how many inputs an output is a sum, and of how many outputs an input is a term."""
        return max(taps * self.c_in / self.stride**2, self.c_in), taps * self.c_out

    def config(self):
        return super().config() | {"out_size": self.out_size and list(self.out_size)}


@register
class Upsample2d(Layer):
    """y = x, each pixel of it factor x factor times: pictures (B, height * width * channels), channels last, become
    factor times as high and wide. dx of a pixel is the sum of its dy.

    With a Conv2d of stride 1 behind it, it does what a ConvTranspose2d does, without the pattern that this leaves where
    kernels overlap unevenly (Odena et al. 2016). Raises ValueError for sizes below 1.
    """

    playable = True

    def __init__(self, height, width, channels, factor=2):
        sizes = {"height": height, "width": width, "channels": channels, "factor": factor}
        for name, size in sizes.items():
            setattr(self, name, check_count(name, size, 1))
        self.n_in, self.n_out = height * width * channels, factor**2 * height * width * channels

    def forward(self, x, noise=None, memory=FRESH):
        wide = memory.take((len(x), self.factor * self.n_in), x.dtype)
        y = memory.take((len(x), self.n_out), x.dtype)
        _kernels.repeat_rows(self.pixels(x), out=self.pixels(wide))
        _kernels.repeat_rows(self.lines(wide), out=self.lines(y))
        return y, memory

    def backward(self, dy, cache, need_dx=True):
        if not need_dx:
            return None
        dwide = cache.take((len(dy), self.factor * self.n_in), dy.dtype)
        dx = cache.take((len(dy), self.n_in), dy.dtype)
        _kernels.sum_groups(self.lines(dy), out=self.lines(dwide))
        _kernels.sum_groups(self.pixels(dwide), out=self.pixels(dx))
        return dx

    def pixels(self, pictures):
        """(number of all pixels, channels)."""
        return pictures.reshape(-1, self.channels)

    def lines(self, pictures):
        """(number of all lines of wide pictures, numbers in a line)."""
        return pictures.reshape(-1, self.factor * self.width * self.channels)

    def config(self):
        return {"height": self.height, "width": self.width, "channels": self.channels, "factor": self.factor}


def check_padding(padding):
    """The four numbers. Raises ValueError for anything else."""
    try:
        top, bottom, left, right = () if isinstance(padding, str) else padding
    except (TypeError, ValueError):
        raise ValueError(
            f'padding must be "same", "valid" or (top, bottom, left, right), not {padding!r:.40}'
        ) from None
    return tuple(check_count("padding", n, 0) for n in (top, bottom, left, right))


def paddings(padding, height, width, kernel, stride):
    """(top, bottom, left, right): "same" adds what the last place lacks, half of it before the picture."""
    if padding == "valid":
        return 0, 0, 0, 0
    if padding != "same":
        return padding
    lacks = [max((-(-n // stride) - 1) * stride + kernel - n, 0) for n in (height, width)]
    return tuple(part for lack in lacks for part in (lack // 2, lack - lack // 2))
