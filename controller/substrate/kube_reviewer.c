#include "controller/substrate/kube_reviewer.h"

#include <stdlib.h>
#include <string.h>

#include "controller/kube_client/kube_client.h"
#include "controller/kubernetes/verdicts.h"
#include "proto/base/array.h"

#define ANSWER_MS 5000

struct review {
    struct kube_reviewer *reviewer;
    struct review *next, **back;
    uint64_t ticket;
    unsigned char hash[KUBE_HASH_BYTES];
    char *token, *user, *address;
    int64_t until_ms; /* boot time: what is not answered by then is refused */
    char *verb, *resource, *sub, *name, *path;
    struct access_asked asked; /* of these copies */
    const char *audience;      /* NULL: the API server's own */
    struct kube_call *call;
};

struct kube_reviewer {
    struct loop *loop;
    struct kube_client *client;
    struct verdicts *verdicts;
    struct review *reviews;
    size_t n_reviews;
    kube_verdict_fn *fn;
    void *data;
};

static void review_free(struct review *r)
{
    *r->back = r->next;
    if (r->next)
        r->next->back = r->back;
    r->reviewer->n_reviews--;
    kube_cancel(r->call);
    if (r->token) /* nobody finds it in memory that is used again */
        explicit_bzero(r->token, strlen(r->token));
    free(r->token);
    free(r->user);
    free(r->address);
    free(r->verb);
    free(r->resource);
    free(r->sub);
    free(r->name);
    free(r->path);
    free(r);
}

static void review_end(struct review *r, int status, const char *why)
{
    struct kube_reviewer *k = r->reviewer;
    struct verdict said = { status, xstrdup(r->user ? r->user : ""), xstrdup(why) };
    uint64_t ticket = r->ticket;

    if (status != 503)
        verdicts_keep(k->verdicts, r->hash, &r->asked, &said, loop_now_ms(k->loop),
                      status == 200 ? KUBE_YES_MS : KUBE_NO_MS);
    review_free(r);
    k->fn(k->data, ticket, status, said.user, said.why);
    free(said.user);
    free(said.why);
}

/* What could not be asked is refused, and says whose fault it is. */
static void review_fail(struct review *r, const char *plural, const struct kube_status *status)
{
    struct err why = ERR_INIT;

    if (status->reason == KUBE_FORBIDDEN)
        err_text(&why,
                 "huddle may not ask Kubernetes whose token this is, and what he may: its account "
                 "lacks create of %s (deploy/kubernetes/observe/users.yaml)",
                 plural);
    else
        err_text(&why, "Kubernetes does not say whose token this is, and what he may: %s",
                 status->message.text);
    review_end(r, 503, why.text);
}

static void send(struct review *r, const char *path, json_t *question, kube_done_fn *fn)
{
    const struct kube_request request = { .method = "POST",
                                          .path = path,
                                          .content_type = "application/json",
                                          .body = question,
                                          .total_ms = ANSWER_MS,
                                          .not_after_ms = r->until_ms,
                                          .prompt = true };
    struct kube_status status = { .reason = KUBE_UNREACHABLE };
    int sent = kube_send(r->reviewer->client, &request, fn, r, &r->call, &status.message);

    json_decref(question);
    if (sent < 0)
        review_fail(r, "", &status);
}

static void on_access(void *data, const struct kube_answer *answer)
{
    struct review *r = data;
    struct err why = ERR_INIT;

    r->call = NULL;
    if (answer->status.reason != KUBE_OK)
        review_fail(r, "subjectaccessreviews", &answer->status);
    else
        review_end(r, access_answer(answer->object, r->user, &r->asked, &why) == 0 ? 200 : 403,
                   why.text);
}

