--- Clients that are wrong on purpose, each by one change of one source: the battery has to find every one of them
--- (mutants.lua).
---   name, rail; old, new   what is changed, a text that stands in the sources once
---   only                   trials that find it; sign: in what words
-- SPDX-License-Identifier: MIT
return {
  {
    name = "adoption off (on disk)",
    old = "    err = claim_equal(s, j);\n", new = "    err = SPRAAY_MISSING;\n",
    only = "feigned/reset; a process a try", sign = "settled %d+ times",
  },
  {
    name = "adoption off (in memory)",
    old = "        if (!spraay_rules_adoptable(p) || !spraay_rules_held(p, op->now)) continue;\n",
    new = "        continue;\n", only = "feigned/reset; memory", sign = "settled %d+ times",
  },
  {
    name = "epoch raised on void",
    old = "        p->voided = true;\n        p->sends = 0;\n        break;\n",
    new = "        p->voided = true;\n        p->sends = 0;\n        p->epoch++;\n        p->fixed = false;\n"
      .. "        break;\n",
    only = "proof/rpc_lying after settle_then_timeout", sign = "settled %d+ times",
  },
  {
    name = "state read at latest from a lagging node",
    old = [["\"0x%" PRIx64 "\"]",
                             to, hex, p->block);]],
    new = [["\"latest\"]", to, hex);]],
    only = "proof/rpc_split after settle_then_timeout", sign = "is void, and was settled",
  },
  {
    name = "void before the validity is over",
    old = "if (!used && p->block_time_s >= deadline) return", new = "if (!used) return",
    only = "proof/asked too early", sign = "is void, and was settled",
  },
  {
    name = "occurrence counted on error",
    old = "    return r->p->claimed || (handed_out",
    new = "    return r->p->claimed || r->p->state == SPRAAY_STATE_UNKNOWN ||\n"
      .. "           r->p->state == SPRAAY_STATE_PAID_LOST ||\n"
      .. "           (handed_out",
    only = "deleted/its answers lost; run =", sign = "settled %d+ times",
  },
  {
    name = "journal after send",
    old = "    if (err == SPRAAY_OK && !flight_note(f, SPRAAY_EVENT_SIGN, &err)) return false;\n",
    new = "    if (err == SPRAAY_OK) "
      .. "flight_post(f, p, (spraay_op){ .kind = SPRAAY_OP_EVENT, .event = SPRAAY_EVENT_SIGN });\n",
    only = "disk/the sync of the signature stalls", sign = "left before its record",
  },
  {
    name = "records not synced",
    old = "static spraay_err begin(spraay_store *s, bool survive)\n{\n",
    new = "static spraay_err begin(spraay_store *s, bool survive)\n{\n    survive = false;\n",
    only = "disk/synced before it leaves", sign = "before the paid request",
  },
  {
    name = "reservation forgotten",
    old = "    return p->reserved || spraay_state_is_open(p->state) || spraay_budget_is_spent(p->state);\n",
    new = "    return spraay_budget_is_spent(p->state);\n",
    only = "caps/8 processes", sign = "the cap admits",
  },
  {
    name = "what is in the air forgotten at a start", rail = "solana",
    old = " ||\n           (spraay_state_is_open(p->state) && p->valid_before > now.wall_s);\n", new = ";\n",
    only = "clocks/the machine starts anew", sign = "the day admits",
  },
  {
    name = "the dead keep what they held",
    old = "    if (err == SPRAAY_OK) err = bury_the_dead(s);\n", new = "",
    only = "kill_each/chat, answers kept", sign = "not delivered",
  },
  {
    name = "a client that refuses everything",
    old = "    spraay_err err = judge(SPRAAY_CAP_BUDGET, caps->budget, s->budget, r.share, why);\n",
    new = "    spraay_err err = judge(SPRAAY_CAP_BUDGET, 0, 1, 1, why);\n    (void)caps, (void)s;\n",
    only = "feigned/clean", sign = "though nothing went wrong",
  },
  {
    -- The fee payer signs first, so the chain knows a transfer by another name than the payer does.
    name = "Solana proof by the payer's own signature", rail = "solana",
    old = "        if (slot > p->highest || !is_candidate(p, doc, i)) continue;\n",
    new = "        if (strcmp(signature, (const char *)p->q.message) != 0) continue;\n",
    only = "proof/well after settle_then_timeout", sign = "settled %d+ times",
  },
  {
    name = "Solana void before the height is final", rail = "solana",
    old = "    if (p->height > p->q.last_height + SPRAAY_PROOF_SVM_MARGIN)\n        return conclude(",
    new = "    if (p->height > 0)\n        return conclude(",
    only = "proof/asked too early", sign = "is void, and was settled",
  },
  {
    name = "a transfer of one's own made anew", rail = "solana",
    old = "    if (s->self_paid) { /* whatever its age: the chain is looked at first */\n"
      .. "        s->want = SPRAAY_WANT_BROADCAST;\n",
    new = "    if (s->self_paid) {\n        session_probe(s);\n",
    only = "kill_each/gpu", sign = "no request ever named it",
  },
}
