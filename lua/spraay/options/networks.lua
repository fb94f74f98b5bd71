-- SPDX-License-Identifier: MIT
--- Network names and their CAIP-2 ids (https://chainagnostic.org/CAIPs/caip-2).
return {
  ["base"] = "eip155:8453",
  ["base-sepolia"] = "eip155:84532",
  ["solana"] = "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp",
  ["solana-devnet"] = "solana:EtWTRABZaYq6iMfeYKouRu166VU2xqa1",
}
