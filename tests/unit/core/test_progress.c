/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include <jansson.h>

#include "core/tool/progress.h"
#include "tests/unit/core/capture_fixture.h"
#include "tests/unit/unit.h"

#define WIPE "\r\033[K"

static struct capture capture;
static struct progress progress;

/* 250 of 2,000 pairs, in the middle of the first of 12 epochs */
static const struct train_progress middle = {
    .epoch = 1,
    .n_epochs = 12,
    .pairs_done = 250,
    .pairs_total = 2000,
    .nll = 0.5,
    .heldout_nll = NAN,
    .heldout_accuracy = NAN,
};

static const struct train_progress end = {
    .epoch = 1,
    .n_epochs = 12,
    .pairs_done = 500,
    .pairs_total = 2000,
    .epoch_end = true,
    .nll = 0.25,
    .heldout_nll = 0.375,
    .heldout_accuracy = 0.875,
    .n_heldout = 16,
};

static void start(bool interactive, enum progress_form form)
{
	capture_start(&capture, interactive, false);
	progress_start(&progress, &capture.terminal, form, 100);
}

static void teardown(void)
{
	capture_end(&capture);
}

/* ---- not a terminal ---- */

START_TEST(file_gets_one_line_an_epoch)
{
	start(false, PROGRESS_PEOPLE);
	progress_show(&progress, &middle, 101);
	ck_assert_str_eq(capture_text(&capture), "");
	progress_show(&progress, &end, 102);
	ck_assert_str_eq(capture_text(&capture),
			 "epoch  1/12  NLL 0.2500  held out: accuracy 0.8750, NLL 0.3750  "
			 "250 pairs/s  0:06 left\n");
	progress_end(&progress);
	ck_assert_str_eq(capture_text(&capture), "");
}
END_TEST

START_TEST(no_nll_shows_none)
{
	struct train_progress state = middle;
	const char *text;

	state.nll = NAN;
	start(true, PROGRESS_PEOPLE);
	progress_show(&progress, &state, 101);
	text = capture_text(&capture);
	ck_assert_ptr_nonnull(strstr(text, "250 pairs/s"));
	ck_assert_ptr_null(strstr(text, "NLL"));
	progress_end(&progress);
}
END_TEST

START_TEST(nothing_held_out_shows_no_figures)
{
	struct train_progress state = end;

	start(false, PROGRESS_PEOPLE);
	state.n_heldout = 0;
	progress_show(&progress, &state, 102);
	ck_assert_str_eq(capture_text(&capture),
			 "epoch  1/12  NLL 0.2500  250 pairs/s  0:06 left\n");
}
END_TEST

static const struct {
	double now;
	size_t total;
	const char *left;
} times[] = {
    {100, 2000, " 0 pairs/s  ? left\n"}, /* the clock has not moved */
    {150, 1500, "  1:40 left\n"},
    {600, 5000, "  1:15:00 left\n"},
    {101, 500, "  0:00 left\n"},
};

START_TEST(time_left_follows_the_rate)
{
	struct train_progress state = end;
	const char *text;

	start(false, PROGRESS_PEOPLE);
	state.pairs_total = times[_i].total;
	progress_show(&progress, &state, times[_i].now);
	text = capture_text(&capture);
	ck_assert_msg(strstr(text, times[_i].left) != NULL, "%d: %s", _i, text);
}
END_TEST

/* ---- terminal ---- */

START_TEST(terminal_gets_a_line_that_is_redrawn)
{
	start(true, PROGRESS_PEOPLE);
	progress_show(&progress, &middle, 101);
	ck_assert_str_eq(capture_text(&capture),
			 WIPE "epoch  1/12  ###.....................  NLL 0.5000  250 pairs/s  "
			      "0:07 left");
	progress_show(&progress, &end, 102);
	ck_assert_str_eq(capture_text(&capture),
			 WIPE "epoch  1/12  NLL 0.2500  held out: accuracy 0.8750, NLL 0.3750  "
			      "250 pairs/s  0:06 left\n");
	progress_end(&progress);
	ck_assert_str_eq(capture_text(&capture), "");
}
END_TEST

START_TEST(redrawn_line_shows_the_last_epochs_figures)
{
	struct train_progress next = middle;

	start(true, PROGRESS_PEOPLE);
	capture.terminal.width = 200;
	progress_show(&progress, &end, 102);
	capture_text(&capture);
	next.epoch = 2;
	next.pairs_done = 1000;
	progress_show(&progress, &next, 104);
	ck_assert_str_eq(capture_text(&capture),
			 WIPE "epoch  2/12  ############............  NLL 0.5000  held out: "
			      "accuracy 0.8750, NLL 0.3750  250 pairs/s  0:04 left");
}
END_TEST

START_TEST(terminal_is_not_redrawn_more_often_than_eyes_see)
{
	start(true, PROGRESS_PEOPLE);
	progress_show(&progress, &middle, 101);
	capture_text(&capture);
	progress_show(&progress, &middle, 101.01);
	ck_assert_str_eq(capture_text(&capture), "");
	progress_show(&progress, &middle, 101.2);
	ck_assert_str_ne(capture_text(&capture), "");
}
END_TEST

