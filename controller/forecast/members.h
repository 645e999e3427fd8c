/* The members together: who they are, what each says, how much each counts. Their faded losses make
 * the weights (exponentially weighted average forecaster: Cesa-Bianchi and Lugosi, Prediction,
 * Learning, and Games, 2006, chapter 2; the loss relative to the best one's, so that no scale is
 * needed). A member that goes wild (a forecast that is no number, or far outside of what demand can
 * be) is not listened to for MEMBERS_BANNED steps; one that no longer says numbers starts over.
 * Plain data of fixed size; members_init() before use. */
#ifndef HUDDLE_MEMBERS_H
#define HUDDLE_MEMBERS_H

#include "controller/forecast/analogues.h"
#include "controller/forecast/contest.h"
#include "controller/forecast/member.h"
#include "controller/forecast/regression.h"

#define MEMBERS_BANNED 12u

enum member {
    MEMBER_LAST,
    MEMBER_MEDIAN,
    MEMBER_PROFILE,
    MEMBER_LOG_PROFILE,
    MEMBER_REGRESSION,
    MEMBER_ANALOGUES,
    MEMBER_NETWORK,
    MEMBERS
};

struct members {
    struct regression regression;
    struct analogues analogues;
    struct network network;
    struct dense *large; /* speaks in the small one's place; NULL: it does not */
    float large_ahead[DENSE_AHEAD];
    float loss[MEMBERS];
    uint32_t without;        /* bits of members that are left out */
    uint8_t banned[MEMBERS]; /* steps for which a wild one is not listened to */
    enum member leader;      /* the banned one that had most of the weight, or MEMBERS */
};

const char *member_name(const struct members *m, enum member i); /* "last value" */

void members_init(struct members *m, uint32_t without);

void members_done(struct members *m);

/* The winner of the contest takes its place. */
void members_settle(struct members *m, const struct contest *c);

/* The learners learn from the newest step; the wild are banned. */
void members_add(struct members *m, const struct past *p);

void members_weigh(const struct members *m, float weight[MEMBERS]);

/* What each says h steps ahead (NAN: nothing), and their weighted mean. */
float members_forecast(const struct members *m, const struct past *p, const float weight[MEMBERS],
                       uint32_t h, float value[MEMBERS]);

/* Once a step that was observed, before the judgements of it. */
void members_fade(struct members *m);

/* `point`: what the ensemble said; a member that said nothing is charged twice its error. */
void members_judge(struct members *m, const float value[MEMBERS], float point, float truth,
                   float horizon_share);

/* A new season changes what those without state say: they are judged anew by what they would have
 * said. */
void members_replay(struct members *m, const struct past *p);

#endif
