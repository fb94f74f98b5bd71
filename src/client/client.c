/* SPDX-License-Identifier: MIT */
/* Hubs and clients: what is shared and what was configured; see client/client.h. */
#include "client/client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/flight.h"
#include "crypto/random.h"
#include "crypto/sha256.h"
#include "ledger/place.h"

/* The receivers of gateway.spraay.app, one per rail: facts of that gateway, not of the protocol. */
static const char *const production_pay_to[] = {
    "0xAd62f03C7514bb8c51f1eA70C2b75C37404695c8",
    "8WhWE8YgY5QBWyLowEHuaZiWdwDM3SrgDk36xYBNvYNS",
};

/* Hubs */

spraay_err spraay_hub_new(spraay_hub **out, spraay_engine *engine)
{
    spraay_hub *h = calloc(1, sizeof *h);

    *out = NULL;
    if (h == NULL) {
        spraay_engine_free(engine);
        return SPRAAY_NOMEM;
    }
    h->engine = engine;
    h->refs = 1;
    *out = h;
    return SPRAAY_OK;
}

void spraay_hub_ref(spraay_hub *h)
{
    h->refs++;
}

void spraay_hub_unref(spraay_hub *h)
{
    if (h == NULL || --h->refs > 0) return;
    while (h->ledgers != NULL) {
        spraay_hub_ledger *l = h->ledgers;
        h->ledgers = l->next;
        spraay_engine_unwatch(h->engine, &l->watch);
        spraay_ledger_unref(l->ledger);
        free(l->path);
        free(l);
    }
    spraay_engine_free(h->engine);
    free(h);
}

static void ledger_ready(void *ud)
{
    spraay_ledger *l = ((spraay_hub_ledger *)ud)->ledger;

    (void)spraay_ledger_ref(l); /* what it wakes may let go of the hub */
    spraay_ledger_drain(l);
    spraay_ledger_unref(l);
}

/* Have the hub's engine wait for the ledger too. */
static spraay_err attend(spraay_hub *h, spraay_hub_ledger *l)
{
    int fd = spraay_ledger_fd(l->ledger);

    if (fd < 0) return SPRAAY_OK;
    l->watch = (spraay_watch){ .fd = fd, .ready = ledger_ready, .ud = l };
    return spraay_engine_watch(h->engine, &l->watch);
}

static spraay_err open_ledger(spraay_hub *h, spraay_hub_ledger *l)
{
    spraay_ledger *made = NULL;
    spraay_err err = l->path[0] != '\0' ? spraay_ledger_durable(&made, l->path) : spraay_ledger_memory(&made);

    if (err != SPRAAY_OK) return err;
    spraay_engine_unwatch(h->engine, &l->watch);
    spraay_ledger_unref(l->ledger);
    l->ledger = made;
    return attend(h, l);
}

spraay_err spraay_hub_get_ledger(spraay_ledger **out, spraay_hub *h, const char *path)
{
    spraay_hub_ledger *l = h->ledgers;
    bool ok = true;
    spraay_err err;

    while (l != NULL && strcmp(l->path, path) != 0) l = l->next;
    if (l == NULL) {
        l = calloc(1, sizeof *l);
        if (l == NULL) return SPRAAY_NOMEM;
        l->path = spraay_text_copy(path, &ok);
        err = ok ? open_ledger(h, l) : SPRAAY_NOMEM;
        if (err != SPRAAY_OK) {
            spraay_ledger_unref(l->ledger);
            free(l->path);
            free(l);
            return err;
        }
        l->next = h->ledgers;
        h->ledgers = l;
    } else if (!spraay_ledger_usable(l->ledger)) {
        err = open_ledger(h, l);
        if (err != SPRAAY_OK) return err;
    }
    *out = l->ledger;
    return SPRAAY_OK;
}

static void abandon_flights(spraay_hub *h)
{
    while (h->flights != NULL) spraay_flight_abandon(h->flights);
}

void spraay_hub_close(spraay_hub *h)
{
    abandon_flights(h);
    for (spraay_hub_ledger *l = h->ledgers; l != NULL; l = l->next) {
        spraay_ledger *ending = spraay_ledger_ref(l->ledger); /* what it wakes may let go of it */
        spraay_engine_unwatch(h->engine, &l->watch);
        spraay_ledger_end(ending);
        spraay_ledger_unref(ending);
    }
}

