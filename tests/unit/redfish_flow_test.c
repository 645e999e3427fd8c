/* The questions of the driver "redfish" without a network: a BMC that is a table of answers. What
 * BMCs of flesh and blood do to it: tests/integration/test_redfish.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/power/redfish_flow.h"
#include "proto/base/array.h"
#include "proto/base/strbuf.h"

#define ROOT                                                \
    "{\"Systems\":{\"@odata.id\":\"/redfish/v1/Systems\"}," \
    "\"Links\":{\"Sessions\":{\"@odata.id\":\"/s\"}}}"
#define BARE_ROOT "{\"Systems\":{\"@odata.id\":\"/redfish/v1/Systems\"}}"
#define MEMBERS "{\"Members\":[{\"@odata.id\":\"/redfish/v1/Systems/1\"}]}"
#define SYSTEM(word)                                                                          \
    "{\"PowerState\":\"" word "\",\"Actions\":{\"#ComputerSystem.Reset\":{\"target\":\"/r\"," \
    "\"ResetType@Redfish.AllowableValues\":[\"On\",\"ForceOff\"]}}}"

struct answer {
    int status; /* 0: lost */
    const char *body, *token, *location, *etag;
};

struct play {
    struct redfish_bmc bmc;
    struct redfish_order order;
    struct strbuf asked; /* "GET /path; " of all */
};

static void init(struct play *p, enum power_action action)
{
    *p = (struct play){
        .order = { .origin = "https://bmc", .user = "u", .password = "p", .action = action }
    };
}

static void done(struct play *p)
{
    redfish_bmc_done(&p->bmc);
    strbuf_done(&p->asked);
}

/* The last answer is given to all questions that are left; never more than 20 in all. */
static struct redfish_result run(struct play *p, const struct answer *answers, size_t n)
{
    struct redfish_flow *f = redfish_flow_new(&p->bmc, &p->order);
    struct redfish_result result;
    struct redfish_ask ask;

    strbuf_clear(&p->asked);
    for (size_t i = 0; redfish_flow_ask(f, &ask); i++) {
        const struct answer *a = &answers[i < n ? i : n - 1];
        const struct redfish_answer told = { .loss = a->status ? REDFISH_ANSWERED : REDFISH_LOST,
                                             .why = "gone",
                                             .status = a->status,
                                             .body = a->body ? a->body : "",
                                             .n = a->body ? strlen(a->body) : 0,
                                             .token = a->token,
                                             .location = a->location,
                                             .etag = a->etag };

        assert_true(i < 20);
        strbuf_printf(&p->asked, "%s %s%s%s%s; ", ask.method, ask.path, ask.basic ? " basic" : "",
                      ask.token ? " " : "", ask.token ? ask.token : "");
        if (ask.if_match)
            strbuf_printf(&p->asked, "if %s; ", ask.if_match);
        redfish_flow_answer(f, &told);
    }
    result = *redfish_flow_result(f);
    result.uuid = NULL;
    redfish_flow_free(f);
    return result;
}

#define RUN(p, ...)                                \
    run(p, (const struct answer[]){ __VA_ARGS__ }, \
        sizeof((const struct answer[]){ __VA_ARGS__ }) / sizeof(struct answer))

#define OK(text)                      \
    {                                 \
        .status = 200, .body = (text) \
    }
#define SAYS(number)       \
    {                      \
        .status = (number) \
    }
#define LOGIN(name, path)                                                \
    {                                                                    \
        .status = 201, .body = "{}", .token = (name), .location = (path) \
    }

static void the_whole_way_and_then_the_short_one(void **state)
{
    struct redfish_result r;
    struct play p;

    (void)state;
    init(&p, POWER_WAKE);
    r = RUN(&p, OK(ROOT), LOGIN("t1", "https://bmc/s/7"), OK(MEMBERS), OK(SYSTEM("Off")),
            SAYS(204));
    assert_int_equal(r.outcome, POWER_ACCEPTED);
    assert_string_equal(strbuf_text(&p.asked),
                        "GET /redfish/v1/; POST /s; GET /redfish/v1/Systems t1; "
                        "GET /redfish/v1/Systems/1 t1; POST /r t1; ");
    assert_string_equal(p.bmc.session, "/s/7");
    p.order.action = POWER_PROBE;
    r = RUN(&p, OK(MEMBERS), OK(SYSTEM("On")));
    assert_int_equal(r.outcome, POWER_DONE);
    assert_int_equal(r.reading, POWER_ON);
    done(&p);
}

/* A session that ends between a reset and the reading that judges it: no second reset. */
static void what_was_sent_is_not_sent_again_after_a_login(void **state)
{
    struct redfish_result r;
    struct play p;

    (void)state;
    init(&p, POWER_WAKE);
    p.order.system = "/redfish/v1/Systems/1";
    (void)RUN(&p, OK(ROOT), LOGIN("t1", "/s/1"), OK(SYSTEM("On")));
    r = RUN(&p, OK(SYSTEM("Off")), SAYS(409), SAYS(401), LOGIN("t2", "/s/2"), OK(SYSTEM("Off")));
    assert_int_equal(r.outcome, POWER_REFUSED);
    assert_string_equal(strbuf_text(&p.asked),
                        "GET /redfish/v1/Systems/1 t1; POST /r t1; GET /redfish/v1/Systems/1 t1; "
                        "POST /s; GET /redfish/v1/Systems/1 t2; ");
    done(&p);
}