START_TEST(interrupted_line_is_wiped_away)
{
	start(true, PROGRESS_PEOPLE);
	progress_show(&progress, &middle, 101);
	capture_text(&capture);
	progress_end(&progress);
	ck_assert_str_eq(capture_text(&capture), WIPE);
}
END_TEST

/* Columns that a drawn line takes; its escape sequences take none. */
static size_t drawn_width(const char *text)
{
	size_t width = 0;

	for (; *text != '\0'; text++) {
		if (*text == '\033')
			text += strcspn(text, "mK");
		else if (*text != '\r')
			width++;
	}
	return width;
}

START_TEST(redrawn_line_never_fills_the_window)
{
	for (int width = 1; width < 130; width++) {
		struct train_progress state = middle;
		size_t drawn;

		start(true, PROGRESS_PEOPLE);
		capture.terminal.colour = width % 2 == 0;
		capture.terminal.width = width;
		progress.last_epoch = end;
		state.pairs_done = (size_t)width * 10;
		progress_show(&progress, &state, 101);
		drawn = drawn_width(capture_text(&capture));
		ck_assert_msg(drawn < (size_t)width, "%zu columns of %d", drawn, width);
		if (width < 129)
			teardown();
	}
}
END_TEST

START_TEST(note_stands_on_a_line_of_its_own)
{
	start(true, PROGRESS_PEOPLE);
	progress_show(&progress, &middle, 101);
	capture_text(&capture);
	progress_note(&progress, "tau %g", 0.5);
	ck_assert_str_eq(capture_text(&capture), WIPE "tau 0.5\n");
	progress_end(&progress);
	ck_assert_str_eq(capture_text(&capture), "");
}
END_TEST

/* ---- machines ---- */

START_TEST(note_is_not_for_machines)
{
	start(true, PROGRESS_JSON);
	progress_note(&progress, "tau %g", 0.5);
	ck_assert_str_eq(capture_text(&capture), "");
}
END_TEST

START_TEST(json_is_one_object_an_epoch)
{
	json_t *line, *heldout;
	const char *text;

	start(true, PROGRESS_JSON);
	progress_show(&progress, &middle, 101);
	ck_assert_str_eq(capture_text(&capture), "");
	progress_show(&progress, &end, 102);
	text = capture_text(&capture);
	ck_assert_int_eq(text[strlen(text) - 1], '\n');
	line = json_loads(text, 0, NULL);
	ck_assert_ptr_nonnull(line);
	ck_assert_uint_eq(json_object_size(line), 6);
	ck_assert_int_eq(json_integer_value(json_object_get(line, "epoch")), 1);
	ck_assert_int_eq(json_integer_value(json_object_get(line, "epochs")), 12);
	ck_assert(json_number_value(json_object_get(line, "nll")) == 0.25);
	ck_assert(json_number_value(json_object_get(line, "pairs_per_second")) == 250);
	ck_assert(json_number_value(json_object_get(line, "seconds")) == 2);
	heldout = json_object_get(line, "heldout");
	ck_assert_int_eq(json_integer_value(json_object_get(heldout, "n_pairs")), 16);
	ck_assert(json_number_value(json_object_get(heldout, "accuracy")) == 0.875);
	ck_assert(json_number_value(json_object_get(heldout, "nll")) == 0.375);
	json_decref(line);
}
END_TEST

START_TEST(json_without_held_out_pairs_is_null)
{
	struct train_progress state = end;

	start(false, PROGRESS_JSON);
	state.n_heldout = 0;
	state.heldout_nll = state.heldout_accuracy = NAN;
	progress_show(&progress, &state, 102);
	ck_assert_ptr_nonnull(strstr(capture_text(&capture), "\"heldout\":null"));
}
END_TEST

START_TEST(quiet_prints_nothing)
{
	start(true, PROGRESS_NONE);
	progress_show(&progress, &middle, 101);
	progress_show(&progress, &end, 102);
	progress_end(&progress);
	ck_assert_str_eq(capture_text(&capture), "");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("progress");
	TCase *tcase = tcase_create("progress");

	tcase_add_checked_fixture(tcase, NULL, teardown);
	tcase_add_test(tcase, file_gets_one_line_an_epoch);
	tcase_add_test(tcase, nothing_held_out_shows_no_figures);
	tcase_add_test(tcase, no_nll_shows_none);
	tcase_add_loop_test(tcase, time_left_follows_the_rate, 0, (int)LENGTH(times));
	tcase_add_test(tcase, terminal_gets_a_line_that_is_redrawn);
	tcase_add_test(tcase, redrawn_line_shows_the_last_epochs_figures);
	tcase_add_test(tcase, terminal_is_not_redrawn_more_often_than_eyes_see);
	tcase_add_test(tcase, interrupted_line_is_wiped_away);
	tcase_add_test(tcase, redrawn_line_never_fills_the_window);
	tcase_add_test(tcase, note_stands_on_a_line_of_its_own);
	tcase_add_test(tcase, note_is_not_for_machines);
	tcase_add_test(tcase, json_is_one_object_an_epoch);
	tcase_add_test(tcase, json_without_held_out_pairs_is_null);
	tcase_add_test(tcase, quiet_prints_nothing);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
