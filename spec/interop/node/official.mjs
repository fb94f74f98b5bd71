// SPDX-License-Identifier: MIT
// The official client, @x402/fetch, buying something. It answers what it saw on the way.
import { wrapFetchWithPayment } from "@x402/fetch";
import { x402Client, x402HTTPClient } from "@x402/core/client";
import { ExactEvmScheme } from "@x402/evm/exact/client";
import { ExactEvmSchemeV1 } from "@x402/evm/exact/v1/client";
import { NETWORKS as EVM_V1 } from "@x402/evm/v1";
import { ExactSvmScheme } from "@x402/svm/exact/client";
import { ExactSvmSchemeV1 } from "@x402/svm/exact/v1/client";
import { createKeyPairSignerFromPrivateKeyBytes, getBase58Encoder } from "@solana/kit";
import { privateKeyToAccount } from "viem/accounts";
import { seedOf } from "./solana.mjs";

// rails: "evm", "svm" or both; `key` is an EVM key, `solana_secret` 64 bytes in base58, or `label` names a key of ours.
export async function payOfficially({ url, method = "GET", body, key, label, solana_secret, rpc, rails = "evm" }) {
  const client = new x402Client();
  if (rails.includes("evm")) {
    const account = privateKeyToAccount(key);
    client.register("eip155:*", new ExactEvmScheme(account));
    for (const name of EVM_V1) client.registerV1(name, new ExactEvmSchemeV1(account));
  }
  if (rails.includes("svm")) {
    const seed = solana_secret ? getBase58Encoder().encode(solana_secret).slice(0, 32) : await seedOf(label);
    const signer = await createKeyPairSignerFromPrivateKeyBytes(seed);
    client.register("solana:*", new ExactSvmScheme(signer, rpc ? { rpcUrl: rpc } : undefined));
    for (const name of ["solana", "solana-devnet"]) {
      client.registerV1(name, new ExactSvmSchemeV1(signer, rpc ? { rpcUrl: rpc } : undefined));
    }
  }
  const seen = [];   // every exchange the wrapper made
  const watched = async (input, init) => {
    const request = new Request(input, init);
    const answer = await fetch(request);
    seen.push({ status: answer.status, sent: Object.fromEntries(request.headers),
                headers: Object.fromEntries(answer.headers) });
    return answer;
  };
  const paying = wrapFetchWithPayment(watched, client);
  const init = { method };
  if (body !== undefined) {
    init.body = JSON.stringify(body);
    init.headers = { "content-type": "application/json" };
  }
  try {
    const answer = await paying(url, init);
    const http = new x402HTTPClient(client);
    let receipt = null;
    try {
      receipt = http.getPaymentSettleResponse((name) => answer.headers.get(name));
    } catch { /* none came */ }
    return { status: answer.status, body: await answer.text(), receipt, seen };
  } catch (error) {
    return { error: error.message, seen };
  }
}
