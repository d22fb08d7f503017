/* SPDX-License-Identifier: Apache-2.0 */
/* main.c - microd. */
#include <sodium.h>

#include "core/math/linalg.h"
#include "server/command.h"
#include "server/process.h"

int main(int argc, char **argv)
{
	struct err err = {0};

	linalg_choose_kernel(argv);
	process_started();
	if (process_restrict(&err) == STATUS_OK && sodium_init() < 0)
		err_set(&err, STATUS_INTERNAL, "no source of randomness");
	return err.code == STATUS_OK ? command_run(argc, argv) : command_fault(&err);
}
