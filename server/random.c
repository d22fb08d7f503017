/* SPDX-License-Identifier: Apache-2.0 */
#include "server/random.h"

#include <string.h>

#include <sodium.h>

#define PAGE 1024 /* bytes */

void random_bytes(void *out, size_t n)
{
	static _Thread_local unsigned char page[PAGE];
	static _Thread_local size_t n_left; /* at its end */

	if (n > PAGE) {
		randombytes_buf(out, n);
		return;
	}
	if (n > n_left) {
		randombytes_buf(page, PAGE);
		n_left = PAGE;
	}
	memcpy(out, page + PAGE - n_left, n);
	sodium_memzero(page + PAGE - n_left,
		       n); /* each byte is given out once, and kept by nobody */
	n_left -= n;
}
