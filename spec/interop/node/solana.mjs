// SPDX-License-Identifier: MIT
// Solana's virtual machine (LiteSVM: the real runtime with the real token and memo programs) behind the JSON-RPC
// methods that our client and the official packages use. One machine per network; what lands is final at once,
// and time only passes when a spec says `warp`.
import express from "express";
import { LiteSVM } from "litesvm";
import { address, createKeyPairSignerFromPrivateKeyBytes, createSolanaRpc, getAddressDecoder, getAddressEncoder,
         getBase58Decoder, getBase64Decoder, getBase64Encoder, getCompiledTransactionMessageDecoder,
         getTransactionDecoder, getTransactionEncoder, lamports } from "@solana/kit";
import { findAssociatedTokenPda, TOKEN_PROGRAM_ADDRESS } from "@solana-program/token";

export const SOLANA = {
  solana: { caip: "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp",
            genesis: "5eykt4UsFv8P8NJdTREpY1vzqKqZKvdpKuc147dw2N9d",
            usdc: "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v" },
  "solana-devnet": { caip: "solana:EtWTRABZaYq6iMfeYKouRu166VU2xqa1",
                     genesis: "EtWTRABZaYq6iMfeYKouRu166VU2xqa1wcaWoxPkrZBG",
                     usdc: "4zMMC9srt5Ri5X14GAgXhaHii3GnPAEERYPJgZJDncDU" },
};
const MEMO = "MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr";
const FIRST_SLOT = 300000000n;

const bytesOf = (text) => new Uint8Array(getBase64Encoder().encode(text));
const base64 = (bytes) => getBase64Decoder().decode(bytes);
const base58 = (bytes) => getBase58Decoder().decode(bytes);

// ---- accounts of the token program -------------------------------------------------------------

function mintData(supply) {
  const data = new Uint8Array(82);
  const view = new DataView(data.buffer);
  view.setBigUint64(36, supply, true);
  data[44] = 6;
  data[45] = 1;
  return data;
}

function tokenData(mint, owner, amount) {
  const data = new Uint8Array(165);
  data.set(getAddressEncoder().encode(mint), 0);
  data.set(getAddressEncoder().encode(owner), 32);
  new DataView(data.buffer).setBigUint64(64, amount, true);
  data[108] = 1;   // initialized
  return data;
}

const account = (at, data, programAddress) => ({ address: at, data, executable: false, lamports: lamports(10000000n),
                                                 programAddress, space: BigInt(data.length) });

// ---- errors, as the RPC writes them ------------------------------------------------------------

// LiteSVM's own error objects have no fixed shape across versions; their text is enough for whoever asks.
function errorOf(failed) {
  const err = failed.err?.();
  try {
    return JSON.parse(JSON.stringify(err ?? "failed", (_, v) => (typeof v === "bigint" ? Number(v) : v)));
  } catch {
    return String(err);
  }
}

class RpcError extends Error {
  constructor(code, message) {
    super(message);
    this.code = code;
  }
}

// ---- one network -------------------------------------------------------------------------------

export class Machine {
  constructor(name) {
    Object.assign(this, SOLANA[name], { name, landed: [], processed: new Set() });
    this.mint = address(this.usdc);
    this.svm = new LiteSVM().withTransactionHistory(0n);
    this.svm.warpToSlot(FIRST_SLOT);
    this.hashes = new Map();   // blockhash -> the slot it was given out in
    this.svm.setAccount(account(this.mint, mintData(0n), TOKEN_PROGRAM_ADDRESS));
  }

  slot() { return this.svm.getClock().slot; }

  async tokenAccount(owner) {
    const [at] = await findAssociatedTokenPda({ owner: address(owner), mint: this.mint,
                                                tokenProgram: TOKEN_PROGRAM_ADDRESS });
    return at;
  }

  async fund(owner, amount) {
    const at = await this.tokenAccount(owner);
    const had = await this.balance(owner);
    this.svm.setAccount(account(at, tokenData(this.mint, address(owner), had + BigInt(amount)),
                                TOKEN_PROGRAM_ADDRESS));
  }

  // For the fees of what an owner sends himself.
  pay(owner, amount) { this.svm.airdrop(address(owner), lamports(BigInt(amount))); }

  async empty(owner) {
    const at = await this.tokenAccount(owner);
    this.svm.setAccount(account(at, tokenData(this.mint, address(owner), 0n), TOKEN_PROGRAM_ADDRESS));
  }

