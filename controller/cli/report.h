/* The report of a window of time: energy used, saved and by whom, as the API gives it
 * ("Report" in controller/api/OBJECTS.md), as a table, as CSV, or as one HTML page that needs
 * nothing else. Every figure says where it comes from; what was not recorded is "-" or empty, never
 * 0. Pure. */
#ifndef HUDDLE_CLI_REPORT_H
#define HUDDLE_CLI_REPORT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "proto/base/strbuf.h"

void report_table(struct strbuf *out, const json_t *report, bool colour);

/* kind,name,time,metric,value,unit: one row a figure, and one for each step of the series. */
void report_csv(struct strbuf *out, const json_t *report);

/* `made`: when, for the foot of the page. */
void report_html(struct strbuf *out, const json_t *report, const char *made);

/* When the series begin and how long their steps are. False: not said, or out of any sense. */
bool report_steps(const json_t *report, int64_t *ret_start_ms, int64_t *ret_step_ms);

/* Over the recorded part of the window; NAN: not known. */
double report_mean_watts(const json_t *report);

/* "12.34 EUR" of "cost.used" or "cost.saved"; NULL: nothing had a price. Writes into `text` and
 * returns it. */
#define REPORT_MONEY_MAX 64
const char *report_money(const json_t *report, const char *path, char text[REPORT_MONEY_MAX]);

/* Was the carbon intensity of any of the energy known? Then: the mean intensity of what was used,
 * the share that was saved and its band, and a sentence about where the intensity came from. */
bool report_has_carbon(const json_t *report);
void report_intensity(struct strbuf *out, const json_t *report);
void report_saved_carbon(struct strbuf *out, const json_t *report);
void report_note_carbon(struct strbuf *out, const json_t *report);

/* Sentences about provenance and the error band; shared by table and page. New reference. */
json_t *report_notes(const json_t *report);

#endif
