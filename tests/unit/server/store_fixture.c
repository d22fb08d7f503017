/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/server/store_fixture.h"

#include <check.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void store_folder_make(struct store_folder *folder)
{
	const char *parent = getenv("TMPDIR");

	snprintf(folder->path, sizeof(folder->path), "%s/store-XXXXXX",
		 parent == NULL || strlen(parent) > 40 ? "/tmp" : parent);
	ck_assert_ptr_nonnull(mkdtemp(folder->path));
	snprintf(folder->file, sizeof(folder->file), "%s/micro.db", folder->path);
}

void store_folder_remove(const struct store_folder *folder)
{
	DIR *entries = opendir(folder->path);
	struct dirent *entry;

	ck_assert_ptr_nonnull(entries);
	while ((entry = readdir(entries)) != NULL)
		unlinkat(dirfd(entries), entry->d_name, 0);
	closedir(entries);
	rmdir(folder->path);
}

static struct store *open_with(const struct store_folder *folder, size_t cache_bytes)
{
	const struct store_sqlite_options options = {.path = folder->file,
						     .busy_timeout_ms = 50,
						     .n_readers = 2,
						     .cache_bytes = cache_bytes,
						     .check = true};
	struct store *store;
	struct err err = {0};

	ck_assert_msg(store_sqlite_open(&options, &store, &err) == STATUS_OK, "%s", err.msg);
	return store;
}

struct store *store_folder_open(const struct store_folder *folder)
{
	return open_with(folder, STORE_CACHE);
}

struct store *store_folder_open_small(const struct store_folder *folder)
{
	return open_with(folder, STORE_SMALL_CACHE);
}

static sqlite3 *connect_to(const struct store_folder *folder)
{
	sqlite3 *db;

	ck_assert_int_eq(sqlite3_open(folder->file, &db), SQLITE_OK);
	sqlite3_busy_timeout(db, 5000);
	return db;
}

void store_folder_sql(const struct store_folder *folder, const char *sql)
{
	sqlite3 *db = connect_to(folder);
	int result = sqlite3_exec(db, sql, NULL, NULL, NULL);

	ck_assert_msg(result == SQLITE_OK, "%s: %s", sql, sqlite3_errmsg(db));
	sqlite3_close(db);
}

int64_t store_folder_int(const struct store_folder *folder, const char *sql)
{
	sqlite3 *db = connect_to(folder);
	sqlite3_stmt *stmt;
	int64_t value;

	ck_assert_msg(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) == SQLITE_OK, "%s: %s", sql,
		      sqlite3_errmsg(db));
	ck_assert_msg(sqlite3_step(stmt) == SQLITE_ROW, "%s: %s", sql, sqlite3_errmsg(db));
	value = sqlite3_column_int64(stmt, 0);
	sqlite3_finalize(stmt);
	sqlite3_close(db);
	return value;
}

void store_step_resize(struct store_step *step, const char *model_id, size_t n_heads)
{
	unsigned seed = step->op.feedback.digest[0];

	step->op.feedback.model_id = model_id;
	step->op.feedback.n_heads = n_heads;
	for (size_t k = 0; k < n_heads; k++) {
		step->loss[k] = (double)((seed * 7 + k * 5) % 11) / 7;
		step->logits[k] = (float)((seed + k * 3) % 5) / 3;
	}
}

void store_step_set(struct store_step *step, const char *user, const char *context,
		    const char *event_id, unsigned seed)
{
	*step = (struct store_step){
	    .op = {.kind = STORE_FEEDBACK,
		   .feedback = {.user = step->user,
				.context = step->context,
				.event_id = step->event_id,
				.time_us = STORE_TIME_US + seed,
				.loss = step->loss,
				.temperature = 1,
				.strength = 1,
				.logits = step->logits,
				.weights_out = step->weights}},
	};
	snprintf(step->user, sizeof(step->user), "%s", user);
	snprintf(step->context, sizeof(step->context), "%s", context);
	snprintf(step->event_id, sizeof(step->event_id), "%s", event_id);
	memset(step->op.feedback.digest, (int)(seed % 256), STORE_DIGEST_LEN);
	store_step_resize(step, "model", STORE_HEADS);
}

enum status store_apply_one(struct store *store, struct store_op *op)
{
	struct err err = {0};

	ck_assert_msg(store_apply(store, &op, 1, &err) == STATUS_OK, "%s", err.msg);
	return op->err.code;
}

void store_apply_steps(struct store *store, struct store_step *steps, size_t n)
{
	struct store_op *ops[STORE_MAX_STEPS];
	struct err err = {0};

	ck_assert_uint_le(n, STORE_MAX_STEPS);
	for (size_t i = 0; i < n; i++)
		ops[i] = &steps[i].op;
	ck_assert_msg(store_apply(store, ops, n, &err) == STATUS_OK, "%s", err.msg);
}

uint64_t store_give(struct store *store, const char *user, const char *context,
		    const char *event_id, unsigned seed)
{
	struct store_step step;
	enum status status;

	store_step_set(&step, user, context, event_id, seed);
	status = store_apply_one(store, &step.op);
	ck_assert_msg(status == STATUS_OK, "%s", step.op.err.msg);
	ck_assert(!step.op.feedback.duplicate_out);
	return step.op.feedback.updates_out;
}

uint64_t store_delete(struct store *store, const char *user)
{
	struct store_op op = {.kind = STORE_DELETE_USER, .delete_user = {.user = user}};

	ck_assert_int_eq(store_apply_one(store, &op), STATUS_OK);
	return op.delete_user.events_out;
}
