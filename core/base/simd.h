/* SPDX-License-Identifier: Apache-2.0 */
/* simd.h - which vector instructions there are, for code that has a kernel for each. */
#ifndef MICRO_BASE_SIMD_H
#define MICRO_BASE_SIMD_H

#include <stdbool.h>

/* The later the better. */
enum simd { SIMD_PORTABLE, SIMD_AVX2, SIMD_AVX512, N_SIMD };

/** simd_runs(simd): whether this processor can. */
bool simd_runs(enum simd simd);

/** simd_best(): the last one that runs. */
enum simd simd_best(void);

#endif
