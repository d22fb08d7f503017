/* SPDX-License-Identifier: Apache-2.0 */
/*
 * eigen.h - eigenvalues and eigenvectors of small symmetric matrices, by Jacobi's
 * rotations (Golub and Van Loan, Matrix Computations, section 8.5): slower than LAPACK
 * and as exact, and the same bits on every processor.
 */
#ifndef MICRO_MATH_EIGEN_H
#define MICRO_MATH_EIGEN_H

#include <stddef.h>

/**
 * eigen_symmetric(a, n, value_out, vector_out): a [n, n], symmetric and finite, is destroyed.
 * value_out [n]: eigenvalues, largest first; vector_out [n, n]: row i is the unit
 * eigenvector of value i. O(n^3) a sweep, and about ten sweeps.
 */
void eigen_symmetric(double *a, size_t n, double *value_out, double *vector_out);

#endif
