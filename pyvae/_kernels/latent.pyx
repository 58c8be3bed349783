"""Diagonal Gaussian posterior and standard normal prior: checks; ``simd/latent.c`` computes them.

Twin: ``latent_ref.py``, which defines what every function here returns.
"""
cimport numpy as cnp
from libc.string cimport memset
from pyvae._kernels.arrays cimport contiguous, matrix, output, output_vector, real_type, samples_per_row, stride, vector
from pyvae._kernels.cpu cimport level
from pyvae._kernels.tape cimport EXPONENTIAL_COST, PLAIN_COST, run, task_t

cnp.import_array()

cdef extern from "simd/latent.h":
    ctypedef struct latent_t:
        Py_ssize_t rows, columns, samples
        const void *mu
        const void *logvar
        Py_ssize_t mu_row, logvar_row
        const void *eps
        const void *dz
        const void *dkl
        const void *dlog_pz
        const void *dlog_qz
        void *z
        void *log_qz
        void *log_pz
        void *kl
        void *dmu
        void *dlogvar

    ctypedef struct latent_table_t:
        task_t reparameterize, reparameterize_backward, gaussian_density_backward
        task_t kl, kl_backward, standard_normal, standard_normal_backward

cdef extern from *:
    """static const latent_table_t *const latent_tables[LEVEL_COUNT][2] = LIST_TABLES(latent);"""
    const latent_table_t *latent_tables[3][2]


def reparameterize(mu, logvar, eps, z, log_qz):
    cdef int real = real_type(logvar, "logvar")
    cdef cnp.ndarray logvar_ = matrix(logvar, "logvar", real, -1, -1)
    cdef cnp.ndarray mu_ = matrix(mu, "mu", real, logvar_.shape[0], logvar_.shape[1])
    cdef cnp.ndarray eps_ = contiguous(matrix(eps, "eps", real, -1, logvar_.shape[1]), "eps", False)
    cdef cnp.ndarray z_ = contiguous(output(z, "z", real, eps_.shape[0], logvar_.shape[1]), "z", True)
    cdef cnp.ndarray log_qz_ = output_vector(log_qz, "log_qz", real, eps_.shape[0])
    cdef latent_t g
    memset(&g, 0, sizeof(g))
    g.rows, g.columns = logvar_.shape[0], logvar_.shape[1]
    g.samples = samples_per_row(eps_.shape[0], g.rows, "eps")
    g.mu, g.mu_row = cnp.PyArray_DATA(mu_), stride(mu_)
    g.logvar, g.logvar_row = cnp.PyArray_DATA(logvar_), stride(logvar_)
    g.eps, g.z, g.log_qz = cnp.PyArray_DATA(eps_), cnp.PyArray_DATA(z_), cnp.PyArray_DATA(log_qz_)
    run(latent_tables[level][real].reparameterize, &g, sizeof(g),
        <double>g.rows * g.columns * g.samples * EXPONENTIAL_COST, (mu_, logvar_, eps_, z_, log_qz_))


def reparameterize_backward(dz, logvar, eps, dmu, dlogvar, dlog_qz=None):
    cdef int real = real_type(logvar, "logvar")
    cdef cnp.ndarray logvar_ = matrix(logvar, "logvar", real, -1, -1)
    cdef cnp.ndarray eps_ = contiguous(matrix(eps, "eps", real, -1, logvar_.shape[1]), "eps", False)
    cdef cnp.ndarray dz_ = contiguous(matrix(dz, "dz", real, eps_.shape[0], logvar_.shape[1]), "dz", False)
    cdef cnp.ndarray dmu_ = contiguous(output(dmu, "dmu", real, logvar_.shape[0], logvar_.shape[1]), "dmu", True)
    cdef cnp.ndarray dlogvar_ = output(dlogvar, "dlogvar", real, logvar_.shape[0], logvar_.shape[1])
    dlogvar_ = contiguous(dlogvar_, "dlogvar", True)
    cdef cnp.ndarray dlog_qz_ = None if dlog_qz is None else vector(dlog_qz, "dlog_qz", real, eps_.shape[0])
    cdef latent_t g
    memset(&g, 0, sizeof(g))
    g.rows, g.columns = logvar_.shape[0], logvar_.shape[1]
    g.samples = samples_per_row(eps_.shape[0], g.rows, "eps")
    g.logvar, g.logvar_row = cnp.PyArray_DATA(logvar_), stride(logvar_)
    g.eps, g.dz = cnp.PyArray_DATA(eps_), cnp.PyArray_DATA(dz_)
    g.dmu, g.dlogvar = cnp.PyArray_DATA(dmu_), cnp.PyArray_DATA(dlogvar_)
    g.dlog_qz = NULL if dlog_qz is None else cnp.PyArray_DATA(dlog_qz_)
    run(latent_tables[level][real].reparameterize_backward, &g, sizeof(g),
        <double>g.rows * g.columns * (g.samples + EXPONENTIAL_COST), (logvar_, eps_, dz_, dmu_, dlogvar_, dlog_qz_))


