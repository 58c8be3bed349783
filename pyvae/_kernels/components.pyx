"""Log densities of rows under each of many diagonal Gaussians: checks; ``simd/components.c`` computes them.

Twin: ``components_ref.py``, which defines what every function here returns.
"""
cimport numpy as cnp
from libc.string cimport memset
from pyvae._kernels.arrays cimport contiguous, matrix, output, real_type, stride
from pyvae._kernels.cpu cimport level
from pyvae._kernels.tape cimport EXPONENTIAL_COST, PLAIN_COST, run, task_t

cnp.import_array()

cdef extern from "simd/components.h":
    ctypedef struct components_t:
        Py_ssize_t rows, columns, components
        const void *z
        const void *mu
        const void *logvar
        Py_ssize_t z_row, mu_row, logvar_row
        const void *dout
        void *out
        void *dz
        void *dmu
        void *dlogvar

    ctypedef struct components_table_t:
        task_t gaussian_components, gaussian_components_backward

cdef extern from *:
    """static const components_table_t *const components_tables[LEVEL_COUNT][2] = LIST_TABLES(components);"""
    const components_table_t *components_tables[3][2]


cdef double work_of(const components_t *c) noexcept:
    """Of each pair a few multiply-adds a column, and of each component the exponentials."""
    return <double>c.columns * c.components * (c.rows * PLAIN_COST + EXPONENTIAL_COST)


def gaussian_components(z, mu, logvar, out):
    cdef int real = real_type(z, "z")
    cdef cnp.ndarray z_ = matrix(z, "z", real, -1, -1)
    cdef cnp.ndarray mu_ = matrix(mu, "mu", real, -1, z_.shape[1])
    cdef cnp.ndarray logvar_ = matrix(logvar, "logvar", real, mu_.shape[0], z_.shape[1])
    cdef cnp.ndarray out_ = contiguous(output(out, "out", real, z_.shape[0], mu_.shape[0]), "out", True)
    cdef components_t c
    memset(&c, 0, sizeof(c))
    c.rows, c.columns, c.components = z_.shape[0], z_.shape[1], mu_.shape[0]
    c.z, c.z_row = cnp.PyArray_DATA(z_), stride(z_)
    c.mu, c.mu_row = cnp.PyArray_DATA(mu_), stride(mu_)
    c.logvar, c.logvar_row = cnp.PyArray_DATA(logvar_), stride(logvar_)
    c.out = cnp.PyArray_DATA(out_)
    run(components_tables[level][real].gaussian_components, &c, sizeof(c), work_of(&c), (z_, mu_, logvar_, out_))


def gaussian_components_backward(dout, z, mu, logvar, dz, dmu, dlogvar):
    cdef int real = real_type(z, "z")
    cdef cnp.ndarray z_ = matrix(z, "z", real, -1, -1)
    cdef cnp.ndarray mu_ = matrix(mu, "mu", real, -1, z_.shape[1])
    cdef cnp.ndarray logvar_ = matrix(logvar, "logvar", real, mu_.shape[0], z_.shape[1])
    cdef cnp.ndarray dout_ = contiguous(matrix(dout, "dout", real, z_.shape[0], mu_.shape[0]), "dout", False)
    cdef cnp.ndarray dz_ = contiguous(output(dz, "dz", real, z_.shape[0], z_.shape[1]), "dz", True)
    cdef cnp.ndarray dmu_ = contiguous(output(dmu, "dmu", real, mu_.shape[0], z_.shape[1]), "dmu", True)
    cdef cnp.ndarray dlogvar_ = output(dlogvar, "dlogvar", real, mu_.shape[0], z_.shape[1])
    dlogvar_ = contiguous(dlogvar_, "dlogvar", True)
    cdef components_t c
    memset(&c, 0, sizeof(c))
    c.rows, c.columns, c.components = z_.shape[0], z_.shape[1], mu_.shape[0]
    c.z, c.z_row = cnp.PyArray_DATA(z_), stride(z_)
    c.mu, c.mu_row = cnp.PyArray_DATA(mu_), stride(mu_)
    c.logvar, c.logvar_row = cnp.PyArray_DATA(logvar_), stride(logvar_)
    c.dout, c.dz = cnp.PyArray_DATA(dout_), cnp.PyArray_DATA(dz_)
    c.dmu, c.dlogvar = cnp.PyArray_DATA(dmu_), cnp.PyArray_DATA(dlogvar_)
    run(components_tables[level][real].gaussian_components_backward, &c, sizeof(c), 2 * work_of(&c),
        (dout_, z_, mu_, logvar_, dz_, dmu_, dlogvar_))
