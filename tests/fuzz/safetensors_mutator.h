/* SPDX-License-Identifier: Apache-2.0 */
/*
 * safetensors_mutator.h - for fuzzers whose input is a safetensors file. Without
 * it nearly every mutation of the header makes its length wrong, and the parser
 * is left at the first check.
 */
#ifndef TESTS_FUZZ_SAFETENSORS_MUTATOR_H
#define TESTS_FUZZ_SAFETENSORS_MUTATOR_H

/* defined by clang -fsanitize=fuzzer; the replay has no mutations */
#ifdef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define MUTATOR_MAX_DATA 65536

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *file, size_t size, size_t max_size, unsigned seed);

size_t LLVMFuzzerCustomMutator(uint8_t *file, size_t size, size_t max_size, unsigned seed)
{
	static uint8_t data[MUTATOR_MAX_DATA];
	uint64_t header_len;
	size_t n_data;

	if (size < 8 || seed % 8 == 0)
		return LLVMFuzzerMutate(file, size, max_size);
	memcpy(&header_len, file, 8);
	if (header_len >= size - 8 || size > MUTATOR_MAX_DATA || size >= max_size)
		return LLVMFuzzerMutate(file, size, max_size);
	n_data = size - 8 - header_len;
	if (seed % 8 < 3)
		return 8 + header_len +
		       LLVMFuzzerMutate(file + 8 + header_len, n_data, max_size - 8 - header_len);
	memcpy(data, file + 8 + header_len, n_data);
	header_len = LLVMFuzzerMutate(file + 8, header_len, max_size - 8 - n_data);
	memcpy(file, &header_len, 8);
	memcpy(file + 8 + header_len, data, n_data);
	return 8 + header_len + n_data;
}

#endif
#endif
