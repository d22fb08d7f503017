/* SPDX-License-Identifier: Apache-2.0 */
#include "core/tool/usage.h"

#include <string.h>
#include <sys/stat.h>

#include <unistr.h>

enum status usage_of_option(enum status status, const char *option, struct err *err)
{
	if (status != STATUS_INVALID_VALUE)
		return status;
	err->code = STATUS_USAGE;
	return err_wrap(err, "--%s", option);
}

enum status usage_keep_from(const char *out_option, const char *out, const char *path,
			    const char *option, struct err *err)
{
	struct stat kept, written;

	if (stat(path, &kept) == 0 && stat(out, &written) == 0 && kept.st_dev == written.st_dev &&
	    kept.st_ino == written.st_ino)
		return err_set(err, STATUS_USAGE, "--%s %s is the file of --%s", out_option, out,
			       option);
	return STATUS_OK;
}

enum status usage_keep(const char *out, const char *path, const char *option, struct err *err)
{
	return usage_keep_from("out", out, path, option, err);
}

enum status usage_utf8(const char *text, const char *option, struct err *err)
{
	if (text == NULL || u8_check((const uint8_t *)text, strlen(text)) == NULL)
		return STATUS_OK;
	return err_set(err, STATUS_USAGE, "--%s: want valid UTF-8", option);
}
