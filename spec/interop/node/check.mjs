// SPDX-License-Identifier: MIT
// Does every package that the interop specs need load here? Said by the exit status.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import "@x402/core/facilitator";
import "@x402/evm/exact/facilitator";
import "@x402/evm/exact/client";
import "@x402/express";
import "@x402/extensions/payment-identifier";
import "@x402/fetch";
import "@x402/hono";
import "@x402/svm/exact/facilitator";
import "@x402/svm/exact/client";
import "@hono/node-server";
import "express";
import "viem";
import "x402-express";
import { LiteSVM } from "litesvm";

const require = createRequire(import.meta.url);
new LiteSVM();
const arch = process.arch === "x64" ? "amd64" : process.arch;
if (readFileSync(require.resolve(`@foundry-rs/anvil-${process.platform}-${arch}/bin/anvil`)).length < 1e6) {
  throw new Error("the chain's program is cut short");
}
if (!require.resolve("solc/soljson.js")) throw new Error("no compiler");
