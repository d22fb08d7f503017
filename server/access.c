/* SPDX-License-Identifier: Apache-2.0 */
#include "server/access.h"

#include <assert.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "core/base/mem.h"
#include "server/credential.h"
#include "server/key_set.h"
#include "server/token_bucket.h"

#define NS_PER_S 1e9

struct access {
	const char *path; /* NULL: no key file */
	double requests_per_second;
	struct token_rate rate;
	bool has_own;
	struct api_key own;    /* the key of the environment */
	pthread_rwlock_t lock; /* guards what follows; the buckets are atomic */
	struct key_set set;
	struct token_bucket *buckets; /* [set.n_keys] */
};

/* What a route asks of a caller. */
static const struct {
	bool open;	  /* nothing at all */
	enum scope scope; /* 0: a key that is known */
} needs[N_ROUTES] = {
    [ROUTE_SCORE] = {.scope = SCOPE_SCORE},
    [ROUTE_FEEDBACK] = {.scope = SCOPE_FEEDBACK},
    [ROUTE_USERS] = {.scope = SCOPE_ADMIN},
    [ROUTE_USER] = {.scope = SCOPE_ADMIN},
    [ROUTE_USER_EXPORT] = {.scope = SCOPE_ADMIN},
    [ROUTE_USER_IMPORT] = {.scope = SCOPE_ADMIN},
    [ROUTE_USER_RESET] = {.scope = SCOPE_ADMIN},
    [ROUTE_GET_REWARD] = {.scope = SCOPE_SCORE},
    [ROUTE_CLASSIFY] = {.scope = SCOPE_SCORE},
    [ROUTE_SCORE_EVALUATION] = {.scope = SCOPE_SCORE},
    [ROUTE_RERANK] = {.scope = SCOPE_SCORE},
    [ROUTE_LIVEZ] = {.open = true},
    [ROUTE_READYZ] = {.open = true},
    [ROUTE_HEALTH] = {.open = true},
};

static enum status read_own_key(struct access *access, const char *text, struct err *err)
{
	size_t len = strlen(text);

	if (len < API_KEY_MIN || len > API_KEY_MAX)
		return err_set(err, STATUS_USAGE,
			       "MICROD_API_KEY has %zu bytes, want %d to %d: a key that microd key "
			       "new made",
			       len, API_KEY_MIN, API_KEY_MAX);
	for (const char *c = text; *c != '\0'; c++) {
		if (*c <= ' ' || *c > '~')
			return err_set(err, STATUS_USAGE,
				       "MICROD_API_KEY: want visible ASCII characters only");
	}
	access->has_own = true;
	access->own = (struct api_key){.name = "environment", .scopes = SCOPE_ALL};
	api_key_hash(text, len, access->own.hash);
	return STATUS_OK;
}

/* What both outputs hold is the caller's, who frees it also after an error. */
static enum status load(const struct access *access, struct key_set *set_out,
			struct token_bucket **buckets_out, struct err *err)
{
	enum status status = STATUS_OK;

	*set_out = (struct key_set){0};
	*buckets_out = NULL;
	if (access->path != NULL)
		status = key_set_load(access->path, set_out, err);
	if (status == STATUS_OK && access->has_own)
		status = key_set_add(set_out, &access->own, err);
	if (status != STATUS_OK)
		return status;
	*buckets_out = mem_array(set_out->n_keys, sizeof(**buckets_out));
	return *buckets_out == NULL ? err_no_memory(err, "the keys") : STATUS_OK;
}

static void discard(struct key_set *set, struct token_bucket *buckets)
{
	key_set_free(set);
	mem_free(buckets);
}

enum status access_open(const struct access_options *options, struct access **access_out,
			struct err *err)
{
	struct access *access = mem_array(1, sizeof(*access));
	enum status status = STATUS_OK;

	*access_out = NULL;
	if (access == NULL)
		return err_no_memory(err, "the keys");
	access->path = options->path;
	access->requests_per_second = options->rate;
	access->rate = token_rate_of(options->rate, options->burst);
	if (options->key != NULL)
		status = read_own_key(access, options->key, err);
	if (status == STATUS_OK)
		status = load(access, &access->set, &access->buckets, err);
	if (status != STATUS_OK) {
		discard(&access->set, access->buckets);
		mem_free(access);
		return status;
	}
	pthread_rwlock_init(&access->lock, NULL);
	*access_out = access;
	return STATUS_OK;
}

