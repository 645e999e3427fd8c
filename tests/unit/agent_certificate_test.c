/* The agent's side of certificates: the answer that it takes, where it reports then, and when it
 * asks for the next one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/enrolment.h"
#include "agent/join.h"
#include "agent/renewal.h"
#include "controller/pki/authority.h"
#include "proto/base/array.h"
#include "proto/base/cleanup.h"
#include "proto/certificate.h"

#define UID "00112233445566778899aabbccddeeff"
#define DAY_MS AUTHORITY_DAY_MS
#define NOW_MS INT64_C(1790000000000)

static void the_port_is_the_controllers_word(void **state)
{
    static const struct {
        const char *url, *wanted;
    } CASES[] = {
        { "https://ctl:7443", "https://ctl:7444" },
        { "https://ctl", "https://ctl:7444" },
        { "https://ctl:7443/", "https://ctl:7444" },
        { "https://[2001:db8::1]:7443", "https://[2001:db8::1]:7444" },
        { "https://[2001:db8::1]", "https://[2001:db8::1]:7444" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        AUTO(mem) char *url = join_url(CASES[i].url, 7444);

        assert_string_equal(url, CASES[i].wanted);
    }
}

/* At two thirds of its life, or a little earlier; nodes of one day on different ones. */
static void the_next_one_is_asked_for_in_time(void **state)
{
    int64_t least = INT64_MAX, most = 0;

    (void)state;
    for (int i = 0; i < 1000; i++) {
        char uid[CERTIFICATE_UID_MAX];
        int64_t due;

        (void)snprintf(uid, sizeof(uid), "%032x", i);
        due = renewal_due_ms(0, 90 * DAY_MS, uid);
        assert_true(due <= 60 * DAY_MS && due > 52 * DAY_MS);
        least = due < least ? due : least;
        most = due > most ? due : most;
    }
    assert_true(most - least > 7 * DAY_MS);
    assert_true(renewal_due_ms(0, 3, UID) <= 3); /* of any length */
}

static char *answer_of(const char *certificate, const char *authorities, int port)
{
    json_t *answer = json_pack("{s:s, s:s, s:i}", "certificate", certificate, "authorities",
                               authorities, "agentsPort", port);
    char *text = json_dumps(answer, 0);

    json_decref(answer);
    return text;
}

static int read_answer(char *text, const char *key, const char *node)
{
    struct enrolment a = { NULL, NULL, 0 };
    struct err e = ERR_INIT;
    int r = enrolment_read(text, strlen(text), key, node, &a, &e);

    assert_true(r == 0 || e.text[0]);
    assert_true(r == 0 ? a.certificate && a.agents_port == 7444 : !a.certificate);
    enrolment_done(&a);
    free(text);
    return r;
}

static void an_answer_is_for_this_node_or_for_nothing(void **state)
{
    AUTO(mem)
    char *ca = NULL, *ca_key = NULL, *key = NULL, *other = NULL, *request = NULL, *text = NULL;
    struct authority *a = NULL;
    struct err e = ERR_INIT;

    (void)state;
    assert_int_equal(authority_make(NOW_MS, &ca, &ca_key, &e), 0);
    assert_int_equal(authority_new(ca, ca_key, &a, &e), 0);
    assert_int_equal(certificate_key(&key, &e), 0);
    assert_int_equal(certificate_key(&other, &e), 0);
    assert_int_equal(certificate_request(key, "n1", &request, &e), 0);
    assert_int_equal(authority_sign_agent(a, request, UID, NOW_MS, &text, &e), 0);
    assert_int_equal(read_answer(answer_of(text, ca, 7444), key, "n1"), 0);
    assert_int_equal(read_answer(answer_of(text, ca, 7444), key, "n2"), -EBADMSG);
    assert_int_equal(read_answer(answer_of(text, ca, 7444), other, "n1"), -EBADMSG);
    assert_int_equal(read_answer(answer_of(text, text, 7444), key, "n1"), -EBADMSG);
    assert_int_equal(read_answer(answer_of(text, "", 7444), key, "n1"), -EBADMSG);
    assert_int_equal(read_answer(answer_of("", ca, 7444), key, "n1"), -EBADMSG);
    assert_int_equal(read_answer(answer_of(text, ca, 70000), key, "n1"), -EBADMSG);
    assert_int_equal(read_answer(strdup("{"), key, "n1"), -EBADMSG);
    assert_int_equal(read_answer(strdup("[]"), key, "n1"), -EBADMSG);
    authority_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_port_is_the_controllers_word),
        cmocka_unit_test(the_next_one_is_asked_for_in_time),
        cmocka_unit_test(an_answer_is_for_this_node_or_for_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
