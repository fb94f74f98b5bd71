// SPDX-License-Identifier: MIT
// Shops built from the official middlewares, all selling the same things:
//   GET or POST /price/AMOUNT, for each price of the gateway, on Base       (V2 servers: also Solana, when asked)
//   GET /sepolia, /solana, /solana-devnet, /either, GET /identified (payment-identifier demanded), POST /fails (500),
//   POST /drained (the payer's account is emptied while the handler works), and under the gateway's own paths chat
//   and the look at a job: those two our client treats by their own rules when an answer is lost.
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
const CHAT = "/api/v1/compute/text-inference", STATUS = "/api/v1/compute/status";
const EXECUTE = "/api/v1/compute-futures/execute";

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
  for (const path of ["/fails", "/drained"]) routes[`POST ${path}`] = { accepts: [on("eip155:8453", "0.01")] };
  routes[`POST ${CHAT}`] = { accepts: [on("eip155:8453", "0.03")] };
  routes[`POST ${EXECUTE}`] = { accepts: [on("eip155:8453", "0.001")] };
  routes[`GET ${STATUS}/*`] = { accepts: [on("eip155:8453", "0.001")] };
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

// `drain` empties the account of a payer; `draw` takes the price of a job from a depositor's credit in the escrow.
export async function startServers(facilitatorUrl, solana, { drain, draw }, listen, closing) {
  const sold = { express: 0, hono: 0, legacy: 0 };
  // Enough to see that the body arrived and which request was answered.
  const handOut = (shop, method, path, body) => ({ goods: path, method, n: ++sold[shop], got: body ?? null,
    choices: [{ index: 0, finish_reason: "stop", message: { role: "assistant", content: `${shop} ${sold[shop]}` } }] });

  // ---- @x402/express, V2
  const shop = express();
  shop.use(express.json());
  shop.use(v2express.paymentMiddleware(routesV2(solana), resourceServer(v2express, facilitatorUrl, solana)));
  shop.post("/fails", (_, res) => res.status(500).json({ error: "the handler failed" }));
  shop.post(EXECUTE, async (req, res) => {
    const { status, answer } = await draw(req.body.depositor, handOut("express", req.method, req.path, req.body));
    res.status(status).json(answer);
  });
  shop.post("/drained", async (req, res) => res.json(await drain(req.body.payer)));
  shop.all("*", (req, res) => res.json(handOut("express", req.method, req.path, req.body)));

  // ---- @x402/hono, V2
  const other = new Hono();
  other.use(v2hono.paymentMiddleware(routesV2(solana), resourceServer(v2hono, facilitatorUrl, solana)));
  other.post("/fails", (c) => c.json({ error: "the handler failed" }, 500));
  other.post("/drained", async (c) => c.json(await drain((await c.req.json()).payer)));
  other.all("*", async (c) => {
    const body = c.req.method === "POST" ? await c.req.json().catch(() => null) : null;
    return c.json(handOut("hono", c.req.method, c.req.path, body));
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
  const also = { "/fails": "$0.01", "/drained": "$0.01", [CHAT]: "$0.03", [`${STATUS}/*`]: "$0.001" };
  for (const [path, price] of Object.entries(also)) {
    routes[path] = { price, network: "base", config: { maxTimeoutSeconds: TIMEOUT } };
  }
  old.use(legacy(PAY_TO, routes, facilitator));
  old.use(legacy(PAY_TO, { "/sepolia": { price: "$0.01", network: "base-sepolia",
                                          config: { maxTimeoutSeconds: TIMEOUT } } }, facilitator));
  if (solana) {
    old.use(legacy(solana.payTo, { "/solana": { price: "$0.01", network: "solana",
                                                 config: { maxTimeoutSeconds: TIMEOUT } } }, facilitator));
  }
  old.post("/fails", (_, res) => res.status(500).json({ error: "the handler failed" }));
  old.post("/drained", async (req, res) => res.json(await drain(req.body.payer)));
  old.all("*", (req, res) => res.json(handOut("legacy", req.method, req.path, req.body)));

  return { express: await listen(shop), hono, legacy: await listen(old), sold };
}
