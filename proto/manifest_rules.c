/* Rules between the fields of a manifest: see manifest_rules.h. */
#include "proto/manifest_rules.h"

#include <math.h>
#include <string.h>

#define MODEL(name, holds)                        \
    static bool name(const struct manifest *m)    \
    {                                             \
        const struct served_model *s = &m->model; \
                                                  \
        return !(holds);                          \
    }
#define POOL(name, holds)                      \
    static bool name(const struct manifest *m) \
    {                                          \
        const struct power_pool *p = &m->pool; \
                                               \
        return !(holds);                       \
    }
#define POLICY(name, holds)                        \
    static bool name(const struct manifest *m)     \
    {                                              \
        const struct power_policy *p = &m->policy; \
                                                   \
        return !(holds);                           \
    }

/* --- ServedModel ------------------------------------------------------------------------------ */

static bool targets(const struct served_model *s)
{
    return s->target.api_version[0] || s->target.kind[0] || s->target.name[0];
}

/* An empty path asks for none. */
static bool absolute(const char *path)
{
    return path[0] == '\0' || path[0] == '/';
}

MODEL(min_over_max, s->replicas.min <= s->replicas.max)
MODEL(two_ways_to_wait, s->deferrable.deadline_ms < 0 || s->slo.latency_ms < 0)
MODEL(available_over_max, s->disruption.min_available <= s->replicas.max)
MODEL(runtime_and_process, !s->runtime[0] || !s->process.command.n)
MODEL(external_alone, targets(s) || s->scaling_owner != SCALING_EXTERNAL)
MODEL(external_scaled, s->scaling_replicas == 0 || s->scaling_owner != SCALING_EXTERNAL)
MODEL(target_and_runtime, !targets(s) || !s->runtime[0])
MODEL(target_and_process, !targets(s) || !s->process.command.n)
MODEL(target_of_no_version, !targets(s) || s->target.api_version[0])
MODEL(target_of_no_kind, !targets(s) || s->target.kind[0])
MODEL(target_of_no_name, !targets(s) || s->target.name[0])
MODEL(exec_of_nothing, s->readiness.kind != MANIFEST_PROBE_EXEC || s->readiness.command.n)
MODEL(probe_relative, s->readiness.kind != MANIFEST_PROBE_HTTP || s->readiness.path[0] == '/')
MODEL(page_relative, absolute(s->demand.path))
MODEL(page_missing, s->demand.source != DEMAND_METRICS || s->demand.path[0])

/* --- PowerPool -------------------------------------------------------------------------------- */

static bool runs_program(const struct power_pool *p)
{
    return strcmp(p->driver.type, "exec") == 0;
}

static bool secrets_are_files(const struct power_pool *p)
{
    for (size_t i = 0; i < p->driver.secrets.n; i++)
        if (p->driver.secrets.pair[i].value[0] != '/')
            return false;
    return true;
}

static bool is_redfish(const struct power_pool *p)
{
    return strcmp(p->driver.type, "redfish") == 0;
}

/* "KEY", or "KEY/NODE". */
static bool key_is(const char *key, const char *word)
{
    size_t n = strlen(word);

    return strncmp(key, word, n) == 0 && (!key[n] || (key[n] == '/' && key[n + 1]));
}

static bool key_among(const char *key, const char *const *words)
{
    while (*words && !key_is(key, *words))
        words++;
    return *words != NULL;
}

static bool all_among(const struct string_map *m, const char *const *words,
                      const char *const *alone)
{
    for (size_t i = 0; i < m->n; i++)
        if (!key_among(m->pair[i].key, words) &&
            (strchr(m->pair[i].key, '/') || !key_among(m->pair[i].key, alone)))
            return false;
    return true;
}

/* Has some value of `word`, and each of them begins so. */
static bool all_begin(const struct string_map *m, const char *word, const char *begin)
{
    size_t found = 0;

    for (size_t i = 0; i < m->n; i++)
        if (key_is(m->pair[i].key, word)) {
            found++;
            if (strncmp(m->pair[i].value, begin, strlen(begin)) != 0)
                return false;
        }
    return found > 0;
}

static bool has_key(const struct string_map *m, const char *word)
{
    return all_begin(m, word, "");
}

static bool redfish_settings(const struct power_pool *p)
{
    static const char *const words[] = { "address", "user", "system", "fingerprint", NULL };
    static const char *const alone[] = { "login", "group", "groupCalls", NULL };

    return all_among(&p->driver.settings, words, alone);
}

