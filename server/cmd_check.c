/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd_check.c - microd check: what microd would do with these options. It looks at every
 * part, also after one is wrong, and changes nothing.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "core/math/linalg.h"
#include "server/access.h"
#include "server/clock.h"
#include "server/command.h"
#include "server/config.h"
#include "server/listener.h"
#include "server/live_model.h"
#include "server/receipt_key.h"
#include "server/store_sqlite_offline.h"
#include "server/tls.h"

#define LINE_MAX_LEN 2048

static void say(const char *part, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void say(const char *part, const char *format, ...)
{
	va_list args;

	printf("%-9s", part);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
}

static bool refuse(const char *part, const struct err *err)
{
	say(part, "WRONG: %s", err->msg);
	return false;
}

static bool check_model(const struct config *config)
{
	struct encoder_options encoder;
	struct live_model *live;
	struct served_model *served;
	struct err err;

	config_encoder(config, &encoder);
	if (live_model_open_at(config->model, &encoder, &live, &err) != STATUS_OK)
		return refuse("model", &err);
	served = live_model_acquire(live);
	say("model", "%s: %zu heads, %s router, encoder %s, id %s", config->model,
	    served->model.heads.n_heads, router_kind_name(served->model.router.kind),
	    served->model.encoder_spec, served->model.id);
	live_model_release(live, served);
	live_model_close(live);
	return true;
}

/* Beside the database are two more files while it is open. */
static bool check_folder(const char *path, struct err *err)
{
	char folder[PATH_MAX];
	const char *slash = strrchr(path, '/');
	int len = slash == NULL ? 0 : slash == path ? 1 : (int)(slash - path);

	snprintf(folder, sizeof(folder), "%.*s", len, path);
	if (len == 0)
		strcpy(folder, ".");
	if (access(folder, W_OK | X_OK) == 0)
		return true;
	err_errno(err, STATUS_IO, "want a folder that this user may write");
	err_wrap(err, "folder %s of the state", folder);
	return false;
}

static bool check_state(const struct config *config)
{
	struct store_facts facts;
	struct err err;

	if (!check_folder(config->state, &err))
		return refuse("state", &err);
	if (access(config->state, F_OK) != 0) {
		say("state", "%s: not there, it would be made", config->state);
		return true;
	}
	if (access(config->state, R_OK | W_OK) != 0) {
		err_errno(&err, STATUS_IO, config->state);
		return refuse("state", &err);
	}
	if (store_sqlite_inspect(config->state, &facts, &err) != STATUS_OK)
		return refuse("state", &err);
	say("state", "%s: undamaged, %" PRId64 " users, %" PRId64 " feedbacks", config->state,
	    facts.n_users, facts.n_events);
	return true;
}

static bool check_receipt_key(const struct config *config)
{
	struct receipt_key key;
	char path[PATH_MAX];
	enum status status;
	struct err err;

	if (config->receipt_key != NULL) {
		status = receipt_key_parse(config->receipt_key, &key, &err);
		sodium_memzero(&key, sizeof(key));
		if (status == STATUS_OK) {
			say("receipts", "signed with the key in MICROD_RECEIPT_KEY");
			return true;
		}
		err_wrap(&err, "MICROD_RECEIPT_KEY");
		return refuse("receipts", &err);
	}
	status = config_receipt_key_path(config, path, &err);
	if (status == STATUS_OK)
		status = receipt_key_check(path, &err);
	if (status == STATUS_NOT_FOUND)
		say("receipts", "%s: not there, it would be made", path);
	else if (status == STATUS_OK)
		say("receipts", "signed with the key in %s", path);
	else
		return refuse("receipts", &err);
	return true;
}

static bool check_keys(const struct config *config)
{
	const struct access_options options = {
	    .path = config->api_keys,
	    .key = config->api_key,
	    .rate = config->rate_limit,
	    .burst = config->rate_burst,
	};
	struct access *keys;
	char text[LINE_MAX_LEN];
	struct err err;

	if (!config_has_keys(config)) {
		say("keys", "none: everyone who reaches the port may do everything");
		return true;
	}
	if (access_open(&options, &keys, &err) != STATUS_OK)
		return refuse("keys", &err);
	access_describe(keys, text, sizeof(text));
	say("keys", "%s", text);
	access_close(keys);
	return true;
}

static bool check_tls(const struct config *config)
{
	char expiry[CLOCK_TEXT_LEN + 1];
	struct tls *tls;
	struct err err;

	if (config->tls_cert == NULL)
		return true;
	if (tls_open(config->tls_cert, config->tls_key, &tls, &err) != STATUS_OK)
		return refuse("tls", &err);
	clock_text(tls_expiry(tls) * 1000000, expiry);
	say("tls", "%s: valid until %s", config->tls_cert, expiry);
	tls_close(tls);
	return true;
}

static bool check_address(const struct config *config)
{
	bool is_v6 = strchr(config->listen, ':') != NULL;
	struct err err;

	if (listener_check(config->listen, &err) != STATUS_OK)
		return refuse("listen", &err);
	say("listen", "%s://%s%s%s:%" PRId64, config->tls_cert == NULL ? "http" : "https",
	    is_v6 ? "[" : "", config->listen, is_v6 ? "]" : "", config->port);
	return true;
}

const struct help check_help = {
    .usage = "microd check --model FILE [options]",
    .about = "Takes the options of microd, looks at the model, the database, the keys and the\n"
	     "certificate, and says what it would do. It changes nothing and may run beside\n"
	     "microd, before a restart or a SIGHUP. Exit status: 0 all is well, 1 something is\n"
	     "WRONG, 2 wrong options.",
    .groups = {&config_options},
};

int check_run(int argc, char **argv)
{
	struct config config;
	enum config_action action;
	struct err err;
	bool good;

	if (config_parse(argc, argv, &config, &action, &err) != STATUS_OK)
		return command_fault(&err);
	if (action != CONFIG_RUN)
		return command_help(&check_help);
	linalg_set_threads(1);
	good = check_model(&config);
	good &= check_state(&config);
	good &= check_receipt_key(&config);
	good &= check_keys(&config);
	good &= check_tls(&config);
	good &= check_address(&config);
	int status = command_end();
	return good ? status : EXIT_STATUS_FAILED;
}
