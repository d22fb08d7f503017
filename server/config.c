/* SPDX-License-Identifier: Apache-2.0 */
#include "server/config.h"

#include <limits.h>
#include <stdlib.h>

#include "core/base/options.h"
#include "server/listener.h"
#include "server/log.h"

#define AT(field)	   offsetof(struct config, field)
#define MiB		   (1024.0 * 1024)
#define RECEIPT_KEY_SUFFIX ".receipt-key"
#define MAX_URL		   2048
#define N_OPTIONS	   (sizeof(options) / sizeof(options[0]))

static const struct option_spec options[] = {
    {.name = "model",
     .env = "MICROD_MODEL",
     .type = OPTION_STRING,
     .min = 1,
     .max = PATH_MAX,
     .required = true,
     .value_name = "FILE",
     .help = "Model file to serve; SIGHUP reads it again.",
     .offset = AT(model)},
    {.name = "state",
     .env = "MICROD_STATE",
     .type = OPTION_STRING,
     .min = 1,
     .max = PATH_MAX,
     .default_text = "micro.db",
     .value_name = "FILE",
     .help = "SQLite database of the users' states; made if it is not there.",
     .offset = AT(state)},
    {.name = "listen",
     .env = "MICROD_LISTEN",
     .type = OPTION_STRING,
     .min = 1,
     .max = 64,
     .default_text = "127.0.0.1",
     .value_name = "ADDRESS",
     .help = "IPv4 or IPv6 address to listen on; 0.0.0.0 or :: is every one.",
     .offset = AT(listen)},
    {.name = "port",
     .env = "MICROD_PORT",
     .type = OPTION_INT,
     .min = 0,
     .max = 65535,
     .default_text = "8080",
     .value_name = "PORT",
     .help = "TCP port; 0 takes any free one.",
     .offset = AT(port)},
    {.name = "port-file",
     .env = "MICROD_PORT_FILE",
     .type = OPTION_STRING,
     .min = 1,
     .max = PATH_MAX,
     .value_name = "FILE",
     .help = "Write the port to this file once listening.",
     .offset = AT(port_file)},
    {.name = "threads",
     .env = "MICROD_THREADS",
     .type = OPTION_INT,
     .min = 1,
     .max = 256,
     .default_text = "2",
     .value_name = "N",
     .help = "Threads that answer requests.",
     .offset = AT(threads)},
    {.name = "max-body",
     .env = "MICROD_MAX_BODY",
     .type = OPTION_SIZE,
     .min = 1024,
     .max = 1024 * MiB,
     .default_text = "64M",
     .value_name = "SIZE",
     .help = "Longest request body; reading one may take 10 times its size in memory.",
     .offset = AT(max_body)},
    {.name = "max-items",
     .env = "MICROD_MAX_ITEMS",
     .type = OPTION_INT,
     .min = 1,
     .max = 1000000,
     .default_text = "4096",
     .value_name = "N",
     .help = "Most items in one request.",
     .offset = AT(max_items)},
    {.name = "max-responses",
     .env = "MICROD_MAX_RESPONSES",
     .type = OPTION_INT,
     .min = 2,
     .max = 1000000,
     .default_text = "1024",
     .value_name = "N",
     .help = "Most responses in one item.",
     .offset = AT(max_responses)},
    {.name = "max-connections",
     .env = "MICROD_MAX_CONNECTIONS",
     .type = OPTION_INT,
     .min = 1,
     .max = 1000000,
     .default_text = "1024",
     .value_name = "N",
     .help = "Most open connections; those without a request give way to new ones, "
	     "more are refused with 503.",
     .offset = AT(max_connections)},
    {.name = "max-pending",
     .env = "MICROD_MAX_PENDING",
     .type = OPTION_SIZE,
     .min = 1024,
     .max = 1024 * 1024 * MiB,
     .default_text = "64M",
     .value_name = "SIZE",
     .help = "Most bytes of request bodies at once, but for one alone; more wait, and are "
	     "refused with 503 after a second.",
     .offset = AT(max_pending)},
    {.name = "connection-memory",
     .env = "MICROD_CONNECTION_MEMORY",
     .type = OPTION_SIZE,
     .min = 4096,
     .max = 16 * MiB,
     .default_text = "16K",
     .value_name = "SIZE",
     .help = "Memory for the headers of one connection.",
     .offset = AT(connection_memory)},
    {.name = "idle-timeout",
     .env = "MICROD_IDLE_TIMEOUT",
     .type = OPTION_INT,
     .min = 1,
     .max = 86400,
     .default_text = "60",
     .value_name = "SECONDS",
     .help = "Close a connection after this long without a byte.",
     .offset = AT(idle_timeout)},
    {.name = "request-timeout",
     .env = "MICROD_REQUEST_TIMEOUT",
     .type = OPTION_INT,
     .min = 1,
     .max = 86400,
     .default_text = "60",
     .value_name = "SECONDS",
     .help = "Close a connection whose client takes longer to send a request, or to read "
	     "its answer.",
     .offset = AT(request_timeout)},
    {.name = "tau",
     .env = "MICROD_TAU",
     .type = OPTION_REAL,
     .min = 1e-6,
     .max = 1e6,
     .default_text = "1",
     .value_name = "T",
     .help = "Temperature of a feedback's step; 1 is Bayes' rule, less learns faster.",
     .offset = AT(tau)},
    {.name = "drift",
     .env = "MICROD_DRIFT",
     .type = OPTION_REAL,
     .min = 0,
     .max = 0.999,
     .default_text = "0",
     .value_name = "D",
     .help = "Share of the weights that returns to uniform after each feedback, for "
	     "tastes that change.",
     .offset = AT(drift)},
    {.name = "max-strength",
     .env = "MICROD_MAX_STRENGTH",
     .type = OPTION_REAL,
     .min = 0,
     .max = 1e6,
     .default_text = "10",
     .value_name = "S",
     .help = "Greatest strength that a feedback may have.",
     .offset = AT(max_strength)},
    {.name = "queue",
     .env = "MICROD_QUEUE",
     .type = OPTION_INT,
     .min = 1,
     .max = 1000000,
     .default_text = "1024",
     .value_name = "N",
     .help = "Writes that may wait for the database; more are refused with 503.",
     .offset = AT(queue)},
    {.name = "max-batch",
     .env = "MICROD_MAX_BATCH",
     .type = OPTION_INT,
     .min = 1,
     .max = 100000,
     .default_text = "512",
     .value_name = "N",
     .help = "Most writes in one transaction.",
     .offset = AT(max_batch)},
    {.name = "state-cache",
     .env = "MICROD_STATE_CACHE",
     .type = OPTION_SIZE,
     .min = MiB,
     .max = 1024 * 1024 * MiB,
     .default_text = "64M",
     .value_name = "SIZE",
     .help = "Memory for users' states, about; those that are not in it are read from the "
	     "database.",
     .offset = AT(state_cache)},
    {.name = "busy-timeout",
     .env = "MICROD_BUSY_TIMEOUT",
     .type = OPTION_INT,
     .min = 0,
     .max = 600000,
     .default_text = "5000",
     .value_name = "MS",
     .help = "How long to wait for a database that another process has locked.",
     .offset = AT(busy_timeout)},
    {.name = "retention-days",
     .env = "MICROD_RETENTION_DAYS",
     .type = OPTION_REAL,
     .min = 0,
     .max = 36500,
     .default_text = "0",
     .value_name = "DAYS",
     .help = "Delete users whose last feedback is older, with everything; 0 is never.",
     .offset = AT(retention_days)},
    {.name = "grace",
     .env = "MICROD_GRACE",
     .type = OPTION_REAL,
     .min = 0,
     .max = 3600,
     .default_text = "10",
     .value_name = "SECONDS",
     .help = "How long requests in flight may take after SIGTERM.",
     .offset = AT(grace)},
    {.name = "api-keys",
     .env = "MICROD_API_KEYS",
     .type = OPTION_STRING,
     .min = 1,
     .max = PATH_MAX,
     .value_name = "FILE",
     .help = "Keys of clients, lines of microd key new; SIGHUP reads it again. Every route "
	     "but /livez, /readyz and /health needs a key then. A single key may be in "
	     "MICROD_API_KEY instead, in the environment only.",
     .offset = AT(api_keys)},
    {.name = "allow-anonymous",
     .env = "MICROD_ALLOW_ANONYMOUS",
     .type = OPTION_FLAG,
     .help = "Listen on more than loopback without keys: whoever reaches the port may "
	     "read and delete users.",
     .offset = AT(allow_anonymous)},
    {.name = "rate-limit",
     .env = "MICROD_RATE_LIMIT",
     .type = OPTION_REAL,
     .min = 0,
     .max = 1e6,
     .default_text = "0",
     .value_name = "R",
     .help = "Requests a second for each key, 0 is no limit; more are refused with 503.",
     .offset = AT(rate_limit)},
    {.name = "rate-burst",
     .env = "MICROD_RATE_BURST",
     .type = OPTION_REAL,
     .min = 1,
     .max = 1e6,
     .default_text = "100",
     .value_name = "N",
     .help = "Requests of a key that may come at once, within --rate-limit.",
     .offset = AT(rate_burst)},
    {.name = "tls-cert",
     .env = "MICROD_TLS_CERT",
     .type = OPTION_STRING,
     .min = 1,
     .max = PATH_MAX,
     .value_name = "FILE",
     .help = "Serve HTTPS with this certificate, in PEM, followed by those that lead to "
	     "its issuer; SIGHUP reads it again.",
     .offset = AT(tls_cert)},
    {.name = "tls-key",
     .env = "MICROD_TLS_KEY",
     .type = OPTION_STRING,
     .min = 1,
     .max = PATH_MAX,
     .value_name = "FILE",
     .help = "Its private key, in PEM.",
     .offset = AT(tls_key)},
    {.name = "encoder-url",
     .env = "MICROD_ENCODER_URL",
     .type = OPTION_STRING,
     .min = 1,
     .max = MAX_URL,
     .value_name = "URL",
     .help = "Route of the server that a model of openai:D or tei:D encodes with, such as "
	     "http://127.0.0.1:8000/v1/embeddings. Its key, if it wants one, is in "
	     "MICROD_ENCODER_KEY, in the environment only.",
     .offset = AT(encoder_url)},
    {.name = "encoder-timeout",
     .env = "MICROD_ENCODER_TIMEOUT",
     .type = OPTION_REAL,
     .min = 0.05,
     .max = 3600,
     .default_text = "30",
     .value_name = "SECONDS",
     .help = "How long a call to the encoder may take, with its repetitions.",
     .offset = AT(encoder_timeout)},
    {.name = "encoder-connections",
     .env = "MICROD_ENCODER_CONNECTIONS",
     .type = OPTION_INT,
     .min = 1,
     .max = 1024,
     .default_text = "8",
     .value_name = "N",
     .help = "Calls to the encoder at once, at most.",
     .offset = AT(encoder_connections)},
    {.name = "encoder-batch",
     .env = "MICROD_ENCODER_BATCH",
     .type = OPTION_INT,
     .min = 1,
     .max = 65536,
     .default_text = "256",
     .value_name = "N",
     .help = "Texts in one call, at most; a server that takes fewer gets fewer.",
     .offset = AT(encoder_batch)},
    {.name = "encoder-queue",
     .env = "MICROD_ENCODER_QUEUE",
     .type = OPTION_INT,
     .min = 1,
     .max = 1000000,
     .default_text = "256",
     .value_name = "N",
     .help = "Requests that may wait for one of these; more are refused with 503.",
     .offset = AT(encoder_queue)},
    {.name = "encoder-cache",
     .env = "MICROD_ENCODER_CACHE",
     .type = OPTION_SIZE,
     .min = 0,
     .max = 1048576 * MiB,
     .default_text = "64M",
     .value_name = "SIZE",
     .help = "Memory for vectors of texts that the encoder has seen lately; 0 is none.",
     .offset = AT(encoder_cache)},
    {.name = "receipt-key-file",
     .env = "MICROD_RECEIPT_KEY_FILE",
     .type = OPTION_STRING,
     .min = 1,
     .max = PATH_MAX - 1,
     .value_name = "FILE",
     .help = "Secret that signs receipts, 64 hexadecimal digits; made if it is not there. Nodes "
	     "that share it take each other's receipts. Not given: the state's file with "
	     ".receipt-key after its name. It may be in MICROD_RECEIPT_KEY instead, in the "
	     "environment only.",
     .offset = AT(receipt_key_file)},
    {.name = "receipt-age",
     .env = "MICROD_RECEIPT_AGE",
     .type = OPTION_REAL,
     .min = 1,
     .max = 1e9,
     .default_text = "604800",
     .value_name = "SECONDS",
     .help = "Oldest receipt that a feedback may show.",
     .offset = AT(receipt_age)},
    {.name = "keep-inputs",
     .env = "MICROD_KEEP_INPUTS",
     .type = OPTION_FLAG,
     .help = "Keep the texts or vectors of each feedback in the database.",
     .offset = AT(keep_inputs)},
    {.name = "no-state-check",
     .env = "MICROD_NO_STATE_CHECK",
     .type = OPTION_FLAG,
     .help = "Do not check the whole database at start.",
     .offset = AT(no_state_check)},
    {.name = "log-level",
     .env = "MICROD_LOG_LEVEL",
     .type = OPTION_CHOICE,
     .choices = log_level_names,
     .default_text = "info",
     .value_name = "LEVEL",
     .help = "What is logged to stderr.",
     .offset = AT(log_level)},
    {.name = "access-log",
     .env = "MICROD_ACCESS_LOG",
     .type = OPTION_FLAG,
     .help = "Log every request, not only those that are refused.",
     .offset = AT(access_log)},
};

