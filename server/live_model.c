/* SPDX-License-Identifier: Apache-2.0 */
#include "server/live_model.h"

#include <assert.h>
#include <pthread.h>

#include <utlist.h>

#include "core/base/mem.h"

#define HALF_FROM ((size_t)1 << 20) /* bytes of the first layer's weights: much of a core's L2 */

struct live_model {
	const char *path;
	struct encoder_options options; /* where its encoder's server is */
	pthread_mutex_t lock;		/* guards what follows, and what it says of its models */
	struct served_model *current;
	struct served_model *replaced; /* and still held */
};

/* Where the cache has no room for them, half of the bytes is worth the error, which is lost among
 * many weights. */
static enum packed_precision precision_of(const struct router *router)
{
	return router->n_hidden * router->dim * sizeof(float) >= HALF_FROM ? PACKED_HALF
									   : PACKED_SINGLE;
}

enum status served_model_pack(struct served_model *served, enum packed_kind kind, struct err *err)
{
	const struct heads *heads = &served->model.heads;
	const struct router *router = &served->model.router;
	enum status status = STATUS_OK;

	if (router->kind == ROUTER_MLP)
		status = packed_init(&served->second, kind, PACKED_SINGLE, router->weight2,
				     router->n_hidden, router->n_heads, err);
	if (status != STATUS_OK || encoder_is_sparse(served->encoder))
		return status;
	status = packed_init(&served->heads, kind, PACKED_SINGLE, heads->weight, heads->dim,
			     heads->n_heads, err);
	if (status == STATUS_OK && router->first != NULL)
		status = packed_init(&served->first, kind, precision_of(router), router->first,
				     router->dim, router_first_n_out(router), err);
	if (status != STATUS_OK)
		served_model_unpack(served);
	return status;
}

void served_model_unpack(struct served_model *served)
{
	packed_free(&served->heads);
	packed_free(&served->first);
	packed_free(&served->second);
}

static void served_free(struct served_model *served)
{
	served_model_unpack(served);
	model_free(&served->model);
	encoder_close(served->encoder);
	mem_free(served);
}

static enum status open_encoder(struct served_model *served, const struct encoder_options *options,
				struct err *err)
{
	enum status status = model_open_encoder(&served->model, options, &served->encoder, err);

	if (status != STATUS_OK || !encoder_is_remote(served->encoder) || options->url != NULL)
		return status;
	encoder_close(served->encoder);
	return err_set(err, STATUS_USAGE,
		       "its encoder is %.128s: want the address of a server, --encoder-url URL",
		       served->model.encoder_spec);
}

/* With one reference, which is the live_model's own. */
static enum status served_open(const struct live_model *live, struct served_model **served_out,
			       struct err *err)
{
	struct served_model *served = mem_array(1, sizeof(*served));
	enum status status;

	if (served == NULL)
		return err_no_memory(err, "the model");
	status = model_load(live->path, &served->model, err);
	if (status != STATUS_OK)
		goto err_after_alloc;
	status = open_encoder(served, &live->options, err);
	if (status != STATUS_OK)
		goto err_after_load;
	status = served_model_pack(served, packed_kind_best(), err);
	if (status != STATUS_OK)
		goto err_after_encoder;
	served->n_references = 1;
	*served_out = served;
	return STATUS_OK;

err_after_encoder:
	encoder_close(served->encoder);
err_after_load:
	err_wrap(err, "load model %s", live->path);
	model_free(&served->model);
err_after_alloc:
	mem_free(served);
	return status;
}

enum status live_model_open_at(const char *path, const struct encoder_options *options,
			       struct live_model **live_out, struct err *err)
{
	struct live_model *live = mem_array(1, sizeof(*live));
	enum status status;

	if (live == NULL)
		return err_no_memory(err, "the model");
	live->path = path;
	live->options = *options;
	status = served_open(live, &live->current, err);
	if (status != STATUS_OK) {
		mem_free(live);
		return status;
	}
	pthread_mutex_init(&live->lock, NULL);
	*live_out = live;
	return STATUS_OK;
}

enum status live_model_open(const char *path, struct live_model **live_out, struct err *err)
{
	const struct encoder_options nowhere = {.url = NULL};

	return live_model_open_at(path, &nowhere, live_out, err);
}

void live_model_close(struct live_model *live)
{
	if (live == NULL)
		return;
	assert(live->current->n_references == 1 && live->replaced == NULL);
	served_free(live->current);
	pthread_mutex_destroy(&live->lock);
	mem_free(live);
}

struct served_model *live_model_acquire(struct live_model *live)
{
	pthread_mutex_lock(&live->lock);
	struct served_model *served = live->current;
	served->n_references++;
	pthread_mutex_unlock(&live->lock);
	return served;
}

void live_model_release(struct live_model *live, struct served_model *served)
{
	if (served == NULL)
		return;
	pthread_mutex_lock(&live->lock);
	size_t n_left = --served->n_references;
	if (n_left == 0)
		/* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): it is on the list */
		DL_DELETE(live->replaced, served);
	pthread_mutex_unlock(&live->lock);
	if (n_left == 0)
		served_free(served);
}

enum status live_model_reload(struct live_model *live, struct err *err)
{
	struct served_model *fresh = NULL;
	enum status status = served_open(live, &fresh, err);

	if (status != STATUS_OK)
		return status;
	pthread_mutex_lock(&live->lock);
	struct served_model *old = live->current;
	live->current = fresh;
	DL_APPEND(live->replaced, old);
	pthread_mutex_unlock(&live->lock);
	live_model_release(live, old);
	return STATUS_OK;
}

void live_model_cancel(struct live_model *live)
{
	struct served_model *served;

	pthread_mutex_lock(&live->lock);
	encoder_cancel(live->current->encoder);
	DL_FOREACH(live->replaced, served)
	{
		encoder_cancel(served->encoder);
	}
	pthread_mutex_unlock(&live->lock);
}
