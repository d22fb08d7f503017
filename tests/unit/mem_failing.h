/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_UNIT_MEM_FAILING_H
#define TESTS_UNIT_MEM_FAILING_H

/**
 * mem_fail_after(n): let n allocations succeed and fail the one after them,
 * once; -1: never fail. A sweep raises n until the function under test succeeds.
 */
void mem_fail_after(long n);

#endif