static void on_token(void *data, const struct kube_answer *answer)
{
    struct review *r = data;
    const json_t *user = NULL;
    struct err why = ERR_INIT;
    int known;

    r->call = NULL;
    if (answer->status.reason != KUBE_OK) {
        review_fail(r, "tokenreviews", &answer->status);
        return;
    }
    known = token_answer(answer->object, r->audience, &user, &why);
    if (known < 0 && !r->audience) { /* one made for huddle alone? */
        r->audience = HUDDLE_AUDIENCE;
        send(r, TOKEN_REVIEWS, token_question(r->token, r->audience), on_token);
    } else if (known < 0) {
        review_end(r, 401, why.text);
    } else {
        r->user = xstrdup(json_string_value(json_object_get(user, "username")));
        if (r->asked.identity)
            review_end(r, 200, "");
        else if (r->asked.verb[0])
            send(r, ACCESS_REVIEWS, access_question(user, &r->asked), on_access);
        else
            review_end(r, 403, "this request has no word in RBAC: users of Kubernetes may not");
    }
}

static struct review *review_new(struct kube_reviewer *k, uint64_t ticket,
                                 const struct kube_question *q)
{
    struct review *r = xcalloc(1, sizeof(*r));

    *r = (struct review){ .reviewer = k,
                          .next = k->reviews,
                          .back = &k->reviews,
                          .ticket = ticket,
                          .token = xstrdup(q->token),
                          .address = xstrdup(q->address),
                          .until_ms = loop_now_ms(k->loop) + ANSWER_MS,
                          .verb = xstrdup(q->asked.verb),
                          .resource = xstrdup(q->asked.resource),
                          .sub = xstrdup(q->asked.sub),
                          .name = xstrdup(q->asked.name),
                          .path = xstrdup(q->asked.path) };
    r->asked =
        (struct access_asked){ q->asked.identity, r->verb, r->resource, r->sub, r->name, r->path };
    memcpy(r->hash, q->hash, KUBE_HASH_BYTES);
    if (r->next)
        r->next->back = &r->next;
    k->reviews = r;
    k->n_reviews++;
    return r;
}

static size_t reviews_of(const struct kube_reviewer *k, const char *address)
{
    size_t n = 0;

    for (const struct review *r = k->reviews; r; r = r->next)
        n += strcmp(r->address, address) == 0;
    return n;
}

void kube_reviewer_ask(struct kube_reviewer *k, uint64_t ticket, const struct kube_question *q)
{
    const struct verdict *known =
        verdicts_find(k->verdicts, q->hash, &q->asked, loop_now_ms(k->loop));

    if (known)
        k->fn(k->data, ticket, known->status, known->user, known->why);
    else if (k->n_reviews >= KUBE_REVIEWS_MOST)
        k->fn(k->data, ticket, 503, "",
              "too many ask at once whose tokens Kubernetes has to be asked about");
    else if (reviews_of(k, q->address) >= KUBE_REVIEWS_OF_ONE)
        k->fn(
            k->data, ticket, 503, "",
            "too many ask at once from this address whose tokens Kubernetes has to be asked about");
    else
        send(review_new(k, ticket, q), TOKEN_REVIEWS, token_question(q->token, NULL), on_token);
}

int kube_reviewer_new(struct loop *l, struct kube_config *config, kube_verdict_fn *fn, void *data,
                      struct kube_reviewer **ret_reviewer, struct err *e)
{
    struct kube_reviewer *k = xcalloc(1, sizeof(*k));
    int r;

    *k = (struct kube_reviewer){ .loop = l, .fn = fn, .data = data };
    k->verdicts = verdicts_new(KUBE_VERDICTS_MOST);
    r = kube_client_new(l, config, &k->client, e);
    if (r < 0)
        kube_reviewer_free(k);
    else
        *ret_reviewer = k;
    return r;
}

void kube_reviewer_free(struct kube_reviewer *k)
{
    if (!k)
        return;
    for (struct review *r = k->reviews, *next; r; r = next) {
        next = r->next;
        review_free(r);
    }
    kube_client_free(k->client);
    verdicts_free(k->verdicts);
    free(k);
}