spraay_engine *spraay_hub_engine(spraay_hub *h)
{
    return h->engine;
}

spraay_err spraay_hub_set_engine(spraay_hub *h, spraay_engine *engine)
{
    if (!spraay_engine_usable(h->engine)) abandon_flights(h);
    if (h->flights != NULL) return SPRAAY_STATE;
    spraay_engine_hold(engine);
    for (spraay_hub_ledger *l = h->ledgers; l != NULL; l = l->next)
        spraay_engine_unwatch(h->engine, &l->watch);
    spraay_engine_free(h->engine);
    h->engine = engine;
    for (spraay_hub_ledger *l = h->ledgers; l != NULL; l = l->next) {
        spraay_err err = spraay_ledger_usable(l->ledger) ? attend(h, l) : SPRAAY_OK;
        if (err != SPRAAY_OK) return err;
    }
    return SPRAAY_OK;
}

/* Copies of a config: every helper leaves *ok false when memory ran out. */

static char **copy_list(const char *const *list, size_t n, bool *ok)
{
    char **c = n > 0 ? calloc(n, sizeof *c) : NULL;

    if (n > 0 && c == NULL) *ok = false;
    for (size_t i = 0; c != NULL && i < n; i++) c[i] = spraay_text_copy(list[i], ok);
    return c;
}

static void free_list(char **list, size_t n)
{
    for (size_t i = 0; list != NULL && i < n; i++) free(list[i]);
    free(list);
}

/* Name and value of a field share one allocation, which the name points to. */
spraay_field *spraay_fields_copy(const spraay_field *from, size_t n, bool *ok)
{
    spraay_field *c = n > 0 ? calloc(n, sizeof *c) : NULL;

    if (n > 0 && c == NULL) *ok = false;
    for (size_t i = 0; c != NULL && i < n; i++) {
        char *text = malloc(from[i].name.n + from[i].value.n + 1);
        if (text == NULL) {
            *ok = false;
            continue;
        }
        memcpy(text, from[i].name.p, from[i].name.n);
        memcpy(text + from[i].name.n, from[i].value.p, from[i].value.n);
        c[i].name = (spraay_slice){ text, from[i].name.n };
        c[i].value = (spraay_slice){ text + from[i].name.n, from[i].value.n };
    }
    return c;
}

void spraay_fields_free(spraay_field *list, size_t n)
{
    for (size_t i = 0; list != NULL && i < n; i++) free((void *)list[i].name.p);
    free(list);
}

static void copy_assets(spraay_client *c, const spraay_client_config *cfg, bool *ok)
{
    c->assets = cfg->n_assets > 0 ? calloc(cfg->n_assets, sizeof *c->assets) : NULL;
    if (cfg->n_assets > 0 && c->assets == NULL) {
        *ok = false;
        return;
    }
    c->n_assets = cfg->n_assets;
    for (size_t i = 0; i < cfg->n_assets; i++) {
        c->assets[i] = cfg->assets[i];
        c->assets[i].network = spraay_text_copy(cfg->assets[i].network, ok);
        c->assets[i].asset = spraay_text_copy(cfg->assets[i].asset, ok);
        c->assets[i].symbol = spraay_text_copy(cfg->assets[i].symbol, ok);
        c->assets[i].name = spraay_text_copy(cfg->assets[i].name, ok);
        c->assets[i].version = spraay_text_copy(cfg->assets[i].version, ok);
    }
}

static void free_assets(spraay_client *c)
{
    for (size_t i = 0; i < c->n_assets; i++) {
        const char *texts[] = { c->assets[i].network, c->assets[i].asset, c->assets[i].symbol,
                                c->assets[i].name, c->assets[i].version };
        for (size_t k = 0; k < sizeof texts / sizeof texts[0]; k++) free((void *)texts[k]);
    }
    free(c->assets);
}

