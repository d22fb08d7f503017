/* SPDX-License-Identifier: Apache-2.0 */
/* encoder_address.h - where the server of an encoder behind HTTP is: an option of every command
 * that encodes texts. */
#ifndef MICRO_TOOL_ENCODER_ADDRESS_H
#define MICRO_TOOL_ENCODER_ADDRESS_H

#include "core/base/err.h"
#include "core/encode/encoder.h"

/* Of the table of options; at: where the URL goes in the command's configuration. */
#define ENCODER_ADDRESS_OPTION(at)                                                                 \
	{                                                                                          \
		.name = "encoder-url", .env = "MICROD_ENCODER_URL", .type = OPTION_STRING,         \
		.min = 1, .max = 2048, .value_name = "URL",                                        \
		.help = "Route of the server that openai:D and tei:D encode with, such as "        \
			"http://127.0.0.1:8000/v1/embeddings. Its key, if it wants one, is in "    \
			"MICROD_ENCODER_KEY, in the environment only.",                            \
		.offset = (at),                                                                    \
	}

/* For --encoder's help. */
#define ENCODER_ADDRESS_SPECS "openai:D?FIELD=VALUE&... or tei:D?FIELD=VALUE&... for a server"

/**
 * encoder_address_options(url, options_out, err): url, which may be NULL, and the key of the
 * environment; the rest are defaults. STATUS_USAGE naming the option.
 */
enum status encoder_address_options(const char *url, struct encoder_options *options_out,
				    struct err *err);

#endif