static bool redfish_secrets(const struct power_pool *p)
{
    static const char *const words[] = { "password", "ca", NULL };
    static const char *const alone[] = { NULL };

    return all_among(&p->driver.secrets, words, alone);
}

static bool redfish_login(const struct power_pool *p)
{
    const char *login = string_map_get(&p->driver.settings, "login");

    return !login || strcmp(login, "session") == 0 || strcmp(login, "basic") == 0;
}

POOL(redfish_setting_unknown, !is_redfish(p) || redfish_settings(p))
POOL(redfish_address, !is_redfish(p) || all_begin(&p->driver.settings, "address", "https://"))
POOL(redfish_nobody, !is_redfish(p) || has_key(&p->driver.settings, "user"))
POOL(redfish_pin, !is_redfish(p) || !has_key(&p->driver.settings, "fingerprint") ||
                      all_begin(&p->driver.settings, "fingerprint", "sha256//"))
POOL(redfish_system, !is_redfish(p) || !has_key(&p->driver.settings, "system") ||
                         all_begin(&p->driver.settings, "system", "/"))
POOL(redfish_login_unknown, !is_redfish(p) || redfish_login(p))
POOL(redfish_secret_unknown, !is_redfish(p) || redfish_secrets(p))
POOL(redfish_password, !is_redfish(p) || has_key(&p->driver.secrets, "password"))
POOL(awake_over_most, p->max_awake < 0 || p->max_awake >= p->min_awake + p->spare)
POOL(program_missing, !runs_program(p) || p->driver.program[0])
POOL(program_relative, !runs_program(p) || absolute(p->driver.program))
POOL(secret_inline, secrets_are_files(p))

/* --- PowerPolicy ------------------------------------------------------------------------------ */

static bool has_price(const struct energy_rate *r)
{
    return r->source == RATE_FIXED ? r->value > 0 : r->source != RATE_NONE;
}

POLICY(horizon_short, p->horizon_ms >= p->interval_ms)
POLICY(price_not_fixed, p->price.source == RATE_FIXED || !(p->price.value > 0))
POLICY(carbon_missing, p->carbon.source != RATE_FIXED || !isnan(p->carbon.value))
POLICY(carbon_not_fixed, p->carbon.source == RATE_FIXED || isnan(p->carbon.value))
POLICY(cost_of_nothing, p->objective != OBJECTIVE_COST || has_price(&p->price))

