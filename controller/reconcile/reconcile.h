/* From the plan in force and the present facts to acts: level-triggered and idempotent. Every call
 * looks at everything again; what is already so is left alone.
 *
 * Replicas (G2, make before break): missing ones are started; a surplus one is drained only while
 * the model keeps its floor without it, and its successor, if it has one, serves; it is stopped
 * only when the front door says that nothing is in flight; it is forgotten when its agent says it
 * is gone. A replica that does not become ready is given up and what it should replace is kept.
 * Outdated ones are replaced as moved ones are: see rollout.h.
 * Nodes: node_lifecycle() is called with the facts and permissions of the moment. */
#ifndef HUDDLE_RECONCILE_H
#define HUDDLE_RECONCILE_H

#include "controller/core.h"
#include "controller/reconcile/limits.h"

void reconcile(struct controller *c);

/* Only the life cycle of one node (its agent just spoke). */
void reconcile_node(struct controller *c, struct node *n);

/* --- for the parts of this module ------------------------------------------------------------- */

/* Counts pools, policies and models anew for budgets and floors. */
void budget_count(struct controller *c);
void budget_moved(struct controller *c, const struct node *n, enum node_state before);
void budget_woken(struct controller *c, const struct node *n); /* On was sent */

/* The present counts of a pool (NULL: of none) and its policy. */
struct limits budget_limits(const struct controller *c, const struct pool *p);

/* Why no node of the pool may leave now; NULL: one may. Static text. */
const char *budget_no_sleep(const struct controller *c, const struct node *n);
bool budget_wake(const struct controller *c, const struct node *n);

/* May it be woken because its pool is released? However many are awake, and also on a dry run. */
bool budget_release(const struct controller *c, const struct node *n);
bool budget_wakes_left(const struct controller *c, const struct node *n); /* dry run or not */

/* Why the cluster could not do without this empty node on present facts (T5); NULL: it can. */
const char *budget_no_commit(struct controller *c, const struct node *n);

/* Why nothing may be consolidated now, anywhere; NULL: it may. Static text. */
const char *reconcile_frozen(const struct controller *c);

/* starts.c: one placement of the plan that is not there yet; why it may not be started now, or
 * NULL; the start that made a replica, or NULL; no more tries of the model on that node for a
 * while, for longer each time ("": the model as such, of which a move was taken back); is that so
 * now; not any more; its port was taken there: may another one be tried now?; all tries again at
 * once; forgets failures whose pause has been over for an hour, and those of models and nodes that
 * are gone. */
void start_step(struct controller *c, struct start *s);
const char *start_why_not(struct controller *c, const struct start *s);
struct start *start_of(struct controller *c, const char *uid);
void start_back_off(struct controller *c, const char *model, const char *node);
bool start_backs_off(struct controller *c, const char *model, const char *node);
void start_back_again(struct controller *c, const char *model, const char *node);
bool start_other_port(struct controller *c, const char *model, const char *node);
void start_try_again(struct controller *c, const char *model);
void start_forget_failures(struct controller *c);

/* Is its power known to have been off since it was last heard? Then nothing runs on it, and an
 * agent that comes up starts no exclusive replica by itself. */
bool reconcile_is_off(const struct node *n);

void act_on_replica(struct controller *c, const struct replica *r, const char *act,
                    const char *reason, const char *by); /* journals it */

/* Its row, its place at the front door, its text: nothing of it is left. Frees it. */
void replica_forget(struct controller *c, struct replica *r);

/* nodes.c: what is known of the node now, its wishes and permissions apart. */
struct node_facts;
void reconcile_facts(struct controller *c, struct node *n, struct node_facts *ret_facts);

/* Why it must not sleep, whatever the node by itself may; NULL: it may. Static text. */
const char *reconcile_disputed(const struct node *n);

/* test_wish.c: what a wake test asks of the life cycle; what came of it, to journal and people;
 * why none may begin, with the way out: NULL: it may, else static text or `text`. */
void test_wish(struct controller *c, struct node *n, struct node_facts *f);
void test_told(struct controller *c, struct node *n, const struct node_record *before);
const char *test_refusal(struct controller *c, struct node *n, uint32_t cycles, char *text,
                         size_t size);

/* kube_moves.c: moves of the plan where replicas are pods; `acting`: the plan may be acted on.
 * Those in hand, for budgets. */
void reconcile_kube_moves(struct controller *c, bool acting);
void kube_moves_count(struct controller *c);

/* Are the pods of a model brought together? For people: how it stands, in one CamelCase word, and a
 * sentence, borrowed until the next step. */
struct kube_moves_word {
    bool on;
    const char *reason, *why;
};
struct kube_moves_word kube_moves_tell(struct controller *c, const struct model *m);

void reconcile_replicas(struct controller *c);
void reconcile_nodes(struct controller *c);
void reconcile_windows(struct controller *c);

#endif