  async balance(owner) {
    const found = this.svm.getAccount(await this.tokenAccount(owner));
    if (!found.exists || found.data.length < 72) return 0n;
    return new DataView(found.data.buffer, found.data.byteOffset).getBigUint64(64, true);
  }

  // Let blocks pass: after 150 of them a blockhash is dead.
  warp(slots) {
    this.svm.warpToSlot(this.slot() + BigInt(slots));
    this.svm.expireBlockhash();
  }

  blockhash() {
    const hash = this.svm.latestBlockhash();
    if (!this.hashes.has(hash)) this.hashes.set(hash, this.slot());
    return { blockhash: hash, lastValidBlockHeight: Number(this.hashes.get(hash) + 150n) };
  }

  parse(text) {
    const bytes = bytesOf(text);
    const tx = getTransactionDecoder().decode(bytes);
    const message = getCompiledTransactionMessageDecoder().decode(tx.messageBytes);
    const memos = [];
    for (const ix of message.instructions) {
      if (message.staticAccounts[ix.programAddressIndex] === MEMO) memos.push(new TextDecoder().decode(ix.data));
    }
    return { bytes, tx, message, memos };
  }

  send(text) {
    const { bytes, tx, message, memos } = this.parse(text);
    const first = Object.values(tx.signatures)[0];
    if (!first) throw new RpcError(-32003, "Transaction signature verification failure");
    const signature = base58(first);
    const before = this.landed.find((l) => l.signature === signature);
    if (before) return signature;
    const outcome = this.svm.sendTransaction(tx);
    const err = typeof outcome.err === "function" ? errorOf(outcome) : null;
    // What fails before it runs (a dead blockhash, a bad signature, no fee) never lands.
    if (err && /Blockhash|Signature|AlreadyProcessed|InsufficientFundsForFee|AccountNotFound/.test(JSON.stringify(err) + outcome.toString())) {
      return signature;
    }
    this.processed.add(base64(tx.messageBytes));
    this.landed.push({ signature, slot: Number(this.slot()), err, memo: memos.length ? memos : null,
                       accounts: message.staticAccounts, wire: base64(bytes) });
    this.svm.warpToSlot(this.slot() + 1n);
    return signature;
  }

  simulate(text) {
    const { tx } = this.parse(text);
    // A validator knows what it processed by the message's hash, which LiteSVM does not look at.
    if (this.processed.has(base64(tx.messageBytes))) {
      return { err: "AlreadyProcessed", logs: [], accounts: null, unitsConsumed: 0, returnData: null,
               innerInstructions: [] };
    }
    const checked = this.svm.withSigverify(false).simulateTransaction(tx);
    this.svm.withSigverify(true);
    const failed = typeof checked.err === "function";
    const meta = checked.meta();
    return { err: failed ? errorOf(checked) ?? "failed" : null, logs: meta.logs?.() ?? [], accounts: null,
             unitsConsumed: Number(meta.computeUnitsConsumed?.() ?? 0), returnData: null, innerInstructions: [] };
  }
}

// ---- the RPC -----------------------------------------------------------------------------------

const context = (m, value) => ({ context: { apiVersion: "2.1.0", slot: Number(m.slot()) }, value });

