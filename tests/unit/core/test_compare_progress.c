/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "core/tool/compare_progress.h"
#include "tests/unit/core/capture_fixture.h"
#include "tests/unit/unit.h"

#define WIPE "\r\033[K"

static struct capture capture;
static struct compare_display display;

/* half of the third of twelve trainings */
static struct compare_progress state;

static void setup(void)
{
	capture_start(&capture, true, false);
	compare_display_start(&display, &capture.terminal, 100);
	state = (struct compare_progress){
	    .kind = COMPARE_TRAIN,
	    .method = "panel",
	    .seed = 2,
	    .n_heads = 16,
	    .step = 3,
	    .n_steps = 12,
	    .fit = {.epoch = 6, .n_epochs = 12, .pairs_done = 500, .pairs_total = 1000},
	};
}

static void teardown(void)
{
	capture_end(&capture);
}

static const char *shown(double now)
{
	compare_display_show(&display, &state, now);
	return capture_text(&capture);
}

START_TEST(terminal_has_a_line_that_is_redrawn)
{
	/* 2.5 trainings in 10 s: 9.5 are left, 38 s */
	ck_assert_str_eq(shown(110), WIPE "[3/12] panel, seed 2: stage 1, heads: 16  ##......  "
					  "epoch 6/12  about 0:38 left");
	ck_assert_str_eq(shown(110.05), "");
	state.step_end = true;
	ck_assert_str_eq(shown(112), WIPE "[3/12] panel, seed 2: stage 1, heads: 16  2.0 s\n");
	compare_display_end(&display);
	ck_assert_str_eq(capture_text(&capture), "");
}
END_TEST

START_TEST(minutes_are_told)
{
	ck_assert_ptr_nonnull(strstr(shown(150), "about 3:10 left"));
}
END_TEST

START_TEST(before_anything_is_done_no_time_is_told)
{
	state.step = 1;
	state.fit.pairs_done = 0;
	ck_assert_ptr_nonnull(strstr(shown(150), "about ? left"));
}
END_TEST

START_TEST(stage_2_is_told_with_its_pairs)
{
	state.kind = COMPARE_ROUTE;
	ck_assert_ptr_nonnull(strstr(shown(110), "seed 2: stage 2  #"));
	state.budget = 104;
	ck_assert_ptr_nonnull(strstr(shown(120), "seed 2: stage 2, pairs: 104  #"));
}
END_TEST

START_TEST(the_line_is_no_wider_than_the_window)
{
	capture.terminal.width = 30;
	ck_assert_str_eq(shown(110), WIPE "[3/12] panel, seed 2: stage 1");
}
END_TEST

START_TEST(a_file_gets_ends_only)
{
	capture.terminal.interactive = false;
	ck_assert_str_eq(shown(110), "");
	state.step_end = true;
	ck_assert_str_eq(shown(112), "[3/12] panel, seed 2: stage 1, heads: 16  2.0 s\n");
}
END_TEST

START_TEST(quiet_shows_nothing)
{
	compare_display_start(&display, NULL, 100);
	ck_assert_str_eq(shown(110), "");
	state.step_end = true;
	ck_assert_str_eq(shown(112), "");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("compare_progress");
	TCase *tcase = tcase_create("compare_display");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, terminal_has_a_line_that_is_redrawn);
	tcase_add_test(tcase, minutes_are_told);
	tcase_add_test(tcase, before_anything_is_done_no_time_is_told);
	tcase_add_test(tcase, stage_2_is_told_with_its_pairs);
	tcase_add_test(tcase, the_line_is_no_wider_than_the_window);
	tcase_add_test(tcase, a_file_gets_ends_only);
	tcase_add_test(tcase, quiet_shows_nothing);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