void spraay_client_unref(spraay_client *c)
{
    if (c == NULL || --c->refs > 0) return;
    free_list(c->networks, c->n_networks);
    free_list(c->pay_to, c->n_pay_to);
    free_list(c->hosts, c->n_hosts);
    free_list(c->resolve, c->n_resolve);
    free_assets(c);
    for (size_t i = 0; i < c->n_rpc; i++) {
        free(c->rpc[i].network);
        free(c->rpc[i].url);
    }
    free(c->rpc);
    spraay_fields_free(c->headers, c->n_headers);
    free(c->gateway);
    free(c->run);
    free(c->scope);
    free(c->proxy);
    free(c->ca_file);
    free(c->user_agent);
    free(c->spill_dir);
    free(c->per_call);
    for (size_t i = 0; i <= SPRAAY_RAIL_SVM; i++) spraay_wallet_unref(c->wallets[i]);
    spraay_ledger_unref(c->ledger);
    spraay_hub_unref(c->hub);
    free(c);
}

/* Digits to a cap; false when they are not a number of this size. */
static bool cap(uint64_t *out, const char *digits)
{
    *out = SPRAAY_NO_CAP;
    if (digits == NULL) return true;
    if (digits[0] == '\0' || strspn(digits, "0123456789") != strlen(digits) || strlen(digits) > 18)
        return false;
    *out = strtoull(digits, NULL, 10);
    return true;
}

static void set_policy(spraay_client *c)
{
    spraay_policy *p = &c->policy;

    spraay_policy_init(p);
    for (size_t i = 0; i < c->n_networks; i++) p->networks[i] = c->networks[i];
    p->n_networks = c->n_networks;
    p->assets = c->assets;
    p->n_assets = c->n_assets;
    p->payer_evm = c->wallets[SPRAAY_RAIL_EVM] ? spraay_wallet_address(c->wallets[SPRAAY_RAIL_EVM]) : NULL;
    p->payer_svm = c->wallets[SPRAAY_RAIL_SVM] ? spraay_wallet_address(c->wallets[SPRAAY_RAIL_SVM]) : NULL;
    p->per_call = c->per_call;
    p->pay_to = (const char *const *)c->pay_to;
    p->n_pay_to = c->n_pay_to;
    if (c->production && c->n_pay_to == 0) {
        p->pay_to = production_pay_to;
        p->n_pay_to = sizeof production_pay_to / sizeof production_pay_to[0];
    }
    p->origin = c->gateway;
}

/* Whose budget: a named run's, or a named scope's, whichever processes it lives in; else this client's alone. */
static spraay_err set_scope(spraay_client *c, const spraay_client *previous)
{
    static const char label[] = "spraay scope"; /* a run of the same name has another budget */
    spraay_err err = SPRAAY_OK;

    if (c->run != NULL)
        spraay_sha256(c->budget_scope, c->run, strlen(c->run));
    else if (c->scope != NULL)
        spraay_hmac_sha256(c->budget_scope, label, sizeof label - 1, c->scope, strlen(c->scope));
    else if (previous != NULL && previous->run == NULL && previous->scope == NULL)
        memcpy(c->budget_scope, previous->budget_scope, sizeof c->budget_scope);
    else
        err = spraay_random(c->budget_scope, sizeof c->budget_scope);
    return err;
}

/* Each wallet at its rail's place, and the one that leads. */
static spraay_err set_wallets(spraay_client *c, spraay_wallet *const *wallets, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        spraay_wallet **place = &c->wallets[spraay_wallet_rail(wallets[i])];
        if (*place != NULL) return SPRAAY_DUPLICATE;
        *place = spraay_wallet_ref(wallets[i]);
    }
    for (size_t i = 0; i < c->n_networks && c->wallet == NULL; i++)
        c->wallet = c->wallets[spraay_network_rail(c->networks[i])];
    for (size_t i = 0; i <= SPRAAY_RAIL_SVM && c->wallet == NULL; i++) c->wallet = c->wallets[i];
    return SPRAAY_OK;
}

/* A signer outside without a marking secret gets one that lies beside the ledger. Where none can be had, its
 * purchases have no name that lasts, and named ones are refused. */
