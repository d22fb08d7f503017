/* SPDX-License-Identifier: Apache-2.0 */
#include "core/tool/libraries.h"

#include <stdio.h>
#include <string.h>

#include <gnu/libc-version.h>
#include <unistring/version.h>

#include "core/math/linalg.h"

/* Length of the first two words of text: a name and its version. */
static int two_words(const char *text)
{
	size_t name = strcspn(text, " ");
	size_t version = text[name] == '\0' ? 0 : 1 + strcspn(text + name + 1, " ");

	return (int)(name + version);
}

void libraries_text(char out[LIBRARIES_TEXT])
{
	const char *blas = linalg_version();
	int unistring = _libunistring_version; /* 0x010100 is 1.1 */

	snprintf(out, LIBRARIES_TEXT, "%.*s, libunistring %d.%d.%d, glibc %s", two_words(blas),
		 blas, unistring >> 16, unistring >> 8 & 0xff, unistring & 0xff,
		 gnu_get_libc_version());
}
