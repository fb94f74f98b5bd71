// SPDX-License-Identifier: MIT
// Shops built from the official middlewares, all selling the same things:
//   GET or POST /price/AMOUNT, for each price of the gateway, on Base       (V2 servers: also Solana, when asked)
//   GET /sepolia, GET /solana, GET /identified (payment-identifier), POST /fails (402 after 500)
import express from "express";
import { Hono } from "hono";
import { serve } from "@hono/node-server";
import { HTTPFacilitatorClient } from "@x402/core/server";
import { ExactEvmScheme } from "@x402/evm/exact/server";
import { ExactSvmScheme } from "@x402/svm/exact/server";
import * as v2express from "@x402/express";
import * as v2hono from "@x402/hono";
import { declarePaymentIdentifierExtension, PAYMENT_IDENTIFIER } from "@x402/extensions/payment-identifier";
import { paymentMiddleware as legacy } from "x402-express";
import { PAY_TO } from "./chain.mjs";

export const PRICES = ["0.001", "0.002", "0.005", "0.01", "0.02", "0.03", "0.05", "0.06", "0.50"];
const TIMEOUT = 300;

// What every shop hands out: enough to see that the body arrived and which request was answered.
const goods = (n, method, path, body) => ({ goods: path, method, n, got: body ?? null });

function routesV2(solana) {
  const on = (network, price, payTo = PAY_TO) =>
    ({ scheme: "exact", network, price: `$${price}`, payTo, maxTimeoutSeconds: TIMEOUT });
  const routes = {};
  for (const price of PRICES) {
    for (const method of ["GET", "POST"]) {
      routes[`${method} /price/${price}`] = { accepts: [on("eip155:8453", price)], description: `for ${price}` };
    }
  }
  routes["GET /sepolia"] = { accepts: [on("eip155:84532", "0.01")] };
  routes["GET /identified"] = { accepts: [on("eip155:8453", "0.01")],
                                extensions: { [PAYMENT_IDENTIFIER]: declarePaymentIdentifierExtension(true) } };
  routes["POST /fails"] = { accepts: [on("eip155:8453", "0.01")] };
  if (solana) {
    for (const [name, caip] of Object.entries(solana.networks)) {
      for (const method of ["GET", "POST"]) routes[`${method} /${name}`] = { accepts: [on(caip, "0.01", solana.payTo)] };
    }
    routes["GET /either"] = { accepts: [on("eip155:8453", "0.01"), on(solana.networks.solana, "0.01", solana.payTo)] };
  }
  return routes;
}

function resourceServer(kind, facilitatorUrl, solana) {
  const server = new kind.x402ResourceServer(new HTTPFacilitatorClient({ url: facilitatorUrl }))
    .register("eip155:*", new ExactEvmScheme());
  if (solana) server.register("solana:*", new ExactSvmScheme());
  return server;
}

export async function startServers(facilitatorUrl, solana, listen, closing) {
  const sold = { express: 0, hono: 0, legacy: 0 };

  // ---- @x402/express, V2
  const shop = express();
  shop.use(express.json());
  shop.use(v2express.paymentMiddleware(routesV2(solana), resourceServer(v2express, facilitatorUrl, solana)));
  shop.post("/fails", (_, res) => res.status(500).json({ error: "the handler failed" }));
  shop.all("*", (req, res) => res.json(goods(++sold.express, req.method, req.path, req.body)));

  // ---- @x402/hono, V2
  const other = new Hono();
  other.use(v2hono.paymentMiddleware(routesV2(solana), resourceServer(v2hono, facilitatorUrl, solana)));
  other.post("/fails", (c) => c.json({ error: "the handler failed" }, 500));
  other.all("*", async (c) => {
    const body = c.req.method === "POST" ? await c.req.json().catch(() => null) : null;
    return c.json(goods(++sold.hono, c.req.method, c.req.path, body));
  });
  const hono = await new Promise((resolve) => {
    const server = serve({ fetch: other.fetch, hostname: "127.0.0.1", port: 0 },
      (info) => resolve(`http://127.0.0.1:${info.port}`));
    closing.push(() => server.close());
  });

  // ---- legacy x402-express, V1
  const old = express();
  old.use(express.json());
  const facilitator = { url: facilitatorUrl };
  const routes = {};
  for (const price of PRICES) {
    routes[`/price/${price}`] = { price: `$${price}`, network: "base", config: { maxTimeoutSeconds: TIMEOUT } };
  }
  routes["/fails"] = { price: "$0.01", network: "base", config: { maxTimeoutSeconds: TIMEOUT } };
  old.use(legacy(PAY_TO, routes, facilitator));
  old.use(legacy(PAY_TO, { "/sepolia": { price: "$0.01", network: "base-sepolia",
                                          config: { maxTimeoutSeconds: TIMEOUT } } }, facilitator));
  if (solana) {
    old.use(legacy(solana.payTo, { "/solana": { price: "$0.01", network: "solana",
                                                 config: { maxTimeoutSeconds: TIMEOUT } } }, facilitator));
  }
  old.post("/fails", (_, res) => res.status(500).json({ error: "the handler failed" }));
  old.all("*", (req, res) => res.json(goods(++sold.legacy, req.method, req.path, req.body)));

  return { express: await listen(shop), hono, legacy: await listen(old), sold };
}
