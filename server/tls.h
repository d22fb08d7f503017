/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tls.h - the certificate and private key that the daemon shows, and their replacement
 * while connections are open: each handshake takes copies of those that are current.
 */
#ifndef MICRO_SERVER_TLS_H
#define MICRO_SERVER_TLS_H

#include <stddef.h>
#include <stdint.h>

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>

#include "core/base/err.h"

/* TLS 1.2 and 1.3, GnuTLS's own choice within them. */
#define TLS_PRIORITIES "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"

struct tls; /* opaque; any thread may use it */

/**
 * tls_open(cert_path, key_path, tls_out, err): PEM files; the server's certificate comes
 * first, then those that lead to its issuer. tls_close() releases; the paths outlive it.
 * STATUS_IO: a file cannot be read; STATUS_BAD_FILE: no certificate or key, not of each
 * other, or expired.
 */
enum status tls_open(const char *cert_path, const char *key_path, struct tls **tls_out,
		     struct err *err);

/** tls_reload(tls, err): read both files again. On error the old ones stay. */
enum status tls_reload(struct tls *tls, struct err *err);

/** tls_expiry(tls): when the current certificate ends, seconds since 1970. */
int64_t tls_expiry(struct tls *tls);

/** tls_retrieve: what GnuTLS asks in each handshake. It passes nothing of ours along, so it
 * answers for the struct tls that tls_serve() named. */
gnutls_certificate_retrieve_function3 tls_retrieve;

/** tls_serve(tls): once, before connections come; one per process. */
void tls_serve(struct tls *tls);

/** tls_close(tls): no connection is open; NULL does nothing. */
void tls_close(struct tls *tls);

#endif
