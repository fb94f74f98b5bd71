/* SPDX-License-Identifier: MIT */
/* The transition table of a purchase; see ledger/state.h for the drawing. */
#include "ledger/state.h"

#define S(x) SPRAAY_STATE_##x
#define E(x) SPRAAY_EVENT_##x

/* Rows are events, columns the state they are met in; an absent pair may not happen. */
static const unsigned char table[SPRAAY_EVENT_COUNT][SPRAAY_STATE_COUNT] = {
    [E(CLAIM)] = { [S(NONE)] = S(INTENT) },
    /* A purchase that was signed before keeps its state while its amount is reserved anew. */
    [E(RESERVE)] = { [S(INTENT)] = S(RESERVED),
                     [S(RESERVED)] = S(RESERVED),
                     [S(ASKED)] = S(ASKED),
                     [S(SIGNED)] = S(SIGNED),
                     [S(UNKNOWN)] = S(UNKNOWN),
                     [S(VOID)] = S(VOID) },
    [E(ASK)] = { [S(RESERVED)] = S(ASKED),
                 [S(ASKED)] = S(ASKED),
                 [S(SIGNED)] = S(SIGNED),
                 [S(UNKNOWN)] = S(UNKNOWN),
                 [S(VOID)] = S(ASKED) },
    [E(DECLINE)] = { [S(ASKED)] = S(RESERVED), [S(SIGNED)] = S(SIGNED), [S(UNKNOWN)] = S(UNKNOWN) },
    [E(SIGN)] = { [S(RESERVED)] = S(SIGNED),
                  [S(ASKED)] = S(SIGNED),
                  [S(SIGNED)] = S(SIGNED),
                  [S(UNKNOWN)] = S(SIGNED),
                  [S(VOID)] = S(SIGNED) },
    [E(SEND)] = { [S(SIGNED)] = S(SENT), [S(UNKNOWN)] = S(SENT), [S(SENT)] = S(SENT) },
    [E(UNSENT)] = { [S(SENT)] = S(RESERVED), [S(SIGNED)] = S(RESERVED) },
    [E(LOSE)] = { [S(ASKED)] = S(ASKED),
                  [S(SIGNED)] = S(UNKNOWN),
                  [S(SENT)] = S(UNKNOWN),
                  [S(UNKNOWN)] = S(UNKNOWN) },
    [E(DELIVER)] = { [S(SIGNED)] = S(DELIVERED),
                     [S(SENT)] = S(DELIVERED),
                     [S(UNKNOWN)] = S(DELIVERED),
                     [S(VOID)] = S(DELIVERED), /* of the wallet's own: it is in a block after all */
                     [S(PAID_LOST)] = S(DELIVERED) },
    /* RESERVED: let go of after an earlier proof; what was proven still holds. */
    [E(PROVE_UNUSED)] = { [S(RESERVED)] = S(VOID),
                          [S(ASKED)] = S(VOID),
                          [S(UNKNOWN)] = S(VOID),
                          [S(VOID)] = S(VOID) },
    [E(PROVE_USED)] = { [S(ASKED)] = S(PAID_LOST),
                        [S(SIGNED)] = S(PAID_LOST),
                        [S(SENT)] = S(PAID_LOST),
                        [S(UNKNOWN)] = S(PAID_LOST),
                        [S(VOID)] = S(PAID_LOST), /* by hand, and the chain knows better */
                        [S(PAID_LOST)] = S(PAID_LOST) },
    /* Of a named purchase the result is handed out again by every process that runs it. */
    [E(TAKE)] = { [S(DELIVERED)] = S(TAKEN), [S(TAKEN)] = S(TAKEN) },
    [E(REPAY)] = { [S(PAID_LOST)] = S(VOID) },
    [E(MISLAY)] = { [S(DELIVERED)] = S(PAID_LOST), [S(TAKEN)] = S(PAID_LOST) },
};

spraay_state spraay_state_next(spraay_state from, spraay_event event)
{
    return (spraay_state)table[event][from];
}

int spraay_state_is_open(spraay_state s)
{
    return s == S(ASKED) || s == S(SIGNED) || s == S(SENT) || s == S(UNKNOWN);
}

const char *spraay_state_name(spraay_state s)
{
    static const char *const names[SPRAAY_STATE_COUNT] = {
        "none",    "intent", "reserved",  "asked",     "signed", "sent",
        "unknown", "void",   "paid_lost", "delivered", "taken",
    };
    return names[s];
}

const char *spraay_event_name(spraay_event e)
{
    static const char *const names[SPRAAY_EVENT_COUNT] = {
        "claim", "reserve", "ask",          "decline",    "sign", "send",  "unsent",
        "lose",  "deliver", "prove_unused", "prove_used", "take", "repay", "mislay",
    };
    return names[e];
}