static void a_401_for_ever_ends_it(void **state)
{
    struct redfish_result r;
    struct play p;

    (void)state;
    init(&p, POWER_WAKE);
    r = RUN(&p, OK(ROOT), LOGIN("t1", "/s/1"), SAYS(401));
    assert_int_equal(r.outcome, POWER_AUTH);
    assert_true(r.retry_after_ms > 0);
    done(&p);
    init(&p, POWER_WAKE);
    r = RUN(&p, OK(BARE_ROOT), SAYS(401));
    assert_int_equal(r.outcome, POWER_AUTH);
    assert_string_equal(strbuf_text(&p.asked), "GET /redfish/v1/; GET /redfish/v1/Systems basic; ");
    done(&p);
}

static void a_428_is_obeyed_once(void **state)
{
    struct redfish_result r;
    struct play p;

    (void)state;
    init(&p, POWER_WAKE);
    p.order.basic = true;
    p.order.system = "/redfish/v1/Systems/1";
    r = RUN(&p, OK(SYSTEM("Off")), SAYS(428), { .status = 200, .body = "{}", .etag = "\"e\"" },
            SAYS(428), OK(SYSTEM("Off")));
    assert_int_equal(r.outcome, POWER_REFUSED);
    assert_string_equal(strbuf_text(&p.asked),
                        "GET /redfish/v1/Systems/1 basic; POST /r basic; GET /r basic; "
                        "POST /r basic; if \"e\"; GET /redfish/v1/Systems/1 basic; ");
    done(&p);
}

static void paths_that_moved_are_asked_for_again(void **state)
{
    struct play p;

    (void)state;
    init(&p, POWER_PROBE);
    (void)RUN(&p, OK(BARE_ROOT), SAYS(404));
    assert_false(p.bmc.rooted);
    (void)RUN(&p, OK(BARE_ROOT), OK(MEMBERS), OK(SYSTEM("On")));
    assert_true(p.bmc.rooted);
    done(&p);
}

static void references_lead_nowhere_else(void **state)
{
    static const struct {
        const char *reference, *path;
    } CASES[] = {
        { "/redfish/v1", "/redfish/v1" },
        { "https://bmc/x", "/x" },
        { "HTTPS://BMC/x", "/x" },
        { "https://bmc.evil/x", NULL },
        { "https://bmc:8443/x", NULL },
        { "http://bmc/x", NULL },
        { "//evil/x", NULL },
        { "https://bmc//evil", NULL },
        { "redfish/v1", NULL },
        { "", NULL },
        { "/a b", NULL },
        { "/a\r\nX: y", NULL },
        { "https://bmc@evil/", NULL },
        { NULL, NULL },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        char *path = NULL;
        struct err e = ERR_INIT;
        int r = redfish_path("https://bmc", CASES[i].reference, &path, &e);

        if (CASES[i].path)
            assert_string_equal(path, CASES[i].path);
        assert_int_equal(r == 0, CASES[i].path != NULL);
        free(path);
    }
}

static void malformed_answers_are_never_a_reading(void **state)
{
    static const char *const BODIES[] = {
        "",
        "{",
        "[]",
        "null",
        "{\"PowerState\":\"Off\"",
        "{\"PowerState\":\"Off\"}x",
        "{\"PowerState\":\"Off\",\"PowerState\":\"On\"}",
        "{\"PowerState\":[\"Off\"]}",
        "{\"PowerState\":\"off\"}",
        "{\"PowerState\":\"Off\\u0000\"}",
        "{\"powerstate\":\"Off\"}",
        "{\"PowerState\":\"Off\",\"Actions\":{\"#ComputerSystem.Reset\":{\"target\":\"//x\"}}}",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(BODIES); i++) {
        struct redfish_result r;
        struct play p;

        init(&p, POWER_PROBE);
        p.order.basic = true;
        p.order.system = "/redfish/v1/Systems/1";
        r = RUN(&p, OK(BODIES[i]));
        if (r.reading != POWER_UNKNOWN)
            fail_msg("%s is a reading", BODIES[i]);
        done(&p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_whole_way_and_then_the_short_one),
        cmocka_unit_test(what_was_sent_is_not_sent_again_after_a_login),
        cmocka_unit_test(a_401_for_ever_ends_it),
        cmocka_unit_test(a_428_is_obeyed_once),
        cmocka_unit_test(paths_that_moved_are_asked_for_again),
        cmocka_unit_test(references_lead_nowhere_else),
        cmocka_unit_test(malformed_answers_are_never_a_reading),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
