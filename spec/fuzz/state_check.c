/* SPDX-License-Identifier: MIT */
/* The states of a purchase, written down a second time: the arrows of the drawing, the event that
 * takes each of them, and that there is no other way. Whoever changes the table of ledger/state.c
 * must say the same here, as one line. */

#include <string.h>

#include "ledger/state.h"
#include "tally.h"

#define S(x) SPRAAY_STATE_##x
#define E(x) SPRAAY_EVENT_##x

#define COUNT(list) (sizeof(list) / sizeof(list)[0])

struct move {
    spraay_state from;
    spraay_event event;
    spraay_state to;
};

/* Moves along the arrows of the drawing. */
static const struct move arrows[] = {
    { S(NONE), E(CLAIM), S(INTENT) },
    { S(INTENT), E(RESERVE), S(RESERVED) },
    { S(RESERVED), E(ASK), S(ASKED) },
    { S(RESERVED), E(SIGN), S(SIGNED) },
    { S(ASKED), E(SIGN), S(SIGNED) },
    { S(ASKED), E(DECLINE), S(RESERVED) }, /* the signer says that it did not */
    { S(SIGNED), E(SEND), S(SENT) },
    { S(SIGNED), E(UNSENT), S(RESERVED) }, /* no byte was sent */
    { S(SENT), E(UNSENT), S(RESERVED) },   /* the same, told after it was handed to the transport */
    { S(SENT), E(DELIVER), S(DELIVERED) },
    { S(SENT), E(LOSE), S(UNKNOWN) },
    { S(SENT), E(PROVE_USED), S(PAID_LOST) },
    { S(UNKNOWN), E(SEND), S(SENT) }, /* presented again */
    { S(UNKNOWN), E(DELIVER), S(DELIVERED) },
    { S(UNKNOWN), E(PROVE_USED), S(PAID_LOST) },
    { S(UNKNOWN), E(PROVE_UNUSED), S(VOID) },
    { S(UNKNOWN), E(SIGN), S(SIGNED) }, /* expired: again with the same nonce */
    { S(VOID), E(SIGN), S(SIGNED) },    /* with the same nonce */
    { S(VOID), E(ASK), S(ASKED) },
    { S(VOID), E(DELIVER), S(DELIVERED) }, /* a transaction that was called void by hand, and is in a block */
    { S(VOID), E(PROVE_USED), S(PAID_LOST) }, /* void by hand, and the chain has it paid */
    { S(PAID_LOST), E(DELIVER), S(DELIVERED) }, /* a late answer */
    { S(PAID_LOST), E(REPAY), S(VOID) },        /* the user's own wish: with another nonce */
    { S(DELIVERED), E(TAKE), S(TAKEN) },
    { S(DELIVERED), E(MISLAY), S(PAID_LOST) }, /* its result was stored, and is there no more */
    { S(TAKEN), E(MISLAY), S(PAID_LOST) },

    /* Its process ended before it noted that it was sent, or that the signer answered. */
    { S(SIGNED), E(LOSE), S(UNKNOWN) },
    { S(SIGNED), E(DELIVER), S(DELIVERED) },
    { S(SIGNED), E(PROVE_USED), S(PAID_LOST) },
    { S(ASKED), E(PROVE_USED), S(PAID_LOST) },
    { S(ASKED), E(PROVE_UNUSED), S(VOID) },
    { S(RESERVED), E(PROVE_UNUSED), S(VOID) }, /* let go of after an earlier proof, which still holds */
};

/* Events that change nothing but what is on record beside the state. */
static const struct move stays[] = {
    /* More is reserved for what was signed before. */
    { S(RESERVED), E(RESERVE), S(RESERVED) },
    { S(ASKED), E(RESERVE), S(ASKED) },
    { S(SIGNED), E(RESERVE), S(SIGNED) },
    { S(UNKNOWN), E(RESERVE), S(UNKNOWN) },
    { S(VOID), E(RESERVE), S(VOID) },
    /* Somebody is asked to sign again what may be alive: it stays what it was. */
    { S(ASKED), E(ASK), S(ASKED) },
    { S(SIGNED), E(ASK), S(SIGNED) },
    { S(UNKNOWN), E(ASK), S(UNKNOWN) },
    { S(SIGNED), E(DECLINE), S(SIGNED) },
    { S(UNKNOWN), E(DECLINE), S(UNKNOWN) },
    { S(SIGNED), E(SIGN), S(SIGNED) },
    { S(SENT), E(SEND), S(SENT) },
    { S(ASKED), E(LOSE), S(ASKED) },
    { S(UNKNOWN), E(LOSE), S(UNKNOWN) },
    /* A proof is given twice, a result taken by every run of a name. */
    { S(VOID), E(PROVE_UNUSED), S(VOID) },
    { S(PAID_LOST), E(PROVE_USED), S(PAID_LOST) },
    { S(TAKEN), E(TAKE), S(TAKEN) },
};

static const spraay_state open_states[] = { S(ASKED), S(SIGNED), S(SENT), S(UNKNOWN) };

static bool is_open(spraay_state s)
{
    for (size_t i = 0; i < COUNT(open_states); i++)
        if (open_states[i] == s) return true;
    return false;
}

