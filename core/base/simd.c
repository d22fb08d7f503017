/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/simd.h"

#include <assert.h>

bool simd_runs(enum simd simd)
{
	assert((unsigned)simd < N_SIMD);
#if defined(__x86_64__)
	if (simd == SIMD_AVX2)
		return __builtin_cpu_supports("avx2");
	if (simd == SIMD_AVX512)
		return __builtin_cpu_supports("avx512f");
#endif
	return simd == SIMD_PORTABLE;
}

enum simd simd_best(void)
{
	enum simd simd = N_SIMD - 1;

	while (!simd_runs(simd))
		simd--;
	return simd;
}
