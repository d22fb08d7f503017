/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz.h - what libFuzzer, or replay.c in its place, calls. */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/** LLVMFuzzerTestOneInput(data, size): try one input; returns 0, a fault crashes. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
