// SPDX-License-Identifier: GPL-2.0-only
/*
 * Prints what was measured, as a table for people and as JSON for programs. Judges only whether a
 * median meets its goal.
 */
#include "bench.h"

#include <errno.h>

#include <jansson.h>

static void print_row(FILE *out, const struct row *row, const struct figure *figure)
{
	bool is_ratio = row->compare == COMPARE_RATIO;

	if (figure->refusal[0]) {
		fprintf(out, "%-36s refused: %s\n", row->name, figure->refusal);
		return;
	}
	fprintf(out, "%-36s %7.1f %7.1f  %-11s", row->name, figure->ours_ns, figure->beside_ns,
		row->beside_name);
	if (is_ratio)
		fprintf(out, " %6.3f (%.3f ... %.3f)", figure->middle, figure->low, figure->high);
	else
		fprintf(out, " %+6.1f (%+.1f ... %+.1f)", figure->middle, figure->low,
			figure->high);
	if (row->goal > 0)
		fprintf(out, is_ratio ? "  <= %.2f  %s" : "  <= +%.0f ns  %s", row->goal,
			figure->middle <= row->goal ? "reached" : "missed");
	fputc('\n', out);
}

void report_rows_text(FILE *out, unsigned int rounds)
{
	fprintf(out,
		"Nanoseconds for one packet: best of %u rounds, without the loop (%.1f) and with "
		"it the\n"
		"feeding of the packet (%.1f), which are subtracted. Ratio, or difference: median "
		"of the\n"
		"rounds', with minimum and maximum.\n\n%-36s %7s %7s  %-11s %s\n",
		rounds, loop_ns, feeding_ns, "path", "ns", "beside", "",
		"ratio (min ... max), goal");
	for (unsigned int i = 0; i < row_count; i++) {
		if (figures[i].is_measured)
			print_row(out, &rows[i], &figures[i]);
	}
}

void report_live_text(FILE *out, const struct live_result *results)
{
	const char *last = results[LIVE_CONTENDERS - 1].name;

	fprintf(out,
		"\nMillions of packets a second through namespaces, UDP, live frames, one CPU for "
		"all of\n"
		"the chain; median, minimum and maximum of the rounds; ratio to %s in the same "
		"round.\n\n",
		last);
	for (int i = 0; i < LIVE_CONTENDERS; i++) {
		const struct live_result *result = &results[i];

		if (result->refusal[0]) {
			fprintf(out, "%-36s refused: %s\n", result->name, result->refusal);
			continue;
		}
		fprintf(out, "%-36s %6.3f (%.3f ... %.3f)  %5.2f (%.2f ... %.2f)", result->name,
			result->rate / 1e6, result->low / 1e6, result->high / 1e6, result->ratio,
			result->ratio_low, result->ratio_high);
		if (result->limit > 0)
			fprintf(out, "  >= %.1f  %s", result->limit,
				result->ratio >= result->limit ? "reached" : "missed");
		fprintf(out, "\n");
	}
}

static json_t *row_json(const struct row *row, const struct figure *figure)
{
	json_t *json;

	if (figure->refusal[0])
		return json_pack("{s:s, s:s}", "path", row->name, "refused", figure->refusal);
	json = json_pack("{s:s, s:f, s:s, s:f}", "path", row->name, "ns", figure->ours_ns, "beside",
			 row->beside_name, "beside_ns", figure->beside_ns);
	if (!json)
		return NULL;
	json_object_set_new(json, row->compare == COMPARE_MORE ? "more_ns" : "ratio",
			    json_pack("{s:f, s:f, s:f}", "median", figure->middle, "min",
				      figure->low, "max", figure->high));
	if (row->goal > 0) {
		json_object_set_new(json, "goal", json_real(row->goal));
		json_object_set_new(json, "reached", json_boolean(figure->middle <= row->goal));
	}
	return json;
}

static json_t *live_json(const struct live_result *result)
{
	json_t *json;

	if (result->refusal[0])
		return json_pack("{s:s, s:s}", "path", result->name, "refused", result->refusal);
	json = json_pack("{s:s, s:{s:f, s:f, s:f}, s:{s:f, s:f, s:f}}", "path", result->name,
			 "packets_per_second", "median", result->rate, "min", result->low, "max",
			 result->high, "ratio", "median", result->ratio, "min", result->ratio_low,
			 "max", result->ratio_high);
	if (json && result->limit > 0) {
		json_object_set_new(json, "goal", json_real(result->limit));
		json_object_set_new(json, "reached", json_boolean(result->ratio >= result->limit));
	}
	return json;
}

int report_json(FILE *out, unsigned int rounds, const struct live_result *live)
{
	json_t *root = json_pack("{s:i, s:f, s:f, s:[], s:[]}", "rounds", (int)rounds, "loop_ns",
				 loop_ns, "feeding_ns", feeding_ns, "paths", "live");
	int err = 0;

	if (!root)
		return -ENOMEM;
	for (unsigned int i = 0; i < row_count; i++) {
		if (figures[i].is_measured)
			json_array_append_new(json_object_get(root, "paths"),
					      row_json(&rows[i], &figures[i]));
	}
	for (int i = 0; live && i < LIVE_CONTENDERS; i++)
		json_array_append_new(json_object_get(root, "live"), live_json(&live[i]));
	if (json_dumpf(root, out, JSON_INDENT(2) | JSON_REAL_PRECISION(6)) ||
	    fputc('\n', out) == EOF)
		err = -EIO;
	json_decref(root);
	return err;
}
