"""Checks of the arrays that kernels are called with.

A kernel accepts read-only and strided inputs: rows may be any distance apart, and an array without unit column
stride is copied. It writes into arrays that the caller owns. An output must be writable, of the right shape and
type, and have unit column stride; it is never replaced by a copy.
"""
cimport numpy as cnp
from libc.stdint cimport uint32_t
from pyvae._kernels.tape cimport not_repeatable, written

import numpy as np

cnp.import_array()


cdef int real_type(object array, str name) except -1:
    """0 for float32, 1 for float64: the second index of every table of C functions."""
    if isinstance(array, np.ndarray):
        if (<cnp.ndarray>array).descr.type_num == cnp.NPY_FLOAT:
            return 0
        if (<cnp.ndarray>array).descr.type_num == cnp.NPY_DOUBLE:
            return 1
    raise TypeError(f"{name} must be a NumPy array of float32 or float64, not {describe(array)}")


def describe(array):
    return f"an array of {array.dtype}" if isinstance(array, np.ndarray) else type(array).__name__


cdef bint is_right(object array, int real, int ndim):
    return (
        isinstance(array, np.ndarray)
        and (<cnp.ndarray>array).descr.type_num == (cnp.NPY_DOUBLE if real else cnp.NPY_FLOAT)
        and (<cnp.ndarray>array).ndim == ndim
    )


cdef bint is_usable(cnp.ndarray a):
    """True if C can read it in place: aligned, native byte order, unit stride in a row, whole elements between rows."""
    cdef Py_ssize_t itemsize = a.descr.itemsize
    cdef int last = a.ndim - 1
    if not cnp.PyArray_ISBEHAVED_RO(a):
        return False
    if a.size == 0:  # whatever its strides, which are 0 in some versions of NumPy
        return True
    if a.shape[last] > 1 and a.strides[last] != itemsize:
        return False
    return a.ndim == 1 or a.strides[0] % itemsize == 0


cdef void extent(cnp.ndarray a, const char **low, const char **high) noexcept:
    """The first byte of an array and the byte after its last."""
    cdef int i
    cdef Py_ssize_t reach
    low[0] = high[0] = <const char *>cnp.PyArray_DATA(a)
    for i in range(a.ndim):
        reach = (a.shape[i] - 1) * a.strides[i]
        if reach > 0:
            high[0] += reach
        else:
            low[0] += reach
    high[0] += a.descr.itemsize


cdef int refuse_overlap(cnp.ndarray out, cnp.ndarray other, str name) except -1:
    """Raise ValueError where out shares memory with an input: a product reads it again after it has begun to write."""
    cdef const char *low
    cdef const char *high
    cdef const char *other_low
    cdef const char *other_high
    if out.size == 0 or other.size == 0:
        return 0
    extent(out, &low, &high)
    extent(other, &other_low, &other_high)
    if low < other_high and other_low < high:
        raise ValueError(f"out must not overlap {name}")
    return 0


cdef str shape_text(Py_ssize_t rows, Py_ssize_t columns):
    return f"({'any' if rows < 0 else rows}, {'any' if columns < 0 else columns})"


cdef cnp.ndarray checked(object array, str name, int real, Py_ssize_t rows, Py_ssize_t columns):
    if not is_right(array, real, 2):
        dtype = "float64" if real else "float32"
        raise TypeError(f"{name} must be a two-dimensional array of {dtype}, not {describe(array)}"
                        + (f" with {array.ndim} dimensions" if isinstance(array, np.ndarray) else ""))
    cdef cnp.ndarray a = array
    if (rows >= 0 and a.shape[0] != rows) or (columns >= 0 and a.shape[1] != columns):
        raise ValueError(f"{name} must have the shape {shape_text(rows, columns)}, not ({a.shape[0]}, {a.shape[1]})")
    return a


cdef cnp.ndarray copied(cnp.ndarray a, int real):
    not_repeatable()
    return np.array(a, dtype=np.float64 if real else np.float32, order="C")


