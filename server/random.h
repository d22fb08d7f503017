/* SPDX-License-Identifier: Apache-2.0 */
/* random.h - random bytes for ids, of which every request needs some. */
#ifndef MICRO_SERVER_RANDOM_H
#define MICRO_SERVER_RANDOM_H

#include <stddef.h>

/** random_bytes(out, n): n bytes of the kernel's, which each thread asks for by the page. A
 * process that forks does not go on using it. */
void random_bytes(void *out, size_t n);

#endif
