/* SPDX-License-Identifier: Apache-2.0 */
/*
 * preference_routes.h - what the model is asked and told: scores, in the words of every protocol,
 * and feedback; as a part of the api: decode, ask, encode.
 */
#ifndef MICRO_SERVER_PREFERENCE_ROUTES_H
#define MICRO_SERVER_PREFERENCE_ROUTES_H

#include "server/api.h"

/** preference_routes_score(api, exchange): as api_begin(), for all routes that ask for scores. */
enum api_next preference_routes_score(struct api *api, struct exchange *exchange);

/** preference_routes_feedback(api, exchange): as api_begin(), for POST /feedback. */
enum api_next preference_routes_feedback(struct api *api, struct exchange *exchange);

/** preference_routes_texts(exchange): what a server is to be asked for; NULL: nothing, or not yet
 * known. */
struct text_batch *preference_routes_texts(const struct exchange *exchange);

/** preference_routes_put_off(exchange): as api_put_off(), for both. */
void preference_routes_put_off(struct exchange *exchange);

/** preference_routes_work(api, exchange): as api_work(), for both. */
enum api_next preference_routes_work(struct api *api, struct exchange *exchange);

/** preference_routes_end(api, exchange): as api_end(), of feedback that was written without a
 * fault. */
void preference_routes_end(struct api *api, struct exchange *exchange);

#endif
