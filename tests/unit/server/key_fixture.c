/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/server/key_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/api_key.h"

void key_fixture_line(const char *name, unsigned scopes, const char *key, char *out)
{
	struct api_key made = {.scopes = scopes};

	if (api_key_set_name(&made, name, strlen(name), NULL) != STATUS_OK)
		abort();
	api_key_hash(key, strlen(key), made.hash);
	api_key_line(&made, out);
	strcat(out, "\n");
}

void key_fixture_write(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	if (file == NULL || fputs(text, file) < 0 || fclose(file) != 0)
		abort();
}
