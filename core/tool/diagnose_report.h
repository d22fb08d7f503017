/* SPDX-License-Identifier: Apache-2.0 */
/* diagnose_report.h - what a diagnosis found, for people and for machines. */
#ifndef MICRO_TOOL_DIAGNOSE_REPORT_H
#define MICRO_TOOL_DIAGNOSE_REPORT_H

#include <stdio.h>

#include "core/diagnose/diagnosis.h"
#include "core/diagnose/repeats.h"
#include "core/tool/terminal.h"

struct diagnose_report {
	const char *data; /* path of the pairs */
	const char *encoder;
	uint64_t seed;
	struct repeats repeats;
	struct diagnosis diagnosis;
};

/** diagnose_report_text(report, terminal, err): sections with tables, then the answer in words. */
enum status diagnose_report_text(const struct diagnose_report *report,
				 const struct terminal *terminal, struct err *err);

/** diagnose_report_json(report, out, err): one object, see schema/diagnosis.md. */
enum status diagnose_report_json(const struct diagnose_report *report, FILE *out, struct err *err);

/** diagnose_report_verdict(report, out): the last section: one paragraph, and a newline. */
void diagnose_report_verdict(const struct diagnose_report *report, FILE *out);

#endif
