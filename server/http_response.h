/* SPDX-License-Identifier: Apache-2.0 */
/* http_response.h - an answered exchange as libmicrohttpd sends it: body or stream, headers. */
#ifndef MICRO_SERVER_HTTP_RESPONSE_H
#define MICRO_SERVER_HTTP_RESPONSE_H

#include <microhttpd.h>
#include <stdbool.h>

#include "server/api.h"

/**
 * http_response_make(api, exchange, is_last): of an exchange that is answered, which lives until
 * the response is sent or given up; the caller destroys its reference. is_last: the connection is
 * closed after it, as all are when the daemon stops. NULL without memory.
 */
struct MHD_Response *http_response_make(struct api *api, struct exchange *exchange, bool is_last);

#endif
