/* SPDX-License-Identifier: Apache-2.0 */
/* config.h - the options of microd; one table makes parsing, checks and --help. */
#ifndef MICRO_SERVER_CONFIG_H
#define MICRO_SERVER_CONFIG_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/base/err.h"
#include "core/base/help.h"
#include "core/encode/encoder.h"

/* Strings point into argv, the environment or static memory. */
struct config {
	const char *model;
	const char *state;
	const char *listen;
	const char *port_file; /* NULL: none */
	int64_t port;
	int64_t threads;
	int64_t max_body; /* bytes */
	int64_t max_items;
	int64_t max_responses;
	int64_t max_connections;
	int64_t max_pending;	   /* bytes */
	int64_t connection_memory; /* bytes */
	int64_t idle_timeout;	   /* seconds */
	int64_t request_timeout;   /* seconds */
	double tau;
	double drift;
	double max_strength;
	int64_t queue;
	int64_t max_batch;
	int64_t state_cache;   /* bytes */
	int64_t busy_timeout;  /* milliseconds */
	double retention_days; /* 0: users stay */
	double grace;	       /* seconds */
	const char *api_keys;  /* NULL: none */
	const char *api_key;   /* the key itself; from the environment only; NULL: none */
	bool allow_anonymous;
	double rate_limit;    /* requests a second for each key; 0: no limit */
	double rate_burst;    /* requests */
	const char *tls_cert; /* NULL: plain HTTP */
	const char *tls_key;
	const char *encoder_url; /* NULL: none */
	const char *encoder_key; /* the key itself; from the environment only; NULL: none */
	double encoder_timeout;	 /* seconds */
	int64_t encoder_connections;
	int64_t encoder_batch;	      /* texts */
	int64_t encoder_queue;	      /* requests */
	int64_t encoder_cache;	      /* bytes */
	const char *receipt_key_file; /* NULL: beside the state */
	const char *receipt_key;      /* from the environment only; NULL: none */
	double receipt_age;	      /* seconds */
	bool keep_inputs;
	bool no_state_check;
	int log_level; /* enum log_level */
	bool access_log;
};

enum config_action { CONFIG_RUN, CONFIG_HELP, CONFIG_VERSION };

/**
 * config_parse(argc, argv, config_out, action_out, err): command line, then
 * environment, then defaults. --help and --version come before any fault.
 * STATUS_USAGE says what is wrong and what would be right.
 */
enum status config_parse(int argc, char **argv, struct config *config_out,
			 enum config_action *action_out, struct err *err);

/** config_encoder(config, options_out): how microd asks an encoder behind HTTP. */
void config_encoder(const struct config *config, struct encoder_options *options_out);

/** config_has_keys(config): whether callers must show a key. */
bool config_has_keys(const struct config *config);

/* The table of options, for --help. */
extern const struct help_group config_options;

/** config_receipt_key_path(config, path_out, err): where the key of receipts is. STATUS_USAGE if
 * the path would be too long. */
enum status config_receipt_key_path(const struct config *config, char path_out[PATH_MAX],
				    struct err *err);

#endif