/* Where the lists say that an event leads; NONE when neither has it. */
static spraay_state listed(spraay_state from, spraay_event event)
{
    for (size_t i = 0; i < COUNT(arrows); i++)
        if (arrows[i].from == from && arrows[i].event == event) return arrows[i].to;
    for (size_t i = 0; i < COUNT(stays); i++)
        if (stays[i].from == from && stays[i].event == event) return stays[i].to;
    return S(NONE);
}

static void the_table(struct tally *t)
{
    char what[160];

    for (int s = 0; s < S(COUNT); s++)
        for (int e = 0; e < E(COUNT); e++) {
            spraay_state from = (spraay_state)s, want = listed(from, (spraay_event)e);
            spraay_state is = spraay_state_next(from, (spraay_event)e);
            snprintf(what, sizeof what, "%s in state %s leads to %s; the table says %s",
                     spraay_event_name((spraay_event)e), spraay_state_name(from),
                     want == S(NONE) ? "nothing" : spraay_state_name(want), spraay_state_name(is));
            expect(t, is == want, what);
        }
    for (size_t i = 0; i < COUNT(stays); i++) expect(t, stays[i].from == stays[i].to, "what stays, stays");
    for (size_t i = 0; i < COUNT(arrows); i++)
        expect(t, arrows[i].from != arrows[i].to, "an arrow leads somewhere else");
}

/* What the rules of money say of the table as a whole, whichever way it is written. */
static void the_rules(struct tally *t)
{
    bool reached[SPRAAY_STATE_COUNT] = { [S(NONE)] = true };

    for (int round = 0; round < S(COUNT); round++)
        for (int s = 0; s < S(COUNT); s++)
            for (int e = 0; reached[s] && e < E(COUNT); e++)
                reached[spraay_state_next((spraay_state)s, (spraay_event)e)] = true;
    for (int s = 0; s < S(COUNT); s++) expect(t, reached[s], "every state can be reached");

    for (int s = 0; s < S(COUNT); s++)
        for (int e = 0; e < E(COUNT); e++) {
            spraay_state from = (spraay_state)s, to = spraay_state_next(from, (spraay_event)e);
            if (to == S(NONE)) continue;

            expect(t, !(from == S(SENT) && to == S(VOID)), "there is no way from sent to void");
            expect(t, to != S(INTENT) || from == S(NONE), "nothing becomes an intent again");
            expect(t, from != S(NONE) || e == E(CLAIM), "a purchase begins by being claimed");
            if (to == S(VOID) && from != S(VOID))
                expect(t, e == E(PROVE_UNUSED) || (e == E(REPAY) && from == S(PAID_LOST)),
                       "void is proven, or what was lost is bought again by the user's wish");
            if (to == S(PAID_LOST))
                expect(t,
                       e == E(PROVE_USED) || (e == E(MISLAY) && (from == S(DELIVERED) || from == S(TAKEN))),
                       "what is paid and lost was proven to be paid, or was here before it was lost");
            if (is_open(from) && !is_open(to))
                expect(t,
                       e == E(DELIVER) || e == E(PROVE_USED) || e == E(PROVE_UNUSED) || e == E(UNSENT) ||
                           (e == E(DECLINE) && from == S(ASKED)),
                       "a signature stops being a danger by a result, by a proof or by never having left");
            if (!is_open(from) && is_open(to))
                expect(t, e == E(SIGN) || e == E(ASK), "only signing, or asking to, makes money move");
            if (e == E(SIGN) || e == E(ASK))
                expect(t, from != S(INTENT) && from != S(NONE), "nothing is signed that no cap has admitted");
            if (from == S(DELIVERED) || from == S(TAKEN))
                expect(t, to == S(TAKEN) || to == S(PAID_LOST), "what was delivered stays paid");
            if (from == S(PAID_LOST))
                expect(t, !is_open(to), "what is paid and lost is not signed again by itself");
        }
}

/* A name each, and no other's. */
static bool own_name(const char *const *names, int n)
{
    for (int a = 0; a < n; a++) {
        if (names[a] == NULL || names[a][0] == '\0') return false;
        for (int b = 0; b < a; b++)
            if (strcmp(names[a], names[b]) == 0) return false;
    }
    return true;
}

static void names(struct tally *t)
{
    const char *states[SPRAAY_STATE_COUNT], *events[SPRAAY_EVENT_COUNT];

    for (int s = 0; s < S(COUNT); s++) {
        states[s] = spraay_state_name((spraay_state)s);
        expect(t, (spraay_state_is_open((spraay_state)s) != 0) == is_open((spraay_state)s),
               "open is what may still move money");
    }
    for (int e = 0; e < E(COUNT); e++) events[e] = spraay_event_name((spraay_event)e);
    expect(t, own_name(states, S(COUNT)), "every state has a name of its own");
    expect(t, own_name(events, E(COUNT)), "every event has a name of its own");
}

int main(void)
{
    struct tally t = { 0, 0 };

    the_table(&t);
    the_rules(&t);
    names(&t);
    return tally_end(&t);
}
