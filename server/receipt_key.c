/* SPDX-License-Identifier: Apache-2.0 */
#include "server/receipt_key.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define N_DIGITS     (2 * crypto_auth_hmacsha256_KEYBYTES)
#define FILE_MAX     256 /* bytes that a file may have */
#define OTHERS_MODES (S_IRWXG | S_IRWXO)

enum status receipt_key_parse(const char *text, struct receipt_key *key_out, struct err *err)
{
	size_t n_bytes;

	if (strspn(text, "0123456789abcdefABCDEF") == N_DIGITS &&
	    text[N_DIGITS + strspn(text + N_DIGITS, " \t\r\n")] == '\0' &&
	    sodium_hex2bin(key_out->bytes, sizeof(key_out->bytes), text, N_DIGITS, NULL, &n_bytes,
			   NULL) == 0)
		return STATUS_OK;
	return err_set(err, STATUS_INVALID_VALUE, "want a key of %zu hexadecimal digits",
		       (size_t)N_DIGITS);
}

static enum status write_all(int fd, const char *text, size_t len, struct err *err)
{
	while (len > 0) {
		ssize_t n = write(fd, text, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return err_errno(err, STATUS_IO, "write");
		text += n;
		len -= (size_t)n;
	}
	return fsync(fd) == 0 ? STATUS_OK : err_errno(err, STATUS_IO, "fsync");
}

/* A new key into a file beside path, which becomes path only if there is none by then: of two
 * processes that start together one makes the key of both. */
static enum status make(const char *path, random_bytes_fn *random_bytes, struct err *err)
{
	char name[4096], text[N_DIGITS + 2];
	struct receipt_key key;
	enum status status;
	int fd;

	if (snprintf(name, sizeof(name), "%s.XXXXXX", path) >= (int)sizeof(name))
		return err_set(err, STATUS_IO, "the path is too long");
	fd = mkostemp(name, O_CLOEXEC);
	if (fd < 0)
		return err_errno(err, STATUS_IO, "create");
	random_bytes(key.bytes, sizeof(key.bytes));
	sodium_bin2hex(text, sizeof(text), key.bytes, sizeof(key.bytes));
	text[N_DIGITS] = '\n';
	status = write_all(fd, text, N_DIGITS + 1, err);
	if (status == STATUS_OK && link(name, path) != 0 && errno != EEXIST)
		status = err_errno(err, STATUS_IO, "create");
	unlink(name);
	close(fd);
	sodium_memzero(&key, sizeof(key));
	sodium_memzero(text, sizeof(text));
	return status;
}

static enum status read_key(int fd, struct receipt_key *key_out, struct err *err)
{
	char text[FILE_MAX + 1];
	struct stat file;
	enum status status;
	ssize_t n;

	if (fstat(fd, &file) != 0)
		return err_errno(err, STATUS_IO, "stat");
	if ((file.st_mode & OTHERS_MODES) != 0)
		return err_set(err, STATUS_BAD_FILE,
			       "others than its owner may use it (mode %04o), want mode 0600",
			       (unsigned)(file.st_mode & ALLPERMS));
	n = read(fd, text, FILE_MAX);
	if (n < 0)
		return err_errno(err, STATUS_IO, "read");
	text[n] = '\0';
	status = receipt_key_parse(text, key_out, err);
	sodium_memzero(text, sizeof(text));
	if (status == STATUS_OK || err == NULL)
		return status == STATUS_OK ? STATUS_OK : STATUS_BAD_FILE;
	return err->code = STATUS_BAD_FILE;
}

/* STATUS_NOT_FOUND if there is no such file. */
static enum status load(const char *path, struct receipt_key *key_out, struct err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	enum status status;

	if (fd < 0)
		return err_errno(err, errno == ENOENT ? STATUS_NOT_FOUND : STATUS_IO, "open");
	status = read_key(fd, key_out, err);
	close(fd);
	return status;
}

enum status receipt_key_load(const char *path, random_bytes_fn *random_bytes,
			     struct receipt_key *key_out, struct err *err)
{
	enum status status = STATUS_OK;

	/* a file that is not there is no fault, and leaves no trace in err */
	if (access(path, F_OK) != 0 && errno == ENOENT)
		status = make(path, random_bytes, err);
	if (status == STATUS_OK)
		status = load(path, key_out, err);
	if (status != STATUS_OK)
		err_wrap(err, "receipt key %s", path);
	return status;
}

enum status receipt_key_check(const char *path, struct err *err)
{
	struct receipt_key key;
	enum status status = load(path, &key, err);

	sodium_memzero(&key, sizeof(key));
	if (status != STATUS_OK)
		err_wrap(err, "receipt key %s", path);
	return status;
}
