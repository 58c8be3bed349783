"""Dense products: checks; ``simd/products.c`` computes them.

Twin: ``products_ref.py``, which defines what every function here returns.
"""
cimport numpy as cnp
from libc.string cimport memset
from pyvae._kernels.elementwise cimport activation_code
from pyvae._kernels.arrays cimport matrix, output, output_vector, real_type, refuse_overlap, stride, vector
from pyvae._kernels.cpu cimport bf16, level
from pyvae._kernels.runtime cimport matmul_precision
from pyvae._kernels.tape cimport run, task_t, take_cleared
from pyvae._kernels.zeros cimport dense_product_t, mask_of, multiply_masked

cnp.import_array()

cdef extern from "simd/products.h":
    ctypedef struct products_table_t:
        task_t multiply

cdef extern from *:
    """
    static const products_table_t *const products_tables[LEVEL_COUNT][2] = LIST_TABLES(products);
    extern const products_table_t pyvae_products_bf16_float, pyvae_products_amx_float;
    #if PYVAE_BUILT_AMX
    static const products_table_t *const bf16_tables[3] = {NULL, &pyvae_products_bf16_float, &pyvae_products_amx_float};
    #elif PYVAE_BUILT_BF16
    static const products_table_t *const bf16_tables[3] = {NULL, &pyvae_products_bf16_float, NULL};
    #else
    static const products_table_t *const bf16_tables[3] = {NULL, NULL, NULL};
    #endif
    """
    const products_table_t *products_tables[3][2]
    const products_table_t *bf16_tables[3]

cdef int IDENTITY = activation_code(None)

cdef enum:
    FLOAT = 0
    MEDIUM = 2
    FEW_COLUMNS = 32  # products with fewer, or with less work, do not look for zeros
    LITTLE_WORK = 65536


cdef bint is_tall(const dense_product_t *p) noexcept:
    """True if two threads fetch less from each other by sharing out the rows of C. Each then reads all of B, of which
    it wrote half, not all of A and half of B; and the rows of a tall matrix stay with a thread from layer to layer."""
    return 2 * p.rows > p.columns


cdef int multiply(int real, const dense_product_t *p, cnp.ndarray x, bint transposed, tuple arrays) except -1:
    """C = A B, A = x or x.T, or the patches of the pictures x."""
    cdef const products_table_t *table = products_tables[level][real]
    cdef bint in_bf16 = matmul_precision() == MEDIUM and real == FLOAT and bf16
    cdef double work = <double>p.rows * p.columns * (p.depth + 1) / 16
    if in_bf16:
        table = bf16_tables[bf16]
    if not (p.rows > 0 or p.b_sums != NULL) or p.columns == 0:
        return 0
    if in_bf16 or p.patches.channels or p.columns < FEW_COLUMNS or work < LITTLE_WORK:
        run(table.multiply, p, sizeof(p[0]), work, arrays)
    else:
        multiply_masked(p, real, table.multiply, mask_of(x, real), transposed, work, arrays)
    return 0


def dense(x, W, b, activation, out):
    cdef int real = real_type(x, "x")
    cdef cnp.ndarray x_ = matrix(x, "x", real, -1, -1)
    cdef cnp.ndarray W_ = matrix(W, "W", real, x_.shape[1], -1)
    cdef cnp.ndarray out_ = output(out, "out", real, x_.shape[0], W_.shape[1])
    refuse_overlap(out_, x_, "x")
    refuse_overlap(out_, W_, "W")
    cdef cnp.ndarray b_ = None if b is None else vector(b, "b", real, W_.shape[1])
    cdef dense_product_t p
    memset(&p, 0, sizeof(p))
    p.a, p.b, p.c = cnp.PyArray_DATA(x_), cnp.PyArray_DATA(W_), cnp.PyArray_DATA(out_)
    p.bias = NULL if b is None else cnp.PyArray_DATA(b_)
    p.rows, p.columns, p.depth = x_.shape[0], W_.shape[1], x_.shape[1]
    p.a_row, p.a_k, p.b_k, p.b_column, p.c_row = stride(x_), 1, stride(W_), 1, stride(out_)
    p.activation, p.by_rows = activation_code(activation), is_tall(&p)
    multiply(real, &p, x_, False, (x_, W_, b_, out_))


def dense_dx(dy, W, out):
    cdef int real = real_type(dy, "dy")
    cdef cnp.ndarray dy_ = matrix(dy, "dy", real, -1, -1)
    cdef cnp.ndarray W_ = matrix(W, "W", real, -1, dy_.shape[1])
    cdef cnp.ndarray out_ = output(out, "out", real, dy_.shape[0], W_.shape[0])
    refuse_overlap(out_, dy_, "dy")
    refuse_overlap(out_, W_, "W")
    cdef dense_product_t p
    memset(&p, 0, sizeof(p))
    p.a, p.b, p.c = cnp.PyArray_DATA(dy_), cnp.PyArray_DATA(W_), cnp.PyArray_DATA(out_)
    p.rows, p.columns, p.depth = dy_.shape[0], W_.shape[0], dy_.shape[1]
    p.a_row, p.a_k, p.b_k, p.b_column, p.c_row = stride(dy_), 1, 1, stride(W_), stride(out_)
    p.activation, p.by_rows = IDENTITY, is_tall(&p)
    multiply(real, &p, dy_, False, (dy_, W_, out_))


def dense_dW(x, dy, out, db=None, accumulate=False):
    cdef int real = real_type(x, "x")
    cdef cnp.ndarray x_ = matrix(x, "x", real, -1, -1)
    cdef cnp.ndarray dy_ = matrix(dy, "dy", real, x_.shape[0], -1)
    cdef cnp.ndarray out_ = output(out, "out", real, x_.shape[1], dy_.shape[1])
    refuse_overlap(out_, x_, "x")
    refuse_overlap(out_, dy_, "dy")
    cdef cnp.ndarray db_ = None if db is None else output_vector(db, "db", real, dy_.shape[1])
    cdef dense_product_t p
    memset(&p, 0, sizeof(p))
    p.a, p.b, p.c = cnp.PyArray_DATA(x_), cnp.PyArray_DATA(dy_), cnp.PyArray_DATA(out_)
    p.b_sums = NULL if db is None else cnp.PyArray_DATA(db_)
    p.rows, p.columns, p.depth = x_.shape[1], dy_.shape[1], x_.shape[0]
    p.a_row, p.a_k, p.b_k, p.b_column, p.c_row = 1, stride(x_), stride(dy_), 1, stride(out_)
    cdef Py_ssize_t row_size = p.columns * (8 if real else 4)
    p.accumulate = accumulate and not (p.c_row == p.columns and take_cleared(p.c, p.rows * row_size))
    p.accumulate_b_sums = accumulate and not take_cleared(p.b_sums, row_size)
    p.activation, p.by_rows = IDENTITY, 1
    multiply(real, &p, x_, True, (x_, dy_, out_, db_))
