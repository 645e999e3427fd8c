/* What the report says of CO2 and money, in words: see report.h. */
#include <math.h>
#include <stdio.h>

#include "controller/cli/human.h"
#include "controller/cli/look.h"
#include "controller/cli/report.h"

/* Joules whose carbon intensity was known. */
static double weighed(const json_t *report)
{
    return look_number(report, "carbon.weighed.fixedJ") +
           look_number(report, "carbon.weighed.profileJ") +
           look_number(report, "carbon.weighed.fileJ");
}

bool report_has_carbon(const json_t *report)
{
    return isfinite(look_number(report, "carbon.usedKg"));
}

const char *report_money(const json_t *report, const char *path, char text[REPORT_MONEY_MAX])
{
    const char *currency = look_text(report, "cost.currency");
    double money = look_number(report, path);
    char amount[HUMAN_MAX];

    if (!isfinite(money))
        return NULL;
    if (fabs(money) >= 1)
        (void)snprintf(text, REPORT_MONEY_MAX, "%.2f %.15s", money, currency ? currency : "");
    else /* of a short window: 0.00 says nothing */
        (void)snprintf(text, REPORT_MONEY_MAX, "%s %.15s", human_number(money, amount),
                       currency ? currency : "");
    return text;
}

void report_intensity(struct strbuf *out, const json_t *report)
{
    double kg = look_number(report, "carbon.usedKg"), kwh = weighed(report) / 3.6e6;
    char a[HUMAN_MAX];

    if (kwh > 0)
        strbuf_printf(out, "%sg/kWh", human_number(kg * 1000 / kwh, a));
}

void report_saved_carbon(struct strbuf *out, const json_t *report)
{
    double saved = look_number(report, "carbon.savedKg");
    double always = look_number(report, "carbon.counterfactualKg");
    char a[HUMAN_MAX], b[HUMAN_MAX], c[HUMAN_MAX];

    if (isfinite(saved) && always > 0)
        strbuf_printf(out, "%s, between %s and %s", human_share(saved / always, a),
                      human_grams(look_number(report, "carbon.savedLowKg") * 1000, b),
                      human_grams(look_number(report, "carbon.savedHighKg") * 1000, c));
}

static void add_part(struct strbuf *out, const json_t *report, const char *path, const char *what)
{
    double part = look_number(report, path) / look_number(report, "energy.usedJ");
    char text[HUMAN_MAX];

    if (part > 0)
        strbuf_printf(out, ", %s %s", human_share(part, text), what);
}

void report_note_carbon(struct strbuf *out, const json_t *report)
{
    if (!report_has_carbon(report))
        return;
    strbuf_puts(out, "CO2 is the energy of each moment times the carbon intensity that the policy "
                     "gave for it at the time: of the energy used");
    add_part(out, report, "carbon.weighed.fileJ", "by a file");
    add_part(out, report, "carbon.weighed.profileJ", "by a daily profile");
    add_part(out, report, "carbon.weighed.fixedJ", "by one fixed number");
    add_part(out, report, "carbon.weighed.unknownJ",
             "by none: it was not known then, and no CO2 is counted");
    strbuf_puts(out, ".");
}