const methods = {
  getGenesisHash: (m) => m.genesis,
  getHealth: () => "ok",
  getVersion: () => ({ "solana-core": "2.1.0", "feature-set": 1 }),
  getSlot: (m) => Number(m.slot()),
  getBlockHeight: (m) => Number(m.slot()),
  getFirstAvailableBlock: () => 0,
  getEpochInfo: (m) => ({ absoluteSlot: Number(m.slot()), blockHeight: Number(m.slot()), epoch: 694,
                          slotIndex: Number(m.slot() % 432000n), slotsInEpoch: 432000, transactionCount: 1 }),
  getLatestBlockhash: (m) => context(m, m.blockhash()),
  isBlockhashValid: (m, [hash]) => context(m, m.svm.latestBlockhash() === hash),
  getBalance: (m, [at]) => context(m, Number(m.svm.getBalance(address(at)) ?? 0n)),
  getMinimumBalanceForRentExemption: (m, [size]) => Number(m.svm.minimumBalanceForRentExemption(BigInt(size))),
  getAccountInfo: (m, [at]) => context(m, encodeAccount(m, at)),
  getMultipleAccounts: (m, [list]) => context(m, list.map((at) => encodeAccount(m, at))),
  getTokenAccountBalance: (m, [at]) => {
    const found = m.svm.getAccount(address(at));
    if (!found.exists) throw new RpcError(-32602, "Invalid param: could not find account");
    const amount = new DataView(found.data.buffer, found.data.byteOffset).getBigUint64(64, true);
    return context(m, { amount: String(amount), decimals: 6, uiAmount: Number(amount) / 1e6,
                        uiAmountString: String(Number(amount) / 1e6) });
  },
  sendTransaction: (m, [text]) => m.send(text),
  simulateTransaction: (m, [text]) => context(m, m.simulate(text)),
  getSignatureStatuses: (m, [list]) => context(m, list.map((signature) => {
    const l = m.landed.find((entry) => entry.signature === signature);
    return l ? { slot: l.slot, confirmations: null, err: l.err, confirmationStatus: "finalized",
                 status: l.err ? { Err: l.err } : { Ok: null } } : null;
  })),
  getSignaturesForAddress: (m, [at, config = {}]) => {
    let list = m.landed.filter((l) => l.accounts.includes(at)).reverse();
    if (config.before) list = list.slice(list.findIndex((l) => l.signature === config.before) + 1);
    if (config.until) list = list.slice(0, list.findIndex((l) => l.signature === config.until));
    return list.slice(0, config.limit ?? 1000).map((l) => ({
      signature: l.signature, slot: l.slot, err: l.err, confirmationStatus: "finalized", blockTime: null,
      memo: l.memo && l.memo.map((text) => `[${text.length}] ${text}`).join("; "),
    }));
  },
  getTransaction: (m, [signature]) => {
    const l = m.landed.find((entry) => entry.signature === signature);
    return l ? { slot: l.slot, blockTime: null, version: 0, transaction: [l.wire, "base64"],
                 meta: { err: l.err, status: l.err ? { Err: l.err } : { Ok: null }, fee: 10000,
                         innerInstructions: [], logMessages: [], preBalances: [], postBalances: [],
                         preTokenBalances: [], postTokenBalances: [], rewards: [],
                         loadedAddresses: { readonly: [], writable: [] } } } : null;
  },
};

function encodeAccount(m, at) {
  const found = m.svm.getAccount(address(at));
  if (!found.exists) return null;
  return { data: [base64(found.data), "base64"], executable: found.executable, lamports: Number(found.lamports),
           owner: found.programAddress, rentEpoch: 0, space: found.data.length };
}

function serveRpc(machine) {
  const app = express();
  app.use(express.json({ limit: "1mb", type: () => true }));
  app.post("*", (req, res) => {
    const { id, method, params } = req.body;
    try {
      if (!methods[method]) throw new RpcError(-32601, "Method not found");
      res.json({ jsonrpc: "2.0", id, result: methods[method](machine, params ?? []) });
    } catch (error) {
      res.json({ jsonrpc: "2.0", id, error: { code: error.code ?? -32603, message: error.message } });
    }
  });
  return app;
}

// ---- keys --------------------------------------------------------------------------------------

export const seedOf = async (label) =>
  new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(`spraay interop: ${label}`)));

// A signer, and its key in the form wallets keep it: 64 bytes, seed and public key, in base58.
export async function solanaKey(label) {
  const seed = await seedOf(label);
  const signer = await createKeyPairSignerFromPrivateKeyBytes(seed);
  const secret = new Uint8Array(64);
  secret.set(seed, 0);
  secret.set(getAddressEncoder().encode(signer.address), 32);
  return { signer, address: signer.address, secret: base58(secret) };
}

export async function startSolana(listen) {
  const feePayer = (await solanaKey("solana fee payer")).signer;
  const payTo = (await solanaKey("solana merchant")).address;
  const machines = {}, networks = {}, urls = {}, rpcs = {};
  for (const name of Object.keys(SOLANA)) {
    const machine = new Machine(name);
    machine.svm.airdrop(feePayer.address, lamports(1000000000000n));
    await machine.fund(payTo, 0);
    machines[name] = machine;
    networks[name] = machine.caip;
    urls[name] = await listen(serveRpc(machine));
    rpcs[machine.caip] = rpcs[name] = createSolanaRpc(urls[name]);   // version 1 calls them by name
  }
  return { feePayer, payTo, machines, networks, urls, rpcs };
}