/* The numbers are those of one request's patience: who trains or embeds waits longer. */
#define ENCODER_CONNECT_TIMEOUT 2.0 /* seconds */
#define ENCODER_RETRIES		2

void config_encoder(const struct config *config, struct encoder_options *options_out)
{
	*options_out = (struct encoder_options){
	    .url = config->encoder_url,
	    .key = config->encoder_key,
	    .connect_timeout = ENCODER_CONNECT_TIMEOUT,
	    .timeout = config->encoder_timeout,
	    .n_retries = ENCODER_RETRIES,
	    .n_connections = (size_t)config->encoder_connections,
	    .max_batch = (size_t)config->encoder_batch,
	    .cache_bytes = (size_t)config->encoder_cache,
	};
}

bool config_has_keys(const struct config *config)
{
	return config->api_keys != NULL || config->api_key != NULL;
}

static enum status check_access(const struct config *config, struct err *err)
{
	if (config_has_keys(config))
		return STATUS_OK;
	if (config->rate_limit > 0)
		return err_set(err, STATUS_USAGE,
			       "--rate-limit is for each key: want --api-keys FILE too");
	if (config->allow_anonymous || !listener_is_exposed(config->listen))
		return STATUS_OK;
	return err_set(err, STATUS_USAGE,
		       "--listen %s lets other machines in: want --api-keys FILE (or a key in "
		       "MICROD_API_KEY), or --allow-anonymous to let everyone in",
		       config->listen);
}

