"""The same values elsewhere in memory."""

import numpy as np


def unaligned(a):
    buffer = np.zeros(a.nbytes + 1, np.uint8)
    view = buffer[1:].view(a.dtype).reshape(a.shape)
    view[...] = a
    return view


def spread(a, step, axis):
    """The same values in an array whose neighbours along an axis lie ``step`` apart."""
    size = list(a.shape)
    size[axis] *= abs(step)
    index = [slice(None)] * a.ndim
    index[axis] = slice(None, None, step)
    view = np.full(size, 99, a.dtype)[tuple(index)]
    view[...] = a
    return view


def read_only(a):
    a = a.copy()
    a.flags.writeable = False
    return a


LAYOUTS = {
    "read-only": read_only,
    "every second row": lambda a: spread(a, 2, 0),
    "every third column": lambda a: spread(a, 3, -1),
    "rows upside down": lambda a: spread(a, -1, 0),
    "columns backwards": lambda a: spread(a, -2, -1),
    "column-major": np.asfortranarray,
    "byte-swapped": lambda a: a.astype(a.dtype.newbyteorder()),
    "unaligned": unaligned,
}
