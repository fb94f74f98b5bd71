// SPDX-License-Identifier: MIT
// Reads cases from standard input, one JSON object a line, holds each against the official code, and answers on
// standard output: a line for each that differs, at the end { done, checked }. What a case holds is in random.lua.
import readline from "node:readline";
import { getAddress, hashTypedData, keccak256, recoverTransactionAddress, recoverTypedDataAddress } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { decodePaymentSignatureHeader } from "@x402/core/http";
import { x402ResourceServer } from "@x402/core/server";
import { authorizationTypes } from "@x402/evm";
import { ExactEvmScheme } from "@x402/evm/exact/facilitator";
import { ExactEvmSchemeV1 } from "@x402/evm/exact/v1/facilitator";
import { judgeSolana } from "./judge_solana.mjs";

const server = new x402ResourceServer([]);

// A chain that agrees to everything: the classes alone decide. Signatures are recovered here.
const signer = {
  getAddresses: () => ["0x1111111111111111111111111111111111111111"],
  readContract: async () => undefined,
  getCode: async ({ address }) => (signer.asset && address === signer.asset ? "0x60" : undefined),
  verifyTypedData: async (a) => (await recoverTypedDataAddress(a)) === getAddress(a.address),
};
const v2 = new ExactEvmScheme(signer), v1 = new ExactEvmSchemeV1(signer);

const same = (what, theirs, ours) => {
  if (theirs !== ours) throw new Error(`${what}: the official code says ${theirs}, ours ${ours}`);
};

const kinds = {
  // { domain, message, key, address, digest, signature }
  async digest(c) {
    const domain = { ...c.domain, chainId: Number(c.domain.chainId) };
    const message = { ...c.message };
    for (const name of ["value", "validAfter", "validBefore"]) message[name] = BigInt(message[name]);
    const typed = { domain, types: authorizationTypes, primaryType: "TransferWithAuthorization", message };
    const account = privateKeyToAccount(c.key);
    same("address", account.address, c.address);
    same("digest", hashTypedData(typed), c.digest);
    same("signature", await account.signTypedData(typed), c.signature);
  },

  // { header, accepts, resource, extensions, pick, payer, before, after, damage? }: what x402.pay wrote for a challenge,
  // between these two moments
  async payload(c) {
    let payment, terms, verdict;
    if (c.version === 2) {
      payment = decodePaymentSignatureHeader(c.header);
      terms = server.findMatchingRequirements(c.accepts, payment);
      if (!terms) throw new Error("the official server finds no matching terms");
      same("the entry chosen", JSON.stringify(terms), JSON.stringify(c.accepts[c.pick]));
      const echo = server.validateExtensions({ x402Version: 2, accepts: c.accepts, resource: c.resource,
                                               extensions: c.extensions }, payment);
      if (!echo.isValid && !echo.valid) throw new Error(`extensions: ${JSON.stringify(echo)}`);
    } else {
      payment = JSON.parse(Buffer.from(c.header, "base64").toString());
      terms = c.accepts.find((t) => t.scheme === payment.scheme && t.network === payment.network);
      if (!terms) throw new Error("the legacy server finds no matching terms");
    }
    window(payment.payload.authorization, terms, c);
    signer.asset = terms.asset;
    if (c.damage) damage(payment.payload, c.damage);
    verdict = await (c.version === 2 ? v2 : v1).verify(payment, terms);
    same("payer", verdict.payer, c.damage === "from" ? payment.payload.authorization.from : c.payer);
    same(c.damage ? `verdict on a damaged ${c.damage}` : `verdict (${verdict.invalidReason})`, verdict.isValid, !c.damage);
  },

  // { fields, key, signed, hash }: a type-2 transaction
  async transaction(c) {
    const f = c.fields;
    const tx = { type: "eip1559", chainId: Number(f.chain_id), nonce: Number(f.nonce), gas: BigInt(f.gas),
                 maxPriorityFeePerGas: BigInt(f.max_tip), maxFeePerGas: BigInt(f.max_fee), value: BigInt(f.value),
                 data: f.data, to: f.to };
    const account = privateKeyToAccount(c.key);
    same("transaction", await account.signTransaction(tx), c.signed);
    same("hash", keccak256(c.signed), c.hash);
    same("sender", await recoverTransactionAddress({ serializedTransaction: c.signed }), account.address);
  },

  solana: judgeSolana,
};

// The official clients' window: until now + maxTimeoutSeconds, which we cut at ten minutes; from 0 in version 2, from
// ten minutes ago in version 1.
function window(a, terms, c) {
  const life = Math.min(terms.maxTimeoutSeconds, 600), until = Number(a.validBefore) - life;
  if (until < c.before || until > c.after) throw new Error(`validBefore ${a.validBefore} is not ${life} s from now`);
  const from = Number(a.validAfter) + 600;
  if (c.version === 2 ? a.validAfter !== "0" : from < c.before || from > c.after) {
    throw new Error(`validAfter ${a.validAfter} is not what the official client signs`);
  }
}

function damage(payload, what) {
  const a = payload.authorization;
  if (what === "value") a.value = String(BigInt(a.value) + 1n);
  else if (what === "nonce") a.nonce = a.nonce.slice(0, -1) + (a.nonce.endsWith("0") ? "1" : "0");
  else if (what === "validBefore") a.validBefore = String(BigInt(a.validBefore) - 1n);
  else if (what === "to") a.to = "0x2222222222222222222222222222222222222222";
  else if (what === "from") a.from = "0x3333333333333333333333333333333333333333";
  else payload.signature = payload.signature.slice(0, 30) + (payload.signature[30] === "0" ? "1" : "0")
    + payload.signature.slice(31);
}

let checked = 0;
for await (const line of readline.createInterface({ input: process.stdin, crlfDelay: Infinity })) {
  if (!line) continue;
  const c = JSON.parse(line);
  try {
    await kinds[c.kind](c);
  } catch (error) {
    console.log(JSON.stringify({ why: error.message, case: c }));
  }
  checked++;
}
console.log(JSON.stringify({ done: true, checked }));
