/* SPDX-License-Identifier: Apache-2.0 */
/* test_tls.c - certificates made here and now, because those of a file would expire */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <gnutls/x509.h>

#include "server/tls.h"
#include "tests/unit/unit.h"

#define DAY 86400

static char cert_path[48], key_path[48];
static struct err err;

static void must(int code)
{
	ck_assert_msg(code == GNUTLS_E_SUCCESS, "%s", gnutls_strerror(code));
}

static void write_file(const char *path, const gnutls_datum_t *text)
{
	FILE *file = fopen(path, "wb");

	ck_assert_ptr_nonnull(file);
	ck_assert_uint_eq(fwrite(text->data, 1, text->size, file), text->size);
	ck_assert_int_eq(fclose(file), 0);
}

static void sign(gnutls_x509_crt_t cert, gnutls_x509_privkey_t key, time_t end)
{
	must(gnutls_x509_crt_set_version(cert, 3));
	must(gnutls_x509_crt_set_serial(cert, "\1", 1));
	must(gnutls_x509_crt_set_activation_time(cert, end - 2 * DAY));
	must(gnutls_x509_crt_set_expiration_time(cert, end));
	must(gnutls_x509_crt_set_dn(cert, "CN=localhost", NULL));
	must(gnutls_x509_crt_set_key(cert, key));
	must(gnutls_x509_crt_sign2(cert, cert, key, GNUTLS_DIG_SHA256, 0));
}

/* A self-signed certificate that ends then, and its key, into the two files; NULL: not. */
static void make(const char *cert_file, const char *key_file, time_t end)
{
	gnutls_x509_privkey_t key;
	gnutls_x509_crt_t cert;
	gnutls_datum_t text;

	must(gnutls_x509_privkey_init(&key));
	must(gnutls_x509_privkey_generate(key, GNUTLS_PK_ECDSA,
					  GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0));
	must(gnutls_x509_crt_init(&cert));
	sign(cert, key, end);
	must(gnutls_x509_crt_export2(cert, GNUTLS_X509_FMT_PEM, &text));
	if (cert_file != NULL)
		write_file(cert_file, &text);
	gnutls_free(text.data);
	must(gnutls_x509_privkey_export2(key, GNUTLS_X509_FMT_PEM, &text));
	if (key_file != NULL)
		write_file(key_file, &text);
	gnutls_free(text.data);
	gnutls_x509_crt_deinit(cert);
	gnutls_x509_privkey_deinit(key);
}

static void set_up(void)
{
	strcpy(cert_path, "/tmp/micro-cert-XXXXXX");
	close(mkstemp(cert_path));
	strcpy(key_path, "/tmp/micro-key-XXXXXX");
	close(mkstemp(key_path));
}

static void tear_down(void)
{
	unlink(cert_path);
	unlink(key_path);
}

static struct tls *open_good(time_t end)
{
	struct tls *tls;

	make(cert_path, key_path, end);
	ck_assert_msg(tls_open(cert_path, key_path, &tls, &err) == STATUS_OK, "%s", err.msg);
	return tls;
}

START_TEST(pair_that_fits_is_taken)
{
	time_t end = time(NULL) + DAY;
	struct tls *tls = open_good(end);

	ck_assert_int_eq(tls_expiry(tls), end);
	tls_close(tls);
}
END_TEST

START_TEST(key_of_another_certificate_is_refused)
{
	struct tls *tls;

	make(cert_path, NULL, time(NULL) + DAY);
	make(NULL, key_path, time(NULL) + DAY);
	ck_assert_int_eq(tls_open(cert_path, key_path, &tls, &err), STATUS_BAD_FILE);
	ck_assert_ptr_nonnull(strstr(err.msg, "is not the key of the first certificate"));
	ck_assert_ptr_null(tls);
}
END_TEST

START_TEST(expired_certificate_is_refused)
{
	struct tls *tls;

	make(cert_path, key_path, time(NULL) - 1);
	ck_assert_int_eq(tls_open(cert_path, key_path, &tls, &err), STATUS_BAD_FILE);
	ck_assert_ptr_nonnull(strstr(err.msg, "has expired"));
}
END_TEST

START_TEST(file_that_is_none_is_named)
{
	struct tls *tls;

	make(cert_path, key_path, time(NULL) + DAY);
	ck_assert_int_eq(tls_open(cert_path, "/nowhere/key", &tls, &err), STATUS_IO);
	ck_assert_ptr_nonnull(strstr(err.msg, "/nowhere/key"));
	ck_assert_int_eq(tls_open("/nowhere/cert", key_path, &tls, &err), STATUS_IO);
	ck_assert_int_eq(tls_open("/dev/null", key_path, &tls, &err), STATUS_BAD_FILE);
	ck_assert_int_eq(tls_open(cert_path, "/dev/null", &tls, &err), STATUS_BAD_FILE);
	ck_assert_int_eq(tls_open(cert_path, cert_path, &tls, &err), STATUS_BAD_FILE);
	ck_assert_int_eq(tls_open(key_path, key_path, &tls, &err), STATUS_BAD_FILE);
}
END_TEST

START_TEST(reload_replaces_or_keeps)
{
	time_t end = time(NULL) + DAY;
	struct tls *tls = open_good(end);

	make(cert_path, NULL, end + DAY);
	ck_assert_int_eq(tls_reload(tls, &err), STATUS_BAD_FILE);
	ck_assert_int_eq(tls_expiry(tls), end);
	make(cert_path, key_path, end + DAY);
	ck_assert_int_eq(tls_reload(tls, &err), STATUS_OK);
	ck_assert_int_eq(tls_expiry(tls), end + DAY);
	tls_close(tls);
}
END_TEST

START_TEST(handshake_keeps_its_copies_through_a_reload)
{
	time_t end = time(NULL) + DAY;
	struct tls *tls = open_good(end);
	gnutls_ocsp_data_st *ocsp;
	gnutls_pcert_st *certs;
	gnutls_privkey_t key;
	unsigned n_certs, n_ocsp, flags;

	tls_serve(tls);
	ck_assert_int_eq(tls_retrieve(NULL, NULL, &certs, &n_certs, &ocsp, &n_ocsp, &key, &flags),
			 0);
	make(cert_path, key_path, end + DAY);
	ck_assert_int_eq(tls_reload(tls, &err), STATUS_OK);
	tls_close(tls);
	ck_assert_uint_eq(n_certs, 1);
	ck_assert_uint_eq(n_ocsp, 0);
	ck_assert_uint_eq(flags, GNUTLS_CERT_RETR_DEINIT_ALL);
	ck_assert_uint_gt(certs[0].cert.size, 100);
	ck_assert_int_eq(gnutls_privkey_get_pk_algorithm(key, NULL), GNUTLS_PK_ECDSA);
	gnutls_pcert_deinit(&certs[0]);
	gnutls_free(certs);
	gnutls_privkey_deinit(key);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("tls");
	TCase *tcase = tcase_create("tls");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, pair_that_fits_is_taken);
	tcase_add_test(tcase, key_of_another_certificate_is_refused);
	tcase_add_test(tcase, expired_certificate_is_refused);
	tcase_add_test(tcase, file_that_is_none_is_named);
	tcase_add_test(tcase, reload_replaces_or_keeps);
	tcase_add_test(tcase, handshake_keeps_its_copies_through_a_reload);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
