/* SPDX-License-Identifier: Apache-2.0 */
#include "server/tls.h"

#include <pthread.h>
#include <string.h>
#include <time.h>

#include <gnutls/x509.h>

#include "core/base/mem.h"

enum { MAX_CHAIN = 16 };

/* A certificate with those that lead to its issuer, and its private key. */
struct identity {
	gnutls_x509_crt_t *chain; /* [n_chain], GnuTLS's */
	unsigned n_chain;
	gnutls_x509_privkey_t key;
};

struct tls {
	const char *cert_path, *key_path;
	pthread_rwlock_t lock; /* guards identity */
	struct identity identity;
};

static struct tls *serving;

static void identity_free(struct identity *identity)
{
	for (unsigned i = 0; i < identity->n_chain; i++)
		gnutls_x509_crt_deinit(identity->chain[i]);
	gnutls_free(identity->chain);
	if (identity->key != NULL)
		gnutls_x509_privkey_deinit(identity->key);
	*identity = (struct identity){0};
}

/* GnuTLS's word for it; lack of memory is a fault of the moment, not of the file. */
static enum status tls_fault(int code, const char *path, const char *want, struct err *err)
{
	if (code == GNUTLS_E_MEMORY_ERROR)
		return err_no_memory(err, path);
	if (code == GNUTLS_E_FILE_ERROR)
		return err_errno(err, STATUS_IO, path);
	return err_set(err, STATUS_BAD_FILE, "%s: %s: want %s", path, gnutls_strerror(code), want);
}

static enum status read_chain(const char *path, struct identity *identity, struct err *err)
{
	static const char want[] = "certificates in PEM, the server's first";
	gnutls_datum_t pem;
	int code = gnutls_load_file(path, &pem);

	if (code != GNUTLS_E_SUCCESS)
		return tls_fault(code, path, want, err);
	code = gnutls_x509_crt_list_import2(&identity->chain, &identity->n_chain, &pem,
					    GNUTLS_X509_FMT_PEM,
					    GNUTLS_X509_CRT_LIST_FAIL_IF_UNSORTED);
	gnutls_free(pem.data);
	if (code < 0) {
		/* they are freed then, but the pointer is not cleared */
		identity->chain = NULL;
		identity->n_chain = 0;
		return tls_fault(code, path, want, err);
	}
	if (identity->n_chain > MAX_CHAIN)
		return err_set(err, STATUS_BAD_FILE, "%s: %u certificates, want at most %d", path,
			       identity->n_chain, MAX_CHAIN);
	return STATUS_OK;
}

static enum status read_key(const char *path, struct identity *identity, struct err *err)
{
	static const char want[] = "a private key in PEM without a password";
	gnutls_datum_t pem;
	int code = gnutls_load_file(path, &pem);

	if (code != GNUTLS_E_SUCCESS)
		return tls_fault(code, path, want, err);
	code = gnutls_x509_privkey_init(&identity->key);
	if (code == GNUTLS_E_SUCCESS)
		code =
		    gnutls_x509_privkey_import2(identity->key, &pem, GNUTLS_X509_FMT_PEM, NULL, 0);
	gnutls_memset(pem.data, 0, pem.size);
	gnutls_free(pem.data);
	return code == GNUTLS_E_SUCCESS ? STATUS_OK : tls_fault(code, path, want, err);
}

/* Whether they belong together shows in the names of their public keys. */
static enum status check_pair(const struct tls *tls, const struct identity *identity,
			      struct err *err)
{
	unsigned char of_cert[64], of_key[64];
	size_t n_cert = sizeof(of_cert), n_key = sizeof(of_key);

	if (gnutls_x509_crt_get_key_id(identity->chain[0], GNUTLS_KEYID_USE_SHA256, of_cert,
				       &n_cert) != GNUTLS_E_SUCCESS ||
	    gnutls_x509_privkey_get_key_id(identity->key, GNUTLS_KEYID_USE_SHA256, of_key,
					   &n_key) != GNUTLS_E_SUCCESS ||
	    n_cert != n_key || memcmp(of_cert, of_key, n_cert) != 0)
		return err_set(err, STATUS_BAD_FILE,
			       "%s is not the key of the first certificate in %s", tls->key_path,
			       tls->cert_path);
	if (gnutls_x509_crt_get_expiration_time(identity->chain[0]) <= time(NULL))
		return err_set(err, STATUS_BAD_FILE, "%s has expired, no client would accept it",
			       tls->cert_path);
	return STATUS_OK;
}

static enum status load(const struct tls *tls, struct identity *identity_out, struct err *err)
{
	enum status status;