static enum status check_encoder(const struct config *config, struct err *err)
{
	struct err fault;

	if (config->encoder_url == NULL ||
	    encoder_check_url(config->encoder_url, &fault) == STATUS_OK)
		return STATUS_OK;
	return err_set(err, STATUS_USAGE, "--encoder-url: %s", fault.msg);
}

static enum status check_together(const struct config *config, struct err *err)
{
	enum status status;

	/* libmicrohttpd divides the connections among its threads */
	if (config->max_connections < config->threads)
		return err_set(err, STATUS_USAGE,
			       "--max-connections %lld: want at least --threads %lld",
			       (long long)config->max_connections, (long long)config->threads);
	if ((config->tls_cert == NULL) != (config->tls_key == NULL))
		return err_set(err, STATUS_USAGE,
			       "%s FILE is missing: want --tls-cert and --tls-key, or neither",
			       config->tls_cert == NULL ? "--tls-cert" : "--tls-key");
	status = check_encoder(config, err);
	return status == STATUS_OK ? check_access(config, err) : status;
}

enum status config_receipt_key_path(const struct config *config, char path_out[PATH_MAX],
				    struct err *err)
{
	bool given = config->receipt_key_file != NULL;
	int len =
	    snprintf(path_out, PATH_MAX, "%s%s", given ? config->receipt_key_file : config->state,
		     given ? "" : RECEIPT_KEY_SUFFIX);

