"""Convolutions, as products of patches of pictures: checks; ``simd/products.c`` computes them.

Twin: ``convolution_ref.py``, which defines what every function here returns, and a geometry.
"""
cimport numpy as cnp
from libc.string cimport memset
from pyvae._kernels.arrays cimport contiguous, matrix, output, output_vector, real_type, refuse_overlap, vector
from pyvae._kernels.cpu cimport level
from pyvae._kernels.elementwise cimport activation_code
from pyvae._kernels.products cimport multiply
from pyvae._kernels.tape cimport run, take_cleared, task_t
from pyvae._kernels.zeros cimport dense_product_t

import numpy as np

cnp.import_array()

cdef extern from "simd/convolution.h":
    ctypedef struct taps_t:
        Py_ssize_t kernel, stride, channels, filters, top, left
        const void *W
        void *taps

    ctypedef struct convolution_table_t:
        task_t turn, multiply_planes

    bint fits_planes(const dense_product_t *p)

cdef extern from *:
    """
    static const convolution_table_t *const convolution_tables[LEVEL_COUNT][2] = LIST_TABLES(convolution);
    """
    const convolution_table_t *convolution_tables[3][2]

cdef struct geometry_t:
    Py_ssize_t height, width, channels, kernel, stride, top, left, out_height, out_width


cdef geometry_t taken(object geometry) except *:
    cdef geometry_t g
    g.height, g.width, g.channels, g.kernel, g.stride, g.top, g.left, g.out_height, g.out_width = geometry
    if min(geometry[:5]) < 1 or min(geometry) < 0:
        raise ValueError(f"no convolution has the geometry {tuple(geometry)}")
    return g


cdef cnp.ndarray pictures(object array, str name, int real, Py_ssize_t rows, Py_ssize_t columns):
    return contiguous(matrix(array, name, real, rows, columns), name, False)


cdef cnp.ndarray out_pictures(object array, Py_ssize_t rows, Py_ssize_t columns, int real):
    return contiguous(output(array, "out", real, rows, columns), "out", True)


cdef void look_forward(dense_product_t *p, const geometry_t *g) noexcept:
    """A is P, or its transpose."""
    p.patches.height, p.patches.width, p.patches.channels = g.height, g.width, g.channels
    p.patches.grid_height, p.patches.grid_width = g.out_height, g.out_width
    p.patches.taps_height = p.patches.taps_width = g.kernel
    p.patches.top, p.patches.left, p.patches.stride, p.patches.step = -g.top, -g.left, g.stride, 1


cdef int multiply_patches(int real, const dense_product_t *p, cnp.ndarray x, tuple arrays) except -1:
    """C = P B."""
    if p.rows > 0 and fits_planes(p):
        run(convolution_tables[level][real].multiply_planes, p, sizeof(p[0]),
            <double>p.rows * p.columns * p.depth / 16, arrays)
    else:
        multiply(real, p, x, False, arrays)
    return 0


def conv(x, W, b, geometry, activation, out):
    cdef geometry_t g = taken(geometry)
    cdef int real = real_type(x, "x")
    cdef cnp.ndarray x_ = pictures(x, "x", real, -1, g.height * g.width * g.channels)
    cdef cnp.ndarray W_ = contiguous(matrix(W, "W", real, g.kernel * g.kernel * g.channels, -1), "W", False)
    cdef cnp.ndarray out_ = out_pictures(out, x_.shape[0], g.out_height * g.out_width * W_.shape[1], real)
    refuse_overlap(out_, x_, "x")
    refuse_overlap(out_, W_, "W")
    cdef cnp.ndarray b_ = None if b is None else vector(b, "b", real, W_.shape[1])
    cdef dense_product_t p
    memset(&p, 0, sizeof(p))
    p.a, p.b, p.c = cnp.PyArray_DATA(x_), cnp.PyArray_DATA(W_), cnp.PyArray_DATA(out_)
    p.bias = NULL if b is None else cnp.PyArray_DATA(b_)
    p.rows, p.columns, p.depth = x_.shape[0] * g.out_height * g.out_width, W_.shape[1], W_.shape[0]
    p.a_k, p.b_k, p.b_column, p.c_row = 1, W_.shape[1], 1, W_.shape[1]
    p.activation, p.by_rows = activation_code(activation), 1
    look_forward(&p, &g)
    multiply_patches(real, &p, x_, (x_, W_, b_, out_))