def gaussian_density_backward(dlog_qz, logvar, eps, dz):
    cdef int real = real_type(logvar, "logvar")
    cdef cnp.ndarray logvar_ = matrix(logvar, "logvar", real, -1, -1)
    cdef cnp.ndarray eps_ = contiguous(matrix(eps, "eps", real, -1, logvar_.shape[1]), "eps", False)
    cdef cnp.ndarray dlog_qz_ = vector(dlog_qz, "dlog_qz", real, eps_.shape[0])
    cdef cnp.ndarray dz_ = contiguous(output(dz, "dz", real, eps_.shape[0], logvar_.shape[1]), "dz", True)
    cdef latent_t g
    memset(&g, 0, sizeof(g))
    g.rows, g.columns = logvar_.shape[0], logvar_.shape[1]
    g.samples = samples_per_row(eps_.shape[0], g.rows, "eps")
    g.logvar, g.logvar_row = cnp.PyArray_DATA(logvar_), stride(logvar_)
    g.eps, g.z, g.dlog_qz = cnp.PyArray_DATA(eps_), cnp.PyArray_DATA(dz_), cnp.PyArray_DATA(dlog_qz_)
    run(latent_tables[level][real].gaussian_density_backward, &g, sizeof(g),
        <double>g.rows * g.columns * g.samples * EXPONENTIAL_COST, (logvar_, eps_, dlog_qz_, dz_))


def kl(mu, logvar, out):
    cdef int real = real_type(logvar, "logvar")
    cdef cnp.ndarray logvar_ = matrix(logvar, "logvar", real, -1, -1)
    cdef cnp.ndarray mu_ = matrix(mu, "mu", real, logvar_.shape[0], logvar_.shape[1])
    cdef cnp.ndarray out_ = output_vector(out, "out", real, logvar_.shape[0])
    cdef latent_t g
    memset(&g, 0, sizeof(g))
    g.rows, g.columns = logvar_.shape[0], logvar_.shape[1]
    g.mu, g.mu_row = cnp.PyArray_DATA(mu_), stride(mu_)
    g.logvar, g.logvar_row = cnp.PyArray_DATA(logvar_), stride(logvar_)
    g.kl = cnp.PyArray_DATA(out_)
    run(latent_tables[level][real].kl, &g, sizeof(g), <double>g.rows * g.columns * EXPONENTIAL_COST,
        (mu_, logvar_, out_))


def kl_backward(dkl, mu, logvar, dmu, dlogvar):
    cdef int real = real_type(logvar, "logvar")
    cdef cnp.ndarray logvar_ = matrix(logvar, "logvar", real, -1, -1)
    cdef cnp.ndarray mu_ = matrix(mu, "mu", real, logvar_.shape[0], logvar_.shape[1])
    cdef cnp.ndarray dkl_ = vector(dkl, "dkl", real, logvar_.shape[0])
    cdef cnp.ndarray dmu_ = contiguous(output(dmu, "dmu", real, logvar_.shape[0], logvar_.shape[1]), "dmu", True)
    cdef cnp.ndarray dlogvar_ = output(dlogvar, "dlogvar", real, logvar_.shape[0], logvar_.shape[1])
    dlogvar_ = contiguous(dlogvar_, "dlogvar", True)
    cdef latent_t g
    memset(&g, 0, sizeof(g))
    g.rows, g.columns = logvar_.shape[0], logvar_.shape[1]
    g.mu, g.mu_row = cnp.PyArray_DATA(mu_), stride(mu_)
    g.logvar, g.logvar_row = cnp.PyArray_DATA(logvar_), stride(logvar_)
    g.dkl, g.dmu, g.dlogvar = cnp.PyArray_DATA(dkl_), cnp.PyArray_DATA(dmu_), cnp.PyArray_DATA(dlogvar_)
    run(latent_tables[level][real].kl_backward, &g, sizeof(g), <double>g.rows * g.columns * EXPONENTIAL_COST,
        (mu_, logvar_, dkl_, dmu_, dlogvar_))


def standard_normal(z, log_pz):
    cdef int real = real_type(z, "z")
    cdef cnp.ndarray z_ = contiguous(matrix(z, "z", real, -1, -1), "z", False)
    cdef cnp.ndarray log_pz_ = output_vector(log_pz, "log_pz", real, z_.shape[0])
    cdef latent_t g
    memset(&g, 0, sizeof(g))
    g.rows, g.columns, g.z, g.log_pz = z_.shape[0], z_.shape[1], cnp.PyArray_DATA(z_), cnp.PyArray_DATA(log_pz_)
    run(latent_tables[level][real].standard_normal, &g, sizeof(g), <double>g.rows * g.columns * PLAIN_COST,
        (z_, log_pz_))


def standard_normal_backward(dlog_pz, z, dz):
    cdef int real = real_type(z, "z")
    cdef cnp.ndarray z_ = contiguous(matrix(z, "z", real, -1, -1), "z", False)
    cdef cnp.ndarray dlog_pz_ = vector(dlog_pz, "dlog_pz", real, z_.shape[0])
    cdef cnp.ndarray dz_ = contiguous(output(dz, "dz", real, z_.shape[0], z_.shape[1]), "dz", True)
    cdef latent_t g
    memset(&g, 0, sizeof(g))
    g.rows, g.columns, g.z, g.dlog_pz = z_.shape[0], z_.shape[1], cnp.PyArray_DATA(z_), cnp.PyArray_DATA(dlog_pz_)
    g.dmu = cnp.PyArray_DATA(dz_)
    run(latent_tables[level][real].standard_normal_backward, &g, sizeof(g), <double>g.rows * g.columns * PLAIN_COST,
        (z_, dlog_pz_, dz_))
