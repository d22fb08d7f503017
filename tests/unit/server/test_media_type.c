/* SPDX-License-Identifier: Apache-2.0 */
#include "server/media_type.h"
#include "tests/unit/unit.h"

START_TEST(header_tells_the_type)
{
	static const struct {
		const char *header;
		enum media_type type;
	} cases[] = {
	    {NULL, MEDIA_JSON},
	    {"application/json", MEDIA_JSON},
	    {"Application/JSON; charset=utf-8", MEDIA_JSON},
	    {"application/json ; charset=utf-8", MEDIA_JSON},
	    {"application/vnd.micro+json", MEDIA_JSON},
	    {"application/problem+JSON;x=1", MEDIA_JSON},
	    {"application/vnd.safetensors", MEDIA_SAFETENSORS},
	    {"Application/VND.Safetensors; x=1", MEDIA_SAFETENSORS},
	    {"application/vnd.safetensors2", MEDIA_OTHER},
	    {"application/safetensors", MEDIA_OTHER},
	    {"application/x-ndjson", MEDIA_LINES},
	    {"APPLICATION/X-NDJSON; charset=utf-8", MEDIA_LINES},
	    {"application/ndjson", MEDIA_OTHER},
	    {"text/plain", MEDIA_OTHER},
	    {"application/jsonx", MEDIA_OTHER},
	    {"application/", MEDIA_OTHER},
	    {"application/xjson", MEDIA_OTHER},
	    {"text/json", MEDIA_OTHER},
	    {"", MEDIA_OTHER},
	};

	for (size_t i = 0; i < LENGTH(cases); i++)
		ck_assert_msg(media_type_of(cases[i].header) == cases[i].type, "case %zu", i);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("media_type");
	TCase *tcase = tcase_create("media_type");

	tcase_add_test(tcase, header_tells_the_type);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