static void seed(spraay_wallet *w, const char *ledger)
{
    char why[SPRAAY_PLACE_WHY], path[4096];
    spraay_place place;

    if (spraay_place_name(&place, ledger) != SPRAAY_OK) return;
    (void)snprintf(path, sizeof path, "%s/seed", place.folder);
    if (spraay_place_make(&place, why) == SPRAAY_OK && spraay_wallet_seed(w, path) != SPRAAY_OK)
        (void)why; /* as before: marks are this process's own */
    spraay_place_wipe(&place);
}

spraay_err spraay_client_new(spraay_client **out, spraay_hub *hub, const spraay_client_config *cfg,
                             spraay_wallet *const *wallets, size_t n_wallets)
{
    spraay_client *c = calloc(1, sizeof *c);
    bool ok = true;
    spraay_err err = SPRAAY_NOMEM;

    *out = NULL;
    if (c == NULL) return err;
    c->refs = 1;
    c->hub = hub;
    spraay_hub_ref(hub);
    err = spraay_hub_get_ledger(&c->ledger, hub, cfg->ledger ? cfg->ledger : "");
    if (err != SPRAAY_OK) {
        spraay_client_unref(c);
        return err;
    }
    (void)spraay_ledger_ref(c->ledger);
    for (size_t i = 0; i < n_wallets; i++)
        if (cfg->ledger != NULL && !spraay_wallet_marks_last(wallets[i])) seed(wallets[i], cfg->ledger);
    err = SPRAAY_NOMEM;
    c->production = cfg->production;
    c->gateway = spraay_text_copy(cfg->gateway, &ok);
    c->run = spraay_text_copy(cfg->run, &ok);
    c->scope = spraay_text_copy(cfg->scope, &ok);
    c->proxy = spraay_text_copy(cfg->proxy, &ok);
    c->ca_file = spraay_text_copy(cfg->ca_file, &ok);
    c->user_agent = spraay_text_copy(cfg->user_agent, &ok);
    c->spill_dir = spraay_text_copy(cfg->spill_dir, &ok);
    c->per_call = spraay_text_copy(cfg->per_call, &ok);
    c->networks = copy_list(cfg->networks, c->n_networks = cfg->n_networks, &ok);
    c->pay_to = copy_list(cfg->pay_to, c->n_pay_to = cfg->n_pay_to, &ok);
    c->hosts = copy_list(cfg->hosts, c->n_hosts = cfg->n_hosts, &ok);
    c->resolve = copy_list(cfg->resolve, c->n_resolve = cfg->n_resolve, &ok);
    c->headers = spraay_fields_copy(cfg->headers, c->n_headers = cfg->n_headers, &ok);
    copy_assets(c, cfg, &ok);
    if (cfg->n_rpc > 0) c->rpc = calloc(cfg->n_rpc, sizeof *c->rpc);
    if (cfg->n_rpc > 0 && c->rpc == NULL) ok = false;
    for (size_t i = 0; c->rpc != NULL && i < cfg->n_rpc; i++) {
        c->rpc[i].network = spraay_text_copy(cfg->rpc[i].network, &ok);
        c->rpc[i].url = spraay_text_copy(cfg->rpc[i].url, &ok);
        c->n_rpc++;
    }
    c->connect_ms = cfg->connect_ms;
    c->idle_ms = cfg->idle_ms;
    c->total_ms = cfg->total_ms;
    c->retries = cfg->retries;
    if (ok) {
        uint64_t per_call; /* kept as digits for the policy; read here only to be judged */
        err = c->n_networks > SPRAAY_POLICY_NETWORKS ? SPRAAY_NETWORK : set_scope(c, cfg->previous);
        if (err == SPRAAY_OK) err = set_wallets(c, wallets, n_wallets);
        if (err == SPRAAY_OK && (!cap(&c->caps.budget, cfg->budget) || !cap(&c->caps.per_day, cfg->per_day) ||
                                 !cap(&c->caps.per_host, cfg->per_host) || !cap(&per_call, cfg->per_call)))
            err = SPRAAY_SYNTAX;
    }
    if (err != SPRAAY_OK) {
        spraay_client_unref(c);
        return err;
    }
    set_policy(c);
    *out = c;
    return SPRAAY_OK;
}

spraay_ledger *spraay_client_ledger(spraay_client *c)
{
    return c->ledger;
}

const uint8_t *spraay_client_scope(const spraay_client *c)
{
    return c->budget_scope;
}