	*identity_out = (struct identity){0};
	status = read_chain(tls->cert_path, identity_out, err);
	if (status == STATUS_OK)
		status = read_key(tls->key_path, identity_out, err);
	if (status == STATUS_OK)
		status = check_pair(tls, identity_out, err);
	if (status != STATUS_OK) {
		identity_free(identity_out);
		err_wrap(err, "TLS");
	}
	return status;
}

enum status tls_open(const char *cert_path, const char *key_path, struct tls **tls_out,
		     struct err *err)
{
	struct tls *tls = mem_array(1, sizeof(*tls));
	enum status status;

	*tls_out = NULL;
	if (tls == NULL)
		return err_no_memory(err, "TLS");
	tls->cert_path = cert_path;
	tls->key_path = key_path;
	status = load(tls, &tls->identity, err);
	if (status != STATUS_OK) {
		mem_free(tls);
		return status;
	}
	pthread_rwlock_init(&tls->lock, NULL);
	*tls_out = tls;
	return STATUS_OK;
}

enum status tls_reload(struct tls *tls, struct err *err)
{
	struct identity fresh, old;
	enum status status = load(tls, &fresh, err);

	if (status != STATUS_OK)
		return status;
	pthread_rwlock_wrlock(&tls->lock);
	old = tls->identity;
	tls->identity = fresh;
	pthread_rwlock_unlock(&tls->lock);
	identity_free(&old);
	return STATUS_OK;
}

int64_t tls_expiry(struct tls *tls)
{
	pthread_rwlock_rdlock(&tls->lock);
	int64_t expiry = gnutls_x509_crt_get_expiration_time(tls->identity.chain[0]);
	pthread_rwlock_unlock(&tls->lock);
	return expiry;
}

void tls_serve(struct tls *tls)
{
	serving = tls;
}

/* The chain as GnuTLS wants it in a handshake; it frees the array with gnutls_free(). */
static int copy_chain(const struct identity *identity, gnutls_pcert_st **chain_out)
{
	gnutls_pcert_st *chain = gnutls_calloc(identity->n_chain, sizeof(*chain));
	unsigned n = 0;
	int code = chain == NULL ? GNUTLS_E_MEMORY_ERROR : GNUTLS_E_SUCCESS;

	while (code == GNUTLS_E_SUCCESS && n < identity->n_chain) {
		code = gnutls_pcert_import_x509(&chain[n], identity->chain[n], 0);
		if (code == GNUTLS_E_SUCCESS)
			n++;
	}
	if (code != GNUTLS_E_SUCCESS) {
		while (n > 0)
			gnutls_pcert_deinit(&chain[--n]);
		gnutls_free(chain);
		return code;
	}
	*chain_out = chain;
	return code;
}

static int copy_key(const struct identity *identity, gnutls_privkey_t *key_out)
{
	gnutls_privkey_t key;
	int code = gnutls_privkey_init(&key);

	if (code != GNUTLS_E_SUCCESS)
		return code;
	code = gnutls_privkey_import_x509(key, identity->key, GNUTLS_PRIVKEY_IMPORT_COPY);
	if (code != GNUTLS_E_SUCCESS)
		gnutls_privkey_deinit(key);
	else
		*key_out = key;
	return code;
}

int tls_retrieve(gnutls_session_t session, const struct gnutls_cert_retr_st *info,
		 gnutls_pcert_st **certs, unsigned *n_certs, gnutls_ocsp_data_st **ocsp,
		 unsigned *n_ocsp, gnutls_privkey_t *key, unsigned *flags)
{
	int code;

	(void)session;
	(void)info;
	*ocsp = NULL;
	*n_ocsp = 0;
	pthread_rwlock_rdlock(&serving->lock);
	code = copy_key(&serving->identity, key);
	if (code == GNUTLS_E_SUCCESS) {
		code = copy_chain(&serving->identity, certs);
		if (code != GNUTLS_E_SUCCESS)
			gnutls_privkey_deinit(*key);
		*n_certs = serving->identity.n_chain;
	}
	pthread_rwlock_unlock(&serving->lock);
	/* the copies are the handshake's: a reload may free the originals during it */
	*flags = GNUTLS_CERT_RETR_DEINIT_ALL;
	return code == GNUTLS_E_SUCCESS ? 0 : -1;
}

void tls_close(struct tls *tls)
{
	if (tls == NULL)
		return;
	if (serving == tls)
		serving = NULL;
	identity_free(&tls->identity);
	pthread_rwlock_destroy(&tls->lock);
	mem_free(tls);
}
