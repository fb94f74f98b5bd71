// SPDX-License-Identifier: MIT
// A Solana payment of ours, held against the official facilitator and against a transaction built by the official
// libraries from the same inputs.
import { address, appendTransactionMessageInstructions, compileTransactionMessage, createNoopSigner,
         createTransactionMessage,
         getBase64Encoder, getCompiledTransactionMessageDecoder, getPublicKeyFromAddress,
         getTransactionDecoder, pipe, setTransactionMessageFeePayer, setTransactionMessageLifetimeUsingBlockhash,
         signatureBytes, verifySignature } from "@solana/kit";
import { getSetComputeUnitLimitInstruction,
         getSetComputeUnitPriceInstruction } from "@solana-program/compute-budget";
import { findAssociatedTokenPda, getTransferCheckedInstruction, TOKEN_PROGRAM_ADDRESS } from "@solana-program/token";
import { decodePaymentSignatureHeader } from "@x402/core/http";
import { x402ResourceServer } from "@x402/core/server";
import { ExactSvmScheme } from "@x402/svm/exact/facilitator";

const MEMO = "MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr";
const server = new x402ResourceServer([]);

// One facilitator per fee payer; its chain agrees to everything.
const schemeFor = (feePayer) => new ExactSvmScheme({
  getAddresses: () => [feePayer],
  signTransaction: async (tx) => tx,
  simulateTransaction: async () => undefined,
  sendTransaction: async () => "",
  confirmTransaction: async () => undefined,
});

// An instruction with its indices resolved and the role of each account: what may not differ.
function resolved(message) {
  const { numSignerAccounts: signers, numReadonlySignerAccounts: readonlySigners,
          numReadonlyNonSignerAccounts: readonlyOthers } = message.header;
  const n = message.staticAccounts.length;
  const role = (i) => (i < signers ? "s" : "") + (i < signers ? (i < signers - readonlySigners ? "w" : "r")
    : (i < n - readonlyOthers ? "w" : "r"));
  const named = (i) => `${message.staticAccounts[i]} ${role(i)}`;
  return JSON.stringify({
    payer: named(0), blockhash: message.lifetimeToken, version: message.version, lookups: message.addressTableLookups ?? [],
    accounts: message.staticAccounts.map((_, i) => named(i)).sort(),
    instructions: message.instructions.map((ix) => ({ program: named(ix.programAddressIndex),
      accounts: (ix.accountIndices ?? []).map(named), data: Buffer.from(ix.data ?? []).toString("hex") })),
  });
}

async function official(terms, payer, memo, blockhash) {
  const mint = address(terms.asset);
  const ata = async (owner) => (await findAssociatedTokenPda({ owner: address(owner), mint,
                                                               tokenProgram: TOKEN_PROGRAM_ADDRESS }))[0];
  const source = await ata(payer), destination = await ata(terms.payTo);
  return compileTransactionMessage(pipe(createTransactionMessage({ version: 0 }),
    (m) => setTransactionMessageFeePayer(address(terms.extra.feePayer), m),
    (m) => setTransactionMessageLifetimeUsingBlockhash({ blockhash, lastValidBlockHeight: 1n }, m),
    (m) => appendTransactionMessageInstructions([
      getSetComputeUnitLimitInstruction({ units: 20000 }),
      getSetComputeUnitPriceInstruction({ microLamports: 1 }),
      getTransferCheckedInstruction({ source, mint, destination, authority: createNoopSigner(address(payer)),
                                      amount: BigInt(terms.amount), decimals: 6 }),
      { programAddress: address(MEMO), accounts: [], data: new TextEncoder().encode(memo) },
    ], m)));
}

// { header, accepts, payer, blockhash, memo?, damage? }
export async function judgeSolana(c) {
  const payment = decodePaymentSignatureHeader(c.header);
  const terms = server.findMatchingRequirements(c.accepts, payment);
  if (!terms) throw new Error("the official server finds no matching terms");
  const wire = new Uint8Array(getBase64Encoder().encode(payment.payload.transaction));
  const tx = getTransactionDecoder().decode(wire);
  const message = getCompiledTransactionMessageDecoder().decode(tx.messageBytes);
  const memo = new TextDecoder().decode(message.instructions[3].data);
  if (c.memo ? memo !== c.memo : !/^[0-9a-f]{32}$/.test(memo)) throw new Error(`the memo is ${JSON.stringify(memo)}`);
  const theirs = resolved(await official(terms, c.payer, memo, c.blockhash)), ours = resolved(message);
  if (theirs !== ours) throw new Error(`transaction: official ${theirs}, ours ${ours}`);
  const signature = tx.signatures[c.payer];
  if (!signature || !(await verifySignature(await getPublicKeyFromAddress(address(c.payer)),
                                            signatureBytes(signature), tx.messageBytes))) {
    throw new Error("the payer's signature does not verify");
  }
  if (tx.signatures[terms.extra.feePayer]) throw new Error("somebody signed for the fee payer");
  if (c.damage) {   // one bit of the message
    const at = wire.length - 1 - (c.damage % 300);
    wire[at] ^= 1;
    payment.payload.transaction = Buffer.from(wire).toString("base64");
  }
  let verdict;
  try {
    verdict = await schemeFor(terms.extra.feePayer).verify(payment, terms);
  } catch (error) {
    verdict = { isValid: false, invalidReason: error.message };
  }
  if (verdict.isValid !== !c.damage) {
    throw new Error(`verdict ${verdict.isValid} (${verdict.invalidReason})${c.damage ? " on a damaged one" : ""}`);
  }
}