def conv_dx(dy, W, b, geometry, activation, out):
    cdef geometry_t g = taken(geometry)
    cdef int real = real_type(dy, "dy")
    cdef cnp.ndarray W_ = contiguous(matrix(W, "W", real, g.kernel * g.kernel * g.channels, -1), "W", False)
    cdef Py_ssize_t filters = W_.shape[1]
    cdef cnp.ndarray dy_ = pictures(dy, "dy", real, -1, g.out_height * g.out_width * filters)
    cdef cnp.ndarray out_ = out_pictures(out, dy_.shape[0], g.height * g.width * g.channels, real)
    refuse_overlap(out_, dy_, "dy")
    refuse_overlap(out_, W_, "W")
    cdef cnp.ndarray b_ = None if b is None else vector(b, "b", real, g.channels)
    cdef cnp.ndarray turned = np.empty_like(W_)
    turn(&g, real, W_, turned)
    cdef dense_product_t p
    memset(&p, 0, sizeof(p))
    p.a, p.b, p.c = cnp.PyArray_DATA(dy_), cnp.PyArray_DATA(turned), cnp.PyArray_DATA(out_)
    p.bias = NULL if b is None else cnp.PyArray_DATA(b_)
    p.columns, p.a_k, p.b_k, p.b_column, p.c_row = g.channels, 1, g.channels, 1, g.channels
    p.activation, p.by_rows = activation_code(activation), 1
    p.patches.height, p.patches.width, p.patches.channels = g.out_height, g.out_width, filters
    p.patches.stride, p.patches.step = 1, -1
    p.places.height, p.places.width, p.places.channels, p.places.stride = g.height, g.width, g.channels, g.stride
    cdef Py_ssize_t y, x
    for y in range(min(g.stride, g.height)):
        for x in range(min(g.stride, g.width)):
            see_phase(&p, &g, y, x, dy_.shape[0])
            multiply_patches(real, &p, dy_, (dy_, turned, b_, out_))
            p.b = <const char *>p.b + p.depth * g.channels * W_.descr.itemsize


cdef int turn(const geometry_t *g, int real, cnp.ndarray W, cnp.ndarray turned) except -1:
    """Lay out the weights of the phases one after the other."""
    cdef taps_t job
    job.kernel, job.stride, job.channels, job.filters, job.top, job.left = (
        g.kernel, g.stride, g.channels, W.shape[1], g.top, g.left
    )
    job.W, job.taps = cnp.PyArray_DATA(W), cnp.PyArray_DATA(turned)
    run(convolution_tables[level][real].turn, &job, sizeof(job), <double>W.size / 8, (W, turned))
    return 0


cdef void see_phase(dense_product_t *p, const geometry_t *g, Py_ssize_t y, Py_ssize_t x, Py_ssize_t rows) noexcept:
    """The pixels (y + stride i, x + stride j), and the patches of dy in which they took part, tap (s, t) in place
    (i - s, j - t) from the first one on."""
    cdef Py_ssize_t s = (y + g.top) % g.stride, t = (x + g.left) % g.stride
    p.places.top, p.places.left = y, x
    p.places.grid_height = p.patches.grid_height = (g.height - y + g.stride - 1) // g.stride
    p.places.grid_width = p.patches.grid_width = (g.width - x + g.stride - 1) // g.stride
    p.patches.taps_height = (g.kernel - s + g.stride - 1) // g.stride if s < g.kernel else 0
    p.patches.taps_width = (g.kernel - t + g.stride - 1) // g.stride if t < g.kernel else 0
    p.patches.top, p.patches.left = (y + g.top - s) // g.stride, (x + g.left - t) // g.stride
    p.rows = rows * p.places.grid_height * p.places.grid_width
    p.depth = p.patches.taps_height * p.patches.taps_width * p.patches.channels


def conv_dW(x, dy, geometry, out, db=None, accumulate=False):
    cdef geometry_t g = taken(geometry)
    cdef int real = real_type(x, "x")
    cdef cnp.ndarray x_ = pictures(x, "x", real, -1, g.height * g.width * g.channels)
    cdef cnp.ndarray dy_ = pictures(dy, "dy", real, x_.shape[0], -1)
    cdef Py_ssize_t places = g.out_height * g.out_width, filters = dy_.shape[1] // max(places, 1)
    if dy_.shape[1] != places * filters:
        raise ValueError(f"dy has {dy_.shape[1]} columns, which are no multiple of the {places} places")
    cdef cnp.ndarray out_ = output(out, "out", real, g.kernel * g.kernel * g.channels, filters)
    refuse_overlap(out_, x_, "x")
    refuse_overlap(out_, dy_, "dy")
    cdef cnp.ndarray db_ = None if db is None else output_vector(db, "db", real, filters)
    cdef dense_product_t p
    memset(&p, 0, sizeof(p))
    p.a, p.b, p.c = cnp.PyArray_DATA(x_), cnp.PyArray_DATA(dy_), cnp.PyArray_DATA(out_)
    p.b_sums = NULL if db is None else cnp.PyArray_DATA(db_)
    p.rows, p.columns, p.depth = out_.shape[0], filters, x_.shape[0] * places
    p.a_row, p.b_k, p.b_column, p.c_row = 1, filters, 1, out_.strides[0] // out_.descr.itemsize
    cdef Py_ssize_t row_size = filters * (8 if real else 4)
    p.accumulate = accumulate and not (p.c_row == filters and take_cleared(p.c, p.rows * row_size))
    p.accumulate_b_sums = accumulate and not take_cleared(p.b_sums, row_size)
    p.activation, p.by_rows = activation_code(None), 1
    look_forward(&p, &g)
    multiply(real, &p, x_, True, (x_, dy_, out_, db_))
