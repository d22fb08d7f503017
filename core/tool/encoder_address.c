/* SPDX-License-Identifier: Apache-2.0 */
#include "core/tool/encoder_address.h"

#include <stdlib.h>

#include "core/tool/usage.h"

enum status encoder_address_options(const char *url, struct encoder_options *options_out,
				    struct err *err)
{
	const char *key = getenv(ENCODER_KEY_VARIABLE);

	encoder_options_init(options_out);
	options_out->url = url;
	options_out->key = key == NULL || key[0] == '\0' ? NULL : key;
	if (url == NULL)
		return STATUS_OK;
	return usage_of_option(encoder_check_url(url, err), "encoder-url", err);
}