enum status access_reload(struct access *access, struct err *err)
{
	struct key_set set, old_set;
	struct token_bucket *buckets, *old_buckets;
	enum status status = load(access, &set, &buckets, err);

	if (status != STATUS_OK) {
		discard(&set, buckets);
		return status;
	}
	pthread_rwlock_wrlock(&access->lock);
	old_set = access->set;
	old_buckets = access->buckets;
	access->set = set;
	access->buckets = buckets;
	pthread_rwlock_unlock(&access->lock);
	discard(&old_set, old_buckets);
	return STATUS_OK;
}

/* With the lock held for reading. */
static enum status take(struct access *access, size_t index, int64_t now_ns,
			struct access_caller *caller, struct err *err)
{
	int64_t wait_ns;
	double seconds;

	if (access->rate.interval_ns == 0 ||
	    token_take(&access->buckets[index], &access->rate, now_ns, &wait_ns))
		return STATUS_OK;
	seconds = ceil((double)wait_ns / NS_PER_S);
	err_set(err, STATUS_RATE_LIMITED,
		"key %s is past its limit of %g requests a second: try again in %.0f s",
		caller->name, access->requests_per_second, seconds);
	err_retry_after(err, seconds);
	return STATUS_RATE_LIMITED;
}

static enum status check_scope(const struct route_match *match, const struct api_key *key,
			       struct err *err)
{
	enum scope scope = needs[match->route].scope;

	if ((key->scopes & scope) == scope)
		return STATUS_OK;
	return err_set(err, STATUS_FORBIDDEN, "%s needs the scope %s, key %s has %s",
		       route_pattern(match->route), scopes_text(scope), key->name,
		       scopes_text(key->scopes));
}

/* With the lock held for reading. */
static enum status check_key(struct access *access, const struct route_match *match,
			     const struct credential *credential, int64_t now_ns,
			     struct access_caller *caller, struct err *err)
{
	size_t index = key_set_find(&access->set, credential->key, credential->len);
	const struct api_key *key = &access->set.keys[index];
	enum status status;

	if (index == access->set.n_keys)
		return err_set(err, STATUS_UNAUTHORIZED, "this API key is not known");
	strcpy(caller->name, key->name);
	/* before the scope: a client that asks for what it must not have is limited too */
	status = take(access, index, now_ns, caller, err);
	return status == STATUS_OK ? check_scope(match, key, err) : status;
}

enum status access_check(struct access *access, const struct route_match *match,
			 const char *authorization, int64_t now_ns,
			 struct access_caller *caller_out, struct err *err)
{
	struct credential credential;
	enum status status;

	*caller_out = (struct access_caller){0};
	if (needs[match->route].open)
		return STATUS_OK;
	if (authorization == NULL || !credential_read(authorization, &credential))
		return err_set(err, STATUS_UNAUTHORIZED,
			       "want an API key: Authorization: Bearer KEY, or Basic with any user "
			       "name and the key as password");
	pthread_rwlock_rdlock(&access->lock);
	status = check_key(access, match, &credential, now_ns, caller_out, err);
	pthread_rwlock_unlock(&access->lock);
	credential_forget(&credential);
	return status;
}

void access_describe(struct access *access, char *text_out, size_t size)
{
	size_t len = 0;

	assert(size > 0);
	pthread_rwlock_rdlock(&access->lock);
	len = (size_t)snprintf(text_out, size, "%zu keys:", access->set.n_keys);
	for (size_t i = 0; i < access->set.n_keys && len < size; i++) {
		const struct api_key *key = &access->set.keys[i];

		len += (size_t)snprintf(text_out + len, size - len, "%s %s (%s)", i == 0 ? "" : ",",
					key->name, scopes_text(key->scopes));
	}
	pthread_rwlock_unlock(&access->lock);
}

size_t access_n_keys(struct access *access)
{
	size_t n;

	if (access == NULL)
		return 0;
	pthread_rwlock_rdlock(&access->lock);
	n = access->set.n_keys;
	pthread_rwlock_unlock(&access->lock);
	return n;
}

void access_close(struct access *access)
{
	if (access == NULL)
		return;
	discard(&access->set, access->buckets);
	pthread_rwlock_destroy(&access->lock);
	mem_free(access);
}
