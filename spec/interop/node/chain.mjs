// SPDX-License-Identifier: MIT
// A real EVM on loopback under the chain id of Base or Base Sepolia, with our token at USDC's address, our
// escrow at the gateway's, and the one contract beside them that the official facilitator reads through.
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { createPublicClient, createTestClient, createWalletClient, defineChain, getAddress, http, parseEther,
         parseAbi, pad, keccak256, toHex } from "viem";
import { privateKeyToAccount } from "viem/accounts";

const require = createRequire(import.meta.url);
const here = import.meta.dirname ?? path.dirname(new URL(import.meta.url).pathname);

export const MULTICALL = "0xcA11bde05977b3631167028862bE2a173976CA11";
export const ESCROW = "0xaF4e43d512C73c6731769620ca6b73f0FCFF9118";
export const PAY_TO = "0xAd62f03C7514bb8c51f1eA70C2b75C37404695c8";

export const NETWORKS = {
  base: { id: 8453, caip: "eip155:8453", usdc: "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913", name: "USD Coin" },
  "base-sepolia": { id: 84532, caip: "eip155:84532", usdc: "0x036CbD53842c5426634e7929541eC2318f3dCF7e",
                    name: "USDC" },
};

// ---- contracts ---------------------------------------------------------------------------------

// name -> { abi, runtime, creation }. Compiling takes seconds, so what came out is kept beside the packages.
export function contracts() {
  const sources = {};
  for (const name of ["Usdc", "Escrow", "Multicall"]) {
    sources[`${name}.sol`] = { content: readFileSync(path.join(here, `${name}.sol`), "utf8") };
  }
  const digest = createHash("sha256").update(JSON.stringify(sources)).digest("hex");
  const kept = path.join(here, "contracts.json");
  if (existsSync(kept)) {
    const found = JSON.parse(readFileSync(kept, "utf8"));
    if (found.digest === digest) return found.contracts;
  }
  const solc = require("solc");
  const answer = JSON.parse(solc.compile(JSON.stringify({
    language: "Solidity", sources,
    settings: { optimizer: { enabled: true, runs: 200 }, viaIR: true, evmVersion: "cancun",
                outputSelection: { "*": { "*": ["abi", "evm.bytecode.object", "evm.deployedBytecode.object"] } } },
  })));
  const bad = (answer.errors ?? []).filter((e) => e.severity === "error");
  if (bad.length) throw new Error(bad.map((e) => e.formattedMessage).join("\n"));
  const out = {};
  for (const [file, list] of Object.entries(answer.contracts)) {
    const name = file.replace(".sol", "");
    out[name] = { abi: list[name].abi, runtime: `0x${list[name].evm.deployedBytecode.object}`,
                  creation: `0x${list[name].evm.bytecode.object}` };
  }
  writeFileSync(kept, JSON.stringify({ digest, contracts: out }));
  return out;
}

// ---- one chain ---------------------------------------------------------------------------------

function anvilBinary() {
  const arch = process.arch === "x64" ? "amd64" : process.arch;
  return require.resolve(`@foundry-rs/anvil-${process.platform}-${arch}/bin/anvil`);
}

// Ends with us, however we end: beside it a shell reads from a pipe that only we hold.
const KEEPER = 'exec 3<&0; { cat <&3 > /dev/null; kill $$; } & exec 3<&-; exec "$@" < /dev/null';

// Start the process and find out where it listens.
function startAnvil(id, closing) {
  return new Promise((resolve, reject) => {
    const child = spawn("sh", ["-c", KEEPER, "sh", anvilBinary(), "--chain-id", String(id), "--port", "0",
      "--accounts", "0", "--no-cors", "--slots-in-an-epoch", "1",
      "--block-base-fee-per-gas", "5000000"], { stdio: ["pipe", "pipe", "pipe"] });
    closing.push(() => child.stdin.end());
    let said = "";
    const hear = (chunk) => {
      said += chunk;
      const at = said.match(/Listening on ([\d.]+:\d+)/);
      if (at) {
        resolve(`http://${at[1]}`);
        said = "";
      }
    };
    child.stdout.on("data", hear);
    child.stderr.on("data", hear);
    child.on("exit", (code) => reject(new Error(`the chain ended with ${code}: ${said}`)));
    child.on("error", reject);
  });
}

export const key = (label) => keccak256(toHex(`spraay interop: ${label}`));

export async function startChain(name, closing) {
  const network = NETWORKS[name];
  const url = await startAnvil(network.id, closing);
  const chain = defineChain({ id: network.id, name, nativeCurrency: { name: "Ether", symbol: "ETH", decimals: 18 },
                              rpcUrls: { default: { http: [url] } } });
  const transport = http(url, { retryCount: 0 });
  const reader = createPublicClient({ chain, transport, pollingInterval: 20, cacheTime: 0 });
  const levers = createTestClient({ chain, transport, mode: "anvil" });
  const relayer = privateKeyToAccount(key(`facilitator ${name}`));
  const operator = privateKeyToAccount(key(`operator ${name}`));
  for (const account of [relayer, operator]) {
    await levers.setBalance({ address: account.address, value: parseEther("1000") });
  }
  const wallet = createWalletClient({ account: relayer, chain, transport });
  const { Usdc, Escrow, Multicall } = contracts();
  await levers.setCode({ address: network.usdc, bytecode: Usdc.runtime });
  await levers.setCode({ address: MULTICALL, bytecode: Multicall.runtime });
  // The escrow knows its token since its construction, so it is built once and its code copied.
  const built = await wallet.deployContract({ abi: Escrow.abi, bytecode: Escrow.creation,
                                              args: [network.usdc, operator.address] });
  const { contractAddress } = await reader.waitForTransactionReceipt({ hash: built });
  await levers.setCode({ address: ESCROW, bytecode: await reader.getCode({ address: contractAddress }) });
  await levers.setStorageAt({ address: ESCROW, index: 0, value: pad(operator.address) });

  const usdc = { address: network.usdc, abi: Usdc.abi };
  const escrow = { address: ESCROW, abi: Escrow.abi };
  const send = async (contract, functionName, args, account = relayer) => {
    const hash = await wallet.writeContract({ ...contract, functionName, args, account });
    return reader.waitForTransactionReceipt({ hash });
  };
  await send(usdc, "setup", [network.name, "2"]);

  const transferred = parseAbi(["event Transfer(address indexed from, address indexed to, uint256 value)"]);
  return {
    ...network, token: network.usdc, name, url, reader, levers, wallet, relayer, operator, usdc, escrow, send,
    balance: (address) => reader.readContract({ ...usdc, functionName: "balanceOf", args: [getAddress(address)] }),
    mint: (to, value) => send(usdc, "mint", [getAddress(to), BigInt(value)]),
    burn: (from) => send(usdc, "burnAll", [getAddress(from)]),
    // Every transfer of the token away from an address: what it really paid.
    paid: async (from) => {
      const logs = await reader.getLogs({ address: network.usdc, event: transferred[0], fromBlock: 0n,
                                          args: { from: getAddress(from) } });
      return logs.map((l) => ({ to: l.args.to, value: l.args.value.toString(), transaction: l.transactionHash }));
    },
  };
}
