/* SPDX-License-Identifier: Apache-2.0 */
/* user_routes.h - /users and what is under it, as a part of the api: decode, ask, encode. */
#ifndef MICRO_SERVER_USER_ROUTES_H
#define MICRO_SERVER_USER_ROUTES_H

#include "server/api.h"

/** user_routes_begin(api, exchange): as api_begin(), for these routes. */
enum api_next user_routes_begin(struct api *api, struct exchange *exchange);

/** user_routes_end(api, exchange): as api_end(), of what was written without a fault. */
void user_routes_end(struct api *api, struct exchange *exchange);

#endif
