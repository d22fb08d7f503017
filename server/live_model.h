/* SPDX-License-Identifier: Apache-2.0 */
/*
 * live_model.h - the model being served, and its replacement while requests run:
 * each request holds a counted reference to the model that it began with.
 */
#ifndef MICRO_SERVER_LIVE_MODEL_H
#define MICRO_SERVER_LIVE_MODEL_H

#include "core/base/err.h"
#include "core/encode/encoder.h"
#include "core/math/packed.h"
#include "core/model/model.h"

/* A model and the encoder it was trained with; immutable. */
struct served_model {
	struct model model;
	struct encoder *encoder;
	/* for dense features, the weights of heads and of the router's first layer; else zeroed */
	struct packed heads;
	struct packed first;
	struct packed second; /* an mlp router's; else zeroed */
	/* guarded by the lock of the live_model it came from */
	size_t n_references;
	struct served_model *prev, *next; /* among those that were replaced */
};

/** served_model_pack(served, kind, err): pack the weights, those of the features if these are
 * dense; part of opening. served_model_unpack() releases them. */
enum status served_model_pack(struct served_model *served, enum packed_kind kind, struct err *err);
void served_model_unpack(struct served_model *served);

struct live_model; /* opaque; any number of threads may share it */

/** live_model_open_at(path, options, live_out, err): load the file, open its encoder, whose server
 * is where options say, check that they agree. A server that is down is no error if options have
 * it watched; one that the options do not know is. path and the strings of options must outlive
 * the result; live_model_close() releases it. */
enum status live_model_open_at(const char *path, const struct encoder_options *options,
			       struct live_model **live_out, struct err *err);

/** live_model_open(path, live_out, err): the same for encoders that need no server. */
enum status live_model_open(const char *path, struct live_model **live_out, struct err *err);

/** live_model_close(live): every reference has been released; NULL does nothing. */
void live_model_close(struct live_model *live);

/** live_model_acquire(live): the current model; give it back with live_model_release(). */
struct served_model *live_model_acquire(struct live_model *live);

/** live_model_release(live, served): NULL does nothing. */
void live_model_release(struct live_model *live, struct served_model *served);

/** live_model_cancel(live): calls to encoders' servers end soon, of the current model and of
 * replaced ones that requests still hold. */
void live_model_cancel(struct live_model *live);

/** live_model_reload(live, err): read the file again; later requests get the new model.
 * On error nothing changes. */
enum status live_model_reload(struct live_model *live, struct err *err);

#endif
