// SPDX-License-Identifier: MIT
// Everything the specs meet, in one process: chains, Solana, facilitator, shops, the losing network, and a control
// door. It prints one line of JSON with the addresses when all of it listens, and ends when its standard input does.
import http from "node:http";
import express from "express";
import { formatUnits, parseEther } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { ESCROW, PAY_TO, key, startChain } from "./chain.mjs";
import { startFacilitator } from "./facilitator.mjs";
import { payOfficially } from "./official.mjs";
import { startProxy } from "./proxy.mjs";
import { PRICES, startServers } from "./servers.mjs";
import { solanaKey, startSolana } from "./solana.mjs";

const closing = [];
const end = () => {
  for (const close of closing) close();
  process.exit(0);
};
process.stdin.resume();
process.stdin.on("end", end);
process.on("SIGTERM", end);
process.on("SIGINT", end);

const listen = (app) => new Promise((resolve, reject) => {
  const server = http.createServer(app).listen(0, "127.0.0.1", () => resolve(`http://127.0.0.1:${server.address().port}`));
  server.keepAliveTimeout = 20000;
  server.on("error", reject);
  closing.push(() => server.closeAllConnections?.());
});

const chains = {};
for (const name of ["base", "base-sepolia"]) chains[name] = await startChain(name, closing);
const solana = await startSolana(listen);
const facilitator = await startFacilitator(chains, solana, listen);

async function drain(payer) {
  await chains.base.burn(payer);
  return { drained: payer };
}

// A job of list price 0.03 on a depositor's credit, as the gateway does it and in its words: look, work, draw down.
async function draw(depositor, result) {
  const { reader, escrow, operator, send } = chains.base;
  const account = () => reader.readContract({ ...escrow, functionName: "getAccount", args: [depositor] });
  const [balance, , , , , , discount] = await account();
  const charged = 30000n * (10000n - discount) / 10000n;
  if (balance < charged) {
    const error = balance ? "Insufficient compute credits" : "No compute credits. Deposit USDC first.";
    return { status: 402, answer: { error, contract: ESCROW } };
  }
  const receipt = await send(escrow, "drawdown", [depositor, charged], operator);
  const left = formatUnits((await account())[0], 6);
  return { status: 200, answer: {
    status: "completed",
    billing: { basePrice: "$0.0300", discount: discount ? `${discount / 100n}%` : "none",
               charged: `$${Number(formatUnits(charged, 6)).toFixed(4)} USDC`, balanceRemaining: `$${left} USDC`,
               drawdownTx: receipt.transactionHash, settlement: "on-chain" },
    compute: { type: "text-inference", model: "a", modelLabel: "A", provider: "interop", result },
    contract: { address: ESCROW }, _gateway: { version: "3.8.1" }, timestamp: new Date().toISOString(),
  } };
}

const servers = await startServers(facilitator.url, solana, { drain, draw }, listen, closing);
const proxy = await startProxy(servers, closing);

// ---- the control door --------------------------------------------------------------------------

const text = (value) => (typeof value === "bigint" ? value.toString() : value);

const levers = {
  // A key that only this label has: { key, address, solana: { secret, address } }.
  async account({ label }) {
    const evm = privateKeyToAccount(key(label));
    const { secret, address } = await solanaKey(label);
    return { key: key(label), address: evm.address, solana: { secret, address } };
  },
  async fund({ network, address, amount, ether, lamports }) {
    if (lamports) solana.machines[network].pay(address, lamports);
    else if (solana.machines[network]) await solana.machines[network].fund(address, amount);
    else {
      if (amount) await chains[network].mint(address, amount);
      if (ether) await chains[network].levers.setBalance({ address, value: parseEther(ether) });
    }
  },
  async empty({ network, address }) {
    if (solana.machines[network]) await solana.machines[network].empty(address);
    else await chains[network].burn(address);
  },
  async balance({ network, address }) {
    const value = solana.machines[network] ? await solana.machines[network].balance(address)
      : await chains[network].balance(address);
    return { atomic: value.toString(), usdc: formatUnits(value, 6) };
  },
  // Transfers of the token away from an address.
  async paid({ network, address }) {
    if (!solana.machines[network]) return chains[network].paid(address);
    return solana.machines[network].landed.filter((l) => !l.err && l.accounts.includes(address));
  },
  async rpc({ network, method, params }) {
    return chains[network].reader.request({ method, params: params ?? [] });
  },
  async read({ network, contract, functionName, args }) {
    const value = await chains[network].reader.readContract({ ...chains[network][contract], functionName,
                                                              args: args ?? [] });
    return Array.isArray(value) ? value.map(text) : text(value);
  },
  async send({ network, contract, functionName, args }) {
    const receipt = await chains[network].send(chains[network][contract], functionName, args,
      contract === "escrow" ? chains[network].operator : undefined);
    return { status: receipt.status, transaction: receipt.transactionHash };
  },
  // The chain as it will stand in some seconds; `back` undoes it.
  async later({ network, seconds }) {
    const { levers } = chains[network];
    const id = await levers.snapshot();
    await levers.increaseTime({ seconds });
    await levers.mine({ blocks: 1 });
    return id;
  },
  async back({ network, id }) { await chains[network].levers.revert({ id }); },
  warp({ network, slots }) { solana.machines[network].warp(slots); },
  landed({ network }) { return solana.machines[network].landed; },
  facilitator({ confirm, fail }) {
    if (confirm !== undefined) facilitator.state.confirm = confirm;
    facilitator.state.fail = fail ? { times: 1, ...fail } : null;
  },
  calls({ clear }) {
    const calls = facilitator.state.calls;
    if (clear) facilitator.state.calls = [];
    return calls;
  },
  sold() { return servers.sold; },
  proxy({ shop, lose, how, edit }) {
    Object.assign(proxy.state, { shop: shop ?? "express", lose: lose ?? 0, how: how ?? "reset", lost: 0, seen: [],
                                 edit: edit ?? null });
  },
  seen() { return { seen: proxy.state.seen, lost: proxy.state.lost }; },
  // Pay a URL with the official client.
  official: (request) => payOfficially(request, solana),
};

const door = express();
door.use(express.json({ limit: "1mb" }));
door.post("/:lever", async (req, res) => {
  try {
    const lever = levers[req.params.lever];
    if (!lever) throw new Error(`no such lever: ${req.params.lever}`);
    res.json({ value: (await lever(req.body)) ?? null });
  } catch (error) {
    res.status(500).json({ error: error.stack ?? String(error) });
  }
});

console.log(JSON.stringify({
  control: await listen(door), express: servers.express, hono: servers.hono, legacy: servers.legacy,
  proxy: proxy.url, facilitator: facilitator.url, pay_to: PAY_TO, solana_pay_to: solana.payTo, prices: PRICES,
  rpc: { base: chains.base.url, "base-sepolia": chains["base-sepolia"].url, ...solana.urls },
  usdc: { base: chains.base.token, "base-sepolia": chains["base-sepolia"].token },
  operator: chains.base.operator.address, escrow: ESCROW, node: process.version,
}));
