/* Questions and answers: see load_model.h. */
#include "tests/lab/load_model.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "deploy/examples/classifier/predict.h"

static int address_read(const char *text, struct sockaddr_in *ret_address)
{
    const char *colon = strrchr(text, ':');
    char host[64];
    long port = colon ? strtol(colon + 1, NULL, 10) : 0;

    if (!colon || (size_t)(colon - text) >= sizeof(host) || port < 1 || port > 65535)
        return -EINVAL;
    memcpy(host, text, (size_t)(colon - text));
    host[colon - text] = '\0';
    *ret_address = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
    return inet_pton(AF_INET, host, &ret_address->sin_addr) == 1 ? 0 : -EINVAL;
}

int model_option(struct model *m, int option, const char *value)
{
    switch (option) {
    case 'a':
        return address_read(value, &m->address);
    case 'p':
        m->path = value;
        return 0;
    case 'h':
        m->host = value;
        return 0;
    case 'w':
        m->weights = value;
        return 0;
    case 'n':
        m->passes = strtol(value, NULL, 10);
        return m->passes > 0 ? 0 : -EINVAL;
    default:
        return -EINVAL;
    }
}

static void question_body(struct strbuf *body, unsigned seed, size_t model, size_t number)
{
    struct random r = random_stream(seed, 1000 + model, number, 0);

    strbuf_putc(body, '[');
    for (unsigned i = 0; i < NETWORK_INPUTS; i++)
        strbuf_printf(body, "%s%.6f", i ? "," : "", 4 * random_unit(&r) - 2);
    strbuf_putc(body, ']');
}

static int question_make(const struct model *m, struct network *n, struct strbuf *body,
                         struct question *ret_question, struct err *e)
{
    AUTO(strbuf) struct strbuf request = STRBUF_INIT, answer = STRBUF_INIT;
    int r = predict_answer(n, strbuf_text(body), body->length, &answer, e);

    if (r < 0)
        return r;
    strbuf_printf(&request,
                  "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\n"
                  "Content-Length: %zu\r\n\r\n%s",
                  m->path, m->host ? m->host : m->name, body->length, strbuf_text(body));
    ret_question->n_request = request.length;
    ret_question->n_answer = answer.length;
    ret_question->request = strbuf_take(&request);
    ret_question->answer = strbuf_take(&answer);
    return 0;
}

int model_prepare(struct model *m, size_t index, const struct load_table *table, unsigned seed,
                  struct err *e)
{
    AUTO(network) struct network *n = NULL;
    int column = load_table_column(table, m->name), r;

    if (column < 0 || !m->weights || !m->path || !m->address.sin_port)
        return err_set(e, -EINVAL,
                       "model %s: expected its column in the table, --weights, --address, --path",
                       m->name);
    r = network_load(m->weights, &n, e);
    if (r < 0)
        return r;
    network_smooth(n, (uint32_t)m->passes);
    for (size_t q = 0; q < MODEL_QUESTIONS; q++) {
        AUTO(strbuf) struct strbuf body = STRBUF_INIT;

        question_body(&body, seed, index, q);
        r = question_make(m, n, &body, &m->questions[q], e);
        if (r < 0)
            return r;
    }
    arrivals_init(&m->arrivals, table, (size_t)column, seed);
    return 0;
}

void model_done(struct model *m)
{
    for (size_t q = 0; q < MODEL_QUESTIONS; q++) {
        free(m->questions[q].request);
        free(m->questions[q].answer);
    }
}