/* What belongs to one source stands with that one, and only there. */
#define RATE(rate)                                                                      \
    POLICY(rate##_profile_missing, p->rate.source != RATE_PROFILE || p->rate.profile.n) \
    POLICY(rate##_profile_alone, p->rate.source == RATE_PROFILE || !p->rate.profile.n)  \
    POLICY(rate##_path_missing, p->rate.source != RATE_FILE || p->rate.path[0])         \
    POLICY(rate##_path_relative, p->rate.source != RATE_FILE || absolute(p->rate.path)) \
    POLICY(rate##_path_alone, p->rate.source == RATE_FILE || !p->rate.path[0])
RATE(price)
RATE(carbon)

/* --- the table -------------------------------------------------------------------------------- */

/* CEL: of fields without a default, which may be absent. */
#define TEXT_IN(group, name) \
    "(has(self." group ") && has(self." group "." name ") && self." group "." name " != '')"
#define TEXT(name) "(has(self." name ") && self." name " != '')"
#define LIST_IN(group, name) \
    "(has(self." group ") && has(self." group "." name ") && size(self." group "." name ") > 0)"
#define TARGET                                                                                 \
    "(" TEXT_IN("targetRef", "apiVersion") " || " TEXT_IN("targetRef", "kind") " || " TEXT_IN( \
        "targetRef", "name") ")"

#define NOT_REDFISH "self.driver.type != 'redfish'"
/* No regular expression over keys: an API server cannot bound what it costs. */
#define KEYED(name) "(k == '" name "' || (k.startsWith('" name "/') && k != '" name "/'))"
#define SOME(map, name) \
    "(has(self.driver." map ") && self.driver." map ".exists(k, " KEYED(name) "))"
#define EACH(map, name, begin)                                                                     \
    "self.driver." map ".all(k, !" KEYED(name) " || self.driver." map "[k].startsWith('" begin "'" \
                                               ")"                                                 \
                                               ")"

#define RATE_RULES(rate)                                                                          \
    { KIND_POWER_POLICY, #rate ".profile", "is missing; expected 24 numbers, for source profile", \
      "self." #rate ".source != 'profile' || " LIST_IN(#rate, "profile"),                         \
      rate##_profile_missing },                                                                   \
        { KIND_POWER_POLICY, #rate ".profile",                                                    \
          "is for source profile; expected that source, or no profile",                           \
          "self." #rate ".source == 'profile' || !" LIST_IN(#rate, "profile"),                    \
          rate##_profile_alone },                                                                 \
        { KIND_POWER_POLICY, #rate ".path",                                                       \
          "is missing; expected an absolute path, for source file",                               \
          "self." #rate ".source != 'file' || " TEXT_IN(#rate, "path"), rate##_path_missing },    \
        { KIND_POWER_POLICY, #rate ".path", "expected an absolute path, for source file",         \
          "self." #rate ".source != 'file' || !has(self." #rate ".path) || self." #rate           \
          ".path == '' || self." #rate ".path.startsWith('/')",                                   \
          rate##_path_relative },                                                                 \
    {                                                                                             \
        KIND_POWER_POLICY, #rate ".path", "is for source file; expected that source, or no path", \
            "self." #rate ".source == 'file' || !" TEXT_IN(#rate, "path"), rate##_path_alone      \
    }

static const struct manifest_rule RULES[] = {
    { KIND_SERVED_MODEL, "replicas.min", "is larger than spec.replicas.max; expected at most that",
      "self.replicas.min <= self.replicas.max", min_over_max },
    { KIND_SERVED_MODEL, "slo.latency",
      "is for requests that are served at once; expected that, or spec.deferrable",
      "!has(self.slo.latency) || !has(self.deferrable) || !has(self.deferrable.deadline)",
      two_ways_to_wait },
    { KIND_SERVED_MODEL, "disruption.minAvailable",
      "is larger than spec.replicas.max; expected at most that",
      "self.disruption.minAvailable <= self.replicas.max", available_over_max },
    { KIND_SERVED_MODEL, "process.command", "spec.runtime is given too; expected one of the two",
      "!" TEXT("runtime") " || !" LIST_IN("process", "command"), runtime_and_process },
    { KIND_SERVED_MODEL, "scaling.owner",
      "External is for spec.targetRef; expected that, or Huddle",
      "self.scaling.owner != 'External' || " TARGET, external_alone },
    { KIND_SERVED_MODEL, "scaling.replicas",
      "is for owner Huddle; expected that owner, or 0: an External one sets the workload's own",
      "self.scaling.owner != 'External' || self.scaling.replicas == 0", external_scaled },
    { KIND_SERVED_MODEL, "targetRef", "spec.runtime is given too; expected one of the two",
      "!" TEXT("runtime") " || !" TARGET, target_and_runtime },
    { KIND_SERVED_MODEL, "targetRef", "spec.process is given too; expected one of the two",
      "!" LIST_IN("process", "command") " || !" TARGET, target_and_process },
    { KIND_SERVED_MODEL, "targetRef.apiVersion", "is missing; expected one like apps/v1",
      "!" TARGET " || " TEXT_IN("targetRef", "apiVersion"), target_of_no_version },
    { KIND_SERVED_MODEL, "targetRef.kind", "is missing; expected one like Deployment",
      "!" TARGET " || " TEXT_IN("targetRef", "kind"), target_of_no_kind },
    { KIND_SERVED_MODEL, "targetRef.name", "is missing; expected the name of the workload",
      "!" TARGET " || " TEXT_IN("targetRef", "name"), target_of_no_name },
    { KIND_SERVED_MODEL, "readiness.command", "is missing; expected a command, for type exec",
      "self.readiness.type != 'exec' || " LIST_IN("readiness", "command"), exec_of_nothing },
    { KIND_SERVED_MODEL, "readiness.path", "expected a path that begins with /",
      "self.readiness.type != 'http' || self.readiness.path.startsWith('/')", probe_relative },
    { KIND_SERVED_MODEL, "demand.path", "expected a path that begins with /",
      "!" TEXT_IN("demand", "path") " || self.demand.path.startsWith('/')", page_relative },
    { KIND_SERVED_MODEL, "demand.path", "is missing; expected a path, for source metrics",
      "self.demand.source != 'metrics' || " TEXT_IN("demand", "path"), page_missing },

    { KIND_POWER_POOL, "maxAwake",
      "is smaller than spec.minAwake and spec.spare together; expected at least that",
      "!has(self.maxAwake) || self.maxAwake >= self.minAwake + self.spare", awake_over_most },
    { KIND_POWER_POOL, "driver.program", "is missing; expected an absolute path, for type exec",
      "self.driver.type != 'exec' || " TEXT_IN("driver", "program"), program_missing },
    { KIND_POWER_POOL, "driver.program", "expected an absolute path, for type exec",
      "self.driver.type != 'exec' || !" TEXT_IN(
          "driver", "program") " || self.driver.program.startsWith('/')",
      program_relative },
    { KIND_POWER_POOL, "driver.secrets",
      "expected of each the absolute path of a file that holds it, never the secret itself",
      "!has(self.driver.secrets) || self.driver.secrets.all(name, "
      "self.driver.secrets[name].startsWith('/'))",
      secret_inline },

    { KIND_POWER_POOL, "driver.settings",
      "expected of type redfish address, user, system and fingerprint, each also as KEY/NODE, "
      "login, "
      "group and groupCalls, nothing else",
      NOT_REDFISH " || !has(self.driver.settings) || self.driver.settings.all(k, "
                  "k in ['login', 'group', 'groupCalls'] || " KEYED("address") " || " KEYED(
                      "user") " || " KEYED("system") " || " KEYED("fingerprint") ")",
      redfish_setting_unknown },
    { KIND_POWER_POOL, "driver.settings",
      "expected an address that begins with https://, for type redfish",
      NOT_REDFISH " || " SOME("settings", "address") " && " EACH("settings", "address", "https://"),
      redfish_address },
    { KIND_POWER_POOL, "driver.settings", "expected a user, for type redfish",
      NOT_REDFISH " || " SOME("settings", "user"), redfish_nobody },
    { KIND_POWER_POOL, "driver.settings",
      "expected of each fingerprint sha256// and the key's hash in base64, for type redfish",
      NOT_REDFISH " || !has(self.driver.settings) || " EACH("settings", "fingerprint", "sha256//"),
      redfish_pin },
    { KIND_POWER_POOL, "driver.settings",
      "expected of each system its path, like /redfish/v1/Systems/1, for type redfish",
      NOT_REDFISH " || !has(self.driver.settings) || " EACH("settings", "system", "/"),
      redfish_system },
    { KIND_POWER_POOL, "driver.settings", "expected as login session or basic, for type redfish",
      NOT_REDFISH " || !has(self.driver.settings) || !('login' in self.driver.settings) || "
                  "self.driver.settings['login'] in ['session', 'basic']",
      redfish_login_unknown },
    { KIND_POWER_POOL, "driver.secrets",
      "expected of type redfish password and ca, each also as KEY/NODE, nothing else",
      NOT_REDFISH " || !has(self.driver.secrets) || self.driver.secrets.all(k, " KEYED(
          "password") " || " KEYED("ca") ")",
      redfish_secret_unknown },
    { KIND_POWER_POOL, "driver.secrets", "expected a password, for type redfish",
      NOT_REDFISH " || " SOME("secrets", "password"), redfish_password },

    { KIND_POWER_POLICY, "horizon", "is shorter than spec.interval; expected at least that",
      CEL_DURATION_MS("self.horizon") " >= " CEL_DURATION_MS("self.interval"), horizon_short },
    { KIND_POWER_POLICY, "pricePerKwh",
      "is for spec.price.source fixed; expected that, or no pricePerKwh",
      "self.price.source == 'fixed' || self.pricePerKwh <= 0.0", price_not_fixed },
    { KIND_POWER_POLICY, "carbon.value", "is missing; expected gCO2/kWh, for source fixed",
      "self.carbon.source != 'fixed' || has(self.carbon.value)", carbon_missing },
    { KIND_POWER_POLICY, "carbon.value", "is for source fixed; expected that source, or no value",
      "self.carbon.source == 'fixed' || !has(self.carbon.value)", carbon_not_fixed },
    { KIND_POWER_POLICY, "objective",
      "cost needs a price; set spec.pricePerKwh or spec.price.source",
      "self.objective != 'cost' || "
      "(self.price.source == 'fixed' ? self.pricePerKwh > 0.0 : self.price.source != 'none')",
      cost_of_nothing },
    RATE_RULES(price),
    RATE_RULES(carbon),
    { KIND_COUNT, NULL, NULL, NULL, NULL },
};

const struct manifest_rule *manifest_rules(void)
{
    return RULES;
}

const struct manifest_rule *manifest_rule_broken(const struct manifest *m)
{
    for (const struct manifest_rule *r = RULES; r->path; r++)
        if (r->kind == m->kind && r->broken(m))
            return r;
    return NULL;
}
