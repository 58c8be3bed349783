/* Levels and float types: how a C file that is compiled several times gives each copy a name of its own.

   setup.py compiles every .c file of this folder once per instruction set (PYVAE_LEVEL = v2, v3, v4 on x86-64) and
   float type (REAL = float, double). A copy exports one thing: a const table of function pointers, named by
   TABLE(products) = pyvae_products_v4_float and the like. All else is static, so that no copy can end up calling
   another copy's code, which the machine may be unable to run. */
#ifndef PYVAE_LEVEL_H
#define PYVAE_LEVEL_H

#include <stddef.h>
#include <stdint.h>

#if defined(__x86_64__)
#define LEVEL_COUNT 3
#define FOR_EACH_LEVEL(DO, kind) DO(kind, v2) DO(kind, v3) DO(kind, v4)
#else
#define LEVEL_COUNT 1
#define FOR_EACH_LEVEL(DO, kind) DO(kind, generic)
#endif

#define JOIN_(kind, level, real) pyvae_##kind##_##level##_##real
#define JOIN(kind, level, real) JOIN_(kind, level, real)
#define TABLE(kind) JOIN(kind, PYVAE_LEVEL, REAL)

/* DECLARE_TABLES(products) declares every copy's table; LIST_TABLES(products) lists them, [level][float, double]. */
#define DECLARE_PAIR_(kind, level) extern const kind##_table_t JOIN_(kind, level, float), JOIN_(kind, level, double);
#define LIST_PAIR_(kind, level) {&JOIN_(kind, level, float), &JOIN_(kind, level, double)},
#define DECLARE_TABLES(kind) FOR_EACH_LEVEL(DECLARE_PAIR_, kind)
#define LIST_TABLES(kind) {FOR_EACH_LEVEL(LIST_PAIR_, kind)}

#endif
