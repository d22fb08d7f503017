/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store_sqlite_readers.h"

#include <errno.h>
#include <inttypes.h>
#include <time.h>

#include "core/base/mem.h"

static enum status open_all(struct readers *readers, const char *name, const char *path,
			    struct err *err)
{
	enum status status = STATUS_OK;

	for (size_t i = 0; i < readers->n_conns && status == STATUS_OK; i++) {
		struct conn *conn = &readers->conns[i];

		status = conn_open(conn, name, path, CONN_READER, readers->wait_ms, err);
		if (status == STATUS_OK)
			status = conn_set_pragmas(conn, CONN_READER, err);
		if (status == STATUS_OK)
			status = conn_prepare(conn, CONN_READER, err);
		readers->idle[readers->n_idle++] = conn;
	}
	return status;
}

static void init_lock(struct readers *readers)
{
	pthread_condattr_t attributes;

	pthread_mutex_init(&readers->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&readers->returned, &attributes);
	pthread_condattr_destroy(&attributes);
}

enum status readers_open(struct readers *readers, size_t n_conns, const char *name,
			 const char *path, int64_t wait_ms, struct err *err)
{
	enum status status;

	*readers = (struct readers){
	    .conns = mem_array(n_conns, sizeof(*readers->conns)),
	    .n_conns = n_conns,
	    .wait_ms = wait_ms,
	    .idle = mem_array(n_conns, sizeof(*readers->idle)),
	};
	init_lock(readers);
	if (readers->conns == NULL || readers->idle == NULL) {
		readers->n_conns = 0;
		status = err_no_memory(err, "read connections");
	} else {
		status = open_all(readers, name, path, err);
	}
	if (status != STATUS_OK)
		readers_close(readers);
	return status;
}

static struct timespec deadline(int64_t wait_ms)
{
	struct timespec at;

	clock_gettime(CLOCK_MONOTONIC, &at);
	at.tv_sec += wait_ms / 1000;
	at.tv_nsec += wait_ms % 1000 * 1000000;
	if (at.tv_nsec >= 1000000000) {
		at.tv_nsec -= 1000000000;
		at.tv_sec++;
	}
	return at;
}

enum status readers_take(struct readers *readers, struct conn **conn_out, struct err *err)
{
	struct timespec until = deadline(readers->wait_ms);
	int result = 0;

	*conn_out = NULL;
	pthread_mutex_lock(&readers->lock);
	while (readers->n_idle == 0 && result != ETIMEDOUT)
		result = pthread_cond_timedwait(&readers->returned, &readers->lock, &until);
	if (readers->n_idle > 0)
		*conn_out = readers->idle[--readers->n_idle];
	pthread_mutex_unlock(&readers->lock);
	if (*conn_out != NULL)
		return STATUS_OK;
	return err_set(err, STATUS_STATE_BUSY,
		       "state: all %zu read connections were busy for %" PRId64 " ms, try again",
		       readers->n_conns, readers->wait_ms);
}

void readers_give(struct readers *readers, struct conn *conn)
{
	pthread_mutex_lock(&readers->lock);
	readers->idle[readers->n_idle++] = conn;
	pthread_cond_signal(&readers->returned);
	pthread_mutex_unlock(&readers->lock);
}

void readers_close(struct readers *readers)
{
	for (size_t i = 0; i < readers->n_conns; i++)
		conn_close(&readers->conns[i]);
	pthread_cond_destroy(&readers->returned);
	pthread_mutex_destroy(&readers->lock);
	mem_free(readers->idle);
	mem_free(readers->conns);
}
