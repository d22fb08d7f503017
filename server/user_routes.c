/* SPDX-License-Identifier: Apache-2.0 */
#include "server/user_routes.h"

#include "server/user_stream.h"
#include "server/wire_lines.h"
#include "server/wire_read.h"
#include "server/wire_write.h"

static enum api_next list_users(struct api *api, struct exchange *exchange)
{
	struct user_list list;
	struct page page;

	if (page_read(&exchange->page, &page, &exchange->err) != STATUS_OK ||
	    service_list_users(&api->service, &page, &exchange->arena, &list, &exchange->err) !=
		STATUS_OK)
		return api_refuse(api, exchange);
	wire_write_users(&exchange->answer, &list);
	return api_answer(api, exchange);
}

static bool is_shown(const struct exchange *exchange)
{
	return exchange->match.route == ROUTE_USERS ||
	       (exchange->match.route == ROUTE_USER && exchange->match.method != METHOD_DELETE);
}

/* Of the query alone: who is in the path. NULL: none. */
static enum status read_context(struct exchange *exchange, const char **context_out)
{
	const struct person_source source = {.query_context = exchange->person.query_context};
	struct person person;
	enum status status = person_read(&source, &exchange->arena, &person, &exchange->err);

	*context_out = source.query_context == NULL ? NULL : person.context;
	return status;
}

static enum api_next show_user(struct api *api, struct exchange *exchange)
{
	struct user_view view = {0};
	const char *context;
	enum api_next next;
	enum status status = read_context(exchange, &context);

	if (status == STATUS_OK)
		status = service_read_user(&api->service, exchange->match.user, context,
					   &exchange->arena, &view, &exchange->err);
	if (status == STATUS_OK)
		wire_write_user(&exchange->answer, &view);
	next = status == STATUS_OK ? api_answer(api, exchange) : api_refuse(api, exchange);
	service_free_user(&view);
	return next;
}

static enum api_next delete_user(struct exchange *exchange, const char *context)
{
	exchange->op = (struct store_op){
	    .kind = STORE_DELETE_USER,
	    .delete_user = {.user = exchange->match.user, .context = context},
	};
	return API_WRITE;
}

static enum api_next reset_user(struct api *api, struct exchange *exchange)
{
	struct buffer *body = &exchange->body;
	const char *context;

	buffer_terminate(body);
	if (buffer_status(body, "the body", &exchange->err) != STATUS_OK ||
	    wire_read_reset(body->bytes, body->len, &exchange->arena, &context, &exchange->err) !=
		STATUS_OK)
		return api_refuse(api, exchange);
	return delete_user(exchange, context);
}

static enum api_next export_user(struct api *api, struct exchange *exchange)
{
	const struct service *service = &api->service;

	if (user_stream_open(service->store, exchange->match.user, service->now_us(),
			     &exchange->stream, &exchange->err) != STATUS_OK)
		return api_refuse(api, exchange);
	api_answer_stream(api, exchange, LINES_CONTENT_TYPE);
	return API_ANSWERED;
}

/* The body stays until the answer: what is imported points into it. */
static enum api_next import_user(struct api *api, struct exchange *exchange)
{
	struct store_import *import = &exchange->op.import;
	struct buffer *body = &exchange->body;
	const struct model *model;

	exchange->op.kind = STORE_IMPORT;
	exchange->served = live_model_acquire(api->live);
	model = &exchange->served->model;
	buffer_terminate(body);
	if (buffer_status(body, "the body", &exchange->err) != STATUS_OK ||
	    wire_lines_read(body->bytes, body->len, exchange->match.user, &exchange->arena, import,
			    &exchange->err) != STATUS_OK)
		return api_refuse(api, exchange);
	import->model_id = model->id;
	import->n_heads = model->heads.n_heads;
	return API_WRITE;
}

/* What is for every context is not done to one who asks for a single one. */
static enum status check_for_all(struct exchange *exchange)
{
	if (exchange->person.query_context == NULL || is_shown(exchange))
		return STATUS_OK;
	return err_at(&exchange->err, STATUS_INVALID_VALUE, "?context",
		      "this is for all contexts, want no ?context; one alone is taken back by "
		      "POST /users/{id}/reset with {\"context\": \"...\"}");
}

enum api_next user_routes_begin(struct api *api, struct exchange *exchange)
{
	if (api_check_head(exchange) != STATUS_OK || check_for_all(exchange) != STATUS_OK)
		return api_refuse(api, exchange);
	switch (exchange->match.route) {
	case ROUTE_USERS:
		return list_users(api, exchange);
	case ROUTE_USER_RESET:
		return reset_user(api, exchange);
	case ROUTE_USER_EXPORT:
		return export_user(api, exchange);
	case ROUTE_USER_IMPORT:
		return import_user(api, exchange);
	default:
		return exchange->match.method == METHOD_DELETE ? delete_user(exchange, NULL)
							       : show_user(api, exchange);
	}
}

void user_routes_end(struct api *api, struct exchange *exchange)
{
	if (exchange->op.kind == STORE_IMPORT)
		wire_write_imported(&exchange->answer, &exchange->op.import);
	else if (exchange->match.route == ROUTE_USER_RESET)
		wire_write_reset(&exchange->answer, &exchange->op.delete_user);
	else
		wire_write_deleted(&exchange->answer, &exchange->op.delete_user);
	api_answer(api, exchange);
}
