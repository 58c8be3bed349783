"""A planar flow: checks; ``simd/planar_flow.c`` computes it.

Twin: ``planar_flow_ref.py``, which defines what every function here returns.
"""
cimport numpy as cnp
from libc.string cimport memset
from pyvae._kernels.arrays cimport matrix, output, output_vector, real_type, samples_per_row, stride, vector
from pyvae._kernels.cpu cimport level
from pyvae._kernels.tape cimport EXPONENTIAL_COST, PLAIN_COST, run, task_t

cnp.import_array()

cdef extern from "simd/planar_flow.h":
    ctypedef struct planar_flow_t:
        Py_ssize_t rows, columns, samples
        const void *z
        const void *flow
        const void *dout
        const void *dlog_qz
        void *out
        void *log_qz
        void *dz
        void *dflow
        Py_ssize_t z_row, flow_row, dout_row, out_row, dz_row, dflow_row

    ctypedef struct planar_flow_table_t:
        task_t planar, planar_backward

cdef extern from *:
    """static const planar_flow_table_t *const planar_flow_tables[LEVEL_COUNT][2] = LIST_TABLES(planar_flow);"""
    const planar_flow_table_t *planar_flow_tables[3][2]


cdef double work(planar_flow_t *p) noexcept:
    return <double>p.rows * p.samples * (2 * EXPONENTIAL_COST + 4 * p.columns * PLAIN_COST)


def planar(z, flow, out, log_qz):
    cdef int real = real_type(z, "z")
    cdef cnp.ndarray z_ = matrix(z, "z", real, -1, -1)
    cdef cnp.ndarray flow_ = matrix(flow, "flow", real, -1, 2 * z_.shape[1] + 1)
    cdef cnp.ndarray out_ = output(out, "out", real, z_.shape[0], z_.shape[1])
    cdef cnp.ndarray log_qz_ = output_vector(log_qz, "log_qz", real, z_.shape[0])
    cdef planar_flow_t p
    memset(&p, 0, sizeof(p))
    p.rows, p.columns = flow_.shape[0], z_.shape[1]
    p.samples = samples_per_row(z_.shape[0], p.rows, "z")
    p.z, p.z_row, p.flow, p.flow_row = cnp.PyArray_DATA(z_), stride(z_), cnp.PyArray_DATA(flow_), stride(flow_)
    p.out, p.out_row, p.log_qz = cnp.PyArray_DATA(out_), stride(out_), cnp.PyArray_DATA(log_qz_)
    run(planar_flow_tables[level][real].planar, &p, sizeof(p), work(&p), (z_, flow_, out_, log_qz_))


def planar_backward(dout, z, flow, dz, dflow, dlog_qz=None):
    cdef int real = real_type(z, "z")
    cdef cnp.ndarray z_ = matrix(z, "z", real, -1, -1)
    cdef cnp.ndarray flow_ = matrix(flow, "flow", real, -1, 2 * z_.shape[1] + 1)
    cdef cnp.ndarray dout_ = matrix(dout, "dout", real, z_.shape[0], z_.shape[1])
    cdef cnp.ndarray dz_ = output(dz, "dz", real, z_.shape[0], z_.shape[1])
    cdef cnp.ndarray dflow_ = output(dflow, "dflow", real, flow_.shape[0], flow_.shape[1])
    cdef cnp.ndarray dlog_qz_ = None if dlog_qz is None else vector(dlog_qz, "dlog_qz", real, z_.shape[0])
    cdef planar_flow_t p
    memset(&p, 0, sizeof(p))
    p.rows, p.columns = flow_.shape[0], z_.shape[1]
    p.samples = samples_per_row(z_.shape[0], p.rows, "z")
    p.z, p.z_row, p.flow, p.flow_row = cnp.PyArray_DATA(z_), stride(z_), cnp.PyArray_DATA(flow_), stride(flow_)
    p.dout, p.dout_row, p.dz, p.dz_row = cnp.PyArray_DATA(dout_), stride(dout_), cnp.PyArray_DATA(dz_), stride(dz_)
    p.dflow, p.dflow_row = cnp.PyArray_DATA(dflow_), stride(dflow_)
    p.dlog_qz = NULL if dlog_qz is None else cnp.PyArray_DATA(dlog_qz_)
    run(planar_flow_tables[level][real].planar_backward, &p, sizeof(p), work(&p),
        (z_, flow_, dout_, dz_, dflow_, dlog_qz_))
