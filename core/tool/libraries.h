/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libraries.h - the libraries another version of which may change a number of a model: of
 * linear algebra, of the words that texts are cut into, of exp() and log().
 */
#ifndef MICRO_TOOL_LIBRARIES_H
#define MICRO_TOOL_LIBRARIES_H

#include <stddef.h>

#define LIBRARIES_TEXT 160

/**
 * libraries_text(out): "OpenBLAS 0.3.21, libunistring 1.0, glibc 2.36", as they are when the
 * program runs. Not the processor: which kernel BLAS takes for it matters to vectors only.
 */
void libraries_text(char out[LIBRARIES_TEXT]);

#endif
