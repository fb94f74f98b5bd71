// SPDX-License-Identifier: MIT
// The official facilitator classes behind HTTP, settling on our chains. One scheme object per chain, since a
// signer knows one chain only. What the specs may change: `confirm` (how long a receipt is awaited), and `fail`,
// which makes the next calls of verify or settle go wrong the way a network does.
import express from "express";
import { x402Facilitator } from "@x402/core/facilitator";
import { toFacilitatorEvmSigner } from "@x402/evm";
import { ExactEvmScheme } from "@x402/evm/exact/facilitator";
import { ExactEvmSchemeV1 } from "@x402/evm/exact/v1/facilitator";
import { toFacilitatorSvmSigner } from "@x402/svm";
import { ExactSvmScheme } from "@x402/svm/exact/facilitator";
import { ExactSvmSchemeV1 } from "@x402/svm/exact/v1/facilitator";

export function evmSigner(chain, confirm) {
  const { reader, wallet, relayer } = chain;
  return toFacilitatorEvmSigner({
    address: relayer.address,
    readContract: (a) => reader.readContract({ ...a, args: a.args ?? [] }),
    verifyTypedData: (a) => reader.verifyTypedData(a),
    writeContract: (a) => wallet.writeContract({ ...a, args: a.args ?? [] }),
    sendTransaction: (a) => wallet.sendTransaction(a),
    waitForTransactionReceipt: (a) => reader.waitForTransactionReceipt({ ...a, timeout: confirm() }),
    getCode: (a) => reader.getCode(a),
  });
}

export async function startFacilitator(chains, solana, listen) {
  const state = { confirm: 20000, fail: null, calls: [] };
  const facilitator = new x402Facilitator();
  for (const chain of Object.values(chains)) {
    const signer = evmSigner(chain, () => state.confirm);
    facilitator.register(chain.caip, new ExactEvmScheme(signer));
    facilitator.registerV1(chain.name, new ExactEvmSchemeV1(signer));
  }
  if (solana) {
    const signer = toFacilitatorSvmSigner(solana.feePayer, solana.rpcs);
    facilitator.register(Object.values(solana.networks), new ExactSvmScheme(signer));
    facilitator.registerV1(Object.keys(solana.networks), new ExactSvmSchemeV1(signer));
  }

  const app = express();
  app.use(express.json({ limit: "1mb" }));
  app.get("/supported", (_, res) => res.json(facilitator.getSupported()));
  for (const step of ["verify", "settle"]) {
    app.post(`/${step}`, async (req, res) => {
      const fail = state.fail?.step === step && state.fail.times-- > 0 ? state.fail : null;
      if (fail?.how === "reset") return req.socket.destroy();
      if (fail?.how === "500") return res.status(500).json({ error: "out of order" });
      if (fail?.how === "nonsense") return res.type("text").send("<html>not a facilitator</html>");
      if (fail?.how === "say") return res.json(fail.answer);
      let answer;
      try {
        answer = await facilitator[step](req.body.paymentPayload, req.body.paymentRequirements);
      } catch (error) {
        const reason = error.message.split("\n")[0];
        answer = step === "verify" ? { isValid: false, invalidReason: reason }
          : { success: false, errorReason: reason, transaction: "", network: req.body.paymentRequirements.network };
      }
      state.calls.push({ step, version: req.body.paymentPayload?.x402Version,
                         extensions: req.body.paymentPayload?.extensions ?? null, answer });
      if (fail?.how === "late") return req.socket.destroy();   // it settled, and nobody will know
      res.json(answer);
    });
  }
  return { url: await listen(app), state, facilitator };
}