cdef cnp.ndarray contiguous(cnp.ndarray a, str name, bint writable):
    """The array if it is contiguous, else a copy to read; ValueError where an array to write is not contiguous."""
    if cnp.PyArray_IS_C_CONTIGUOUS(a):
        return a
    if writable:
        raise ValueError(f"{name} must be contiguous, to be written in place")
    not_repeatable()
    return a.copy()


cdef cnp.ndarray matrix(object array, str name, int real, Py_ssize_t rows, Py_ssize_t columns):
    """An input matrix; -1 accepts any number of rows or columns."""
    cdef cnp.ndarray a = checked(array, name, real, rows, columns)
    return a if is_usable(a) else copied(a, real)


cdef cnp.ndarray told(cnp.ndarray a):
    """The array, of which a tape that is being recorded then knows that it is written."""
    cdef const char *low
    cdef const char *high
    extent(a, &low, &high)
    written(low, high)
    return a


cdef cnp.ndarray output(object array, str name, int real, Py_ssize_t rows, Py_ssize_t columns):
    cdef cnp.ndarray a = checked(array, name, real, rows, columns)
    if not cnp.PyArray_ISWRITEABLE(a) or not is_usable(a):
        raise ValueError(f"{name} must be a writable array with unit column stride, to be written in place")
    return told(a)


cdef cnp.ndarray checked_vector(object array, str name, int real, Py_ssize_t size):
    if not is_right(array, real, 1):
        raise TypeError(f"{name} must be a one-dimensional array of {'float64' if real else 'float32'}, "
                        f"not {describe(array)}")
    cdef cnp.ndarray a = array
    if size >= 0 and a.shape[0] != size:
        raise ValueError(f"{name} must have {size} elements, not {a.shape[0]}")
    return a


cdef cnp.ndarray vector(object array, str name, int real, Py_ssize_t size):
    cdef cnp.ndarray a = checked_vector(array, name, real, size)
    return a if is_usable(a) else copied(a, real)


cdef cnp.ndarray output_vector(object array, str name, int real, Py_ssize_t size):
    cdef cnp.ndarray a = checked_vector(array, name, real, size)
    if not cnp.PyArray_ISWRITEABLE(a) or not is_usable(a):
        raise ValueError(f"{name} must be a writable contiguous array, to be written in place")
    return told(a)


cdef cnp.ndarray whole_numbers(object numbers, str name):
    """The numbers as contiguous, aligned int64; TypeError for floats, which would be truncated."""
    a = np.asarray(numbers)
    if a.dtype.kind not in "iu" and a.size > 0:
        raise TypeError(f"{name} must be whole numbers, not {describe(a)}")
    a = np.ascontiguousarray(a, dtype=np.int64)
    return a if cnp.PyArray_ISALIGNED(a) else a.copy()


cdef cnp.ndarray row_numbers(object rows):
    """Row numbers, which are 32-bit counters of the random numbers, as contiguous int64."""
    cdef cnp.ndarray a = whole_numbers(rows, "rows")
    cdef const cnp.int64_t *r
    cdef Py_ssize_t i
    if a.ndim != 1:
        raise ValueError(f"rows must be one-dimensional, not {a.ndim}-dimensional")
    r = <const cnp.int64_t *>cnp.PyArray_DATA(a)
    for i in range(a.shape[0]):
        if r[i] < 0 or r[i] >= <cnp.int64_t>1 << 32:
            raise OverflowError(f"rows must lie in 0 .. 2^32 - 1; rows[{i}] is {r[i]}")
    return a


cdef int take_key(object key, uint32_t *words) except -1:
    """The two words of a Philox key: unpacked, as an index beyond the end of a tuple would not be checked here."""
    words[0], words[1] = key
    return 0


cdef Py_ssize_t samples_per_row(Py_ssize_t many, Py_ssize_t few, str name) except -1:
    """k, where `many` = k * `few` rows hold k samples of each row; 1 without rows."""
    if few == 0 and many == 0:
        return 1
    if few == 0 or many == 0 or many % few:
        raise ValueError(f"{name} has {many} rows, which is no multiple of {few}")
    return many // few


cdef Py_ssize_t stride(cnp.ndarray array) noexcept:
    """Elements from one row to the next."""
    return array.strides[0] // array.descr.itemsize
