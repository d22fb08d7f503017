/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "core/encode/template.h"
#include "core/train/train_memory.h"
#include "tests/unit/core/features_fixture.h"
#include "tests/unit/core/folder_fixture.h"
#include "tests/unit/unit.h"

/* N = 3 pairs of D = 2 features, one user with a name of 3 bytes, one pair of nobody. */
static const char header[] =
    "{\"__metadata__\":{\"format\":\"other\"},"
    "\"chosen\":{\"dtype\":\"F32\",\"shape\":[3,2],\"data_offsets\":[0,24]},"
    "\"rejected\":{\"dtype\":\"F32\",\"shape\":[3,2],\"data_offsets\":[24,48]},"
    "\"prompt\":{\"dtype\":\"F32\",\"shape\":[3,2],\"data_offsets\":[48,72]},"
    "\"user\":{\"dtype\":\"I32\",\"shape\":[3],\"data_offsets\":[72,84]}}";

static void sum(enum objective objective, enum router_kind router, struct train_memory *memory_out)
{
	unsigned char data[84] = {0};
	const int32_t users[] = {777, -1, 777};
	struct train_options options;
	struct encoder *encoder;
	struct dataset dataset;

	memcpy(data + 72, users, sizeof(users));
	ck_assert_int_eq(encoder_open("none:2", &encoder, NULL), STATUS_OK);
	ck_assert_int_eq(dataset_read(features_file("f", header, data, sizeof(data)), encoder,
				      TEMPLATE_DEFAULT_PHI, TEMPLATE_DEFAULT_PSI, &dataset, NULL),
			 STATUS_OK);
	train_defaults(objective, &options);
	options.n_heads = 5;
	options.n_hidden = 7;
	options.router = router;
	options.batch = 100;
	options.n_threads = 2;
	train_memory_of(&dataset, &options, memory_out);
	dataset_free(&dataset);
	encoder_close(encoder);
}

START_TEST(terms_are_those_of_the_formula)
{
	struct train_memory m;

	sum(OBJECTIVE_MICRO, ROUTER_MLP, &m);
	ck_assert_double_eq(m.parameters, 16 * (5 * 2 + 7 * 2 + 7 + 7 * 5 + 5));
	ck_assert_double_eq(m.batch, 4 * 3 * (2 * 2 + (5 + 7) * (1 + 2) + 4 * 5));
	ck_assert_double_eq(m.pairs, 3 * (80 + 12 * 5));
	ck_assert_double_eq(m.names, 300 + 16 * 3);
	ck_assert_double_eq(m.program, (16 + 2 * 32) * 1048576.0);
	ck_assert_double_eq(m.total,
			    m.parameters + m.batch + m.pairs + m.names + m.window + m.program);
}
END_TEST

START_TEST(what_is_each_heads_of_a_user_is_kept_of_users_and_single_pairs)
{
	const enum objective objectives[] = {OBJECTIVE_STATIC, OBJECTIVE_PANEL, OBJECTIVE_LORE};
	struct train_memory micro, m;

	sum(OBJECTIVE_MICRO, ROUTER_STATIC, &micro);
	ck_assert_double_eq(micro.parameters, 16 * (5 * 2 + 5));
	ck_assert_double_eq(micro.users, 0);
	for (size_t i = 0; i < 3; i++) {
		double margins = objectives[i] == OBJECTIVE_LORE ? 4 * 5 * 3 : 0;

		sum(objectives[i], ROUTER_STATIC, &m);
		ck_assert_double_eq(m.users, 8 * 5 * 2 + margins);
		ck_assert_double_eq(m.total, micro.total + m.users);
	}
}
END_TEST

START_TEST(components_take_two_bases)
{
	struct train_memory micro, drm;

	sum(OBJECTIVE_MICRO, ROUTER_STATIC, &micro);
	sum(OBJECTIVE_DRM, ROUTER_STATIC, &drm);
	ck_assert_double_eq(drm.components, 8 * 15 * (2 + 3 * 15) + 256 * 2);
	ck_assert_double_eq(drm.total, micro.total + drm.components);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("train_memory");
	TCase *tcase = tcase_create("train_memory");

	tcase_add_checked_fixture(tcase, folder_make, folder_remove);
	tcase_add_test(tcase, terms_are_those_of_the_formula);
	tcase_add_test(tcase, what_is_each_heads_of_a_user_is_kept_of_users_and_single_pairs);
	tcase_add_test(tcase, components_take_two_bases);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
