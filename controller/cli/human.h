/* Numbers as people read them: three significant digits and a unit that manifests take too. What is
 * not known (not finite) is "-". Each writes into `text` and returns it. */
#ifndef HUDDLE_CLI_HUMAN_H
#define HUDDLE_CLI_HUMAN_H

#include <stdint.h>

#define HUMAN_MAX 32

const char *human_watts(double w, char text[HUMAN_MAX]);  /* "153W", "1.24kW" */
const char *human_joules(double j, char text[HUMAN_MAX]); /* "12.3kJ" */
const char *human_kwh(double j, char text[HUMAN_MAX]);    /* "3.41kWh", "120Wh" */
const char *human_grams(double g, char text[HUMAN_MAX]);  /* "3.41kg", "120g" */
const char *human_bytes(double n, char text[HUMAN_MAX]);  /* "512Mi" */
const char *human_number(double v, char text[HUMAN_MAX]); /* "1.24k" */
const char *human_share(double v, char text[HUMAN_MAX]);  /* "12.3%" of 0.123 */

/* A length of time as kubectl shows ages: "45s", "3m20s", "5h12m", "3d4h"; below 1 s "250ms". */
const char *human_age(int64_t ms, char text[HUMAN_MAX]);
const char *human_ms(double ms, char text[HUMAN_MAX]); /* the same of what somebody else says */

#endif