	if (len < PATH_MAX)
		return STATUS_OK;
	return err_set(err, STATUS_USAGE,
		       "the path of the state is too long for a receipt key "
		       "beside it: want --receipt-key-file FILE");
}

/* Not an option: the command line of a process is there for everyone to read. */
static const char *secret_of_environment(const char *name)
{
	const char *secret = getenv(name);

	return secret == NULL || secret[0] == '\0' ? NULL : secret;
}

enum status config_parse(int argc, char **argv, struct config *config_out,
			 enum config_action *action_out, struct err *err)
{
	enum status status;

	*config_out = (struct config){0};
	*action_out = CONFIG_HELP;
	if (options_ask_for(argc, argv, "--help"))
		return STATUS_OK;
	*action_out = CONFIG_VERSION;
	if (options_ask_for(argc, argv, "--version"))
		return STATUS_OK;
	*action_out = CONFIG_RUN;
	config_out->api_key = secret_of_environment("MICROD_API_KEY");
	config_out->receipt_key = secret_of_environment("MICROD_RECEIPT_KEY");
	config_out->encoder_key = secret_of_environment(ENCODER_KEY_VARIABLE);
	status = options_parse(options, N_OPTIONS, argc, argv, config_out, NULL, NULL, err);
	return status == STATUS_OK ? check_together(config_out, err) : status;
}

const struct help_group config_options = {.specs = options, .n_specs = N_OPTIONS};
