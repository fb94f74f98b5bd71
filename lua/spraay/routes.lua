-- SPDX-License-Identifier: MIT
--- The routes of the gateway: method, path, published price, and how often a payment for it may
-- be presented.
--
-- The prices are compiled in on purpose: the gateway's own lists never decide what is allowed to
-- be charged. `class` is the row of the table of presenting again:
--   free    nothing is paid
--   repeat  the same payment may be presented again while it lives
--   once    one more presentation, after proof that the first was not used
--   never   presented once (what it changes at the gateway cannot be undone)
--   look    a look at something: cheap, its answer is soon stale
-- `solana_tx`: the gateway looks at X-Solana-Tx there, a transfer that was made before, and nowhere else.
-- `slots` is how many requests a minute the gateway's limiter allows; GET is never limited.
local money = require "spraay.money"

local routes = {}

local V1 = "/api/v1"

--- By the name the verbs use.
routes.table = {
  chat = { "POST", V1 .. "/compute/text-inference", "repeat", price = "30000", kind = "text-inference" },
  image = { "POST", V1 .. "/compute/image-generation", "repeat", price = "30000", kind = "image-generation" },
  video = { "POST", V1 .. "/compute/video-generation", "once", price = "500000", kind = "video-generation" },
  speak = { "POST", V1 .. "/compute/text-to-speech", "repeat", price = "30000", kind = "text-to-speech" },
  transcribe = { "POST", V1 .. "/compute/speech-to-text", "repeat", price = "20000",
    kind = "speech-to-text" },
  embed = { "POST", V1 .. "/compute/embeddings", "repeat", price = "5000", kind = "embeddings" },
  batch = { "POST", V1 .. "/compute/batch", "repeat", price = "50000" },
  status = { "GET", V1 .. "/compute/status/", "look", price = "1000" },
  models = { "GET", V1 .. "/compute/models", "free" },
  estimate = { "POST", V1 .. "/compute/estimate", "free" },

  gpu = { "POST", V1 .. "/gpu/run", "once", price = "60000", solana_tx = true },
  gpu_status = { "GET", V1 .. "/gpu/status/", "look", price = "5000", solana_tx = true },
  gpu_models = { "GET", V1 .. "/gpu/models", "free" },

  deposit = { "POST", V1 .. "/compute-futures/deposit", "never", price = "10000", slots = 10 },
  balance = { "GET", V1 .. "/compute-futures/balance", "look", price = "1000" },
  execute = { "POST", V1 .. "/compute-futures/execute", "never", price = "1000" },
  history = { "GET", V1 .. "/compute-futures/history", "look", price = "2000" },
  refund = { "POST", V1 .. "/compute-futures/refund", "never", price = "10000" },
  pricing = { "GET", V1 .. "/compute-futures/pricing", "look", price = "1000" },

  discover = { "GET", "/.well-known/x402.json", "free" },
  health = { "GET", "/health", "free" },
}

for name, route in pairs(routes.table) do
  route.name, route.method, route.path, route.class = name, route[1], route[2], route[3]
  route.slots = route.slots or 30
end

-- Known to be free, though no verb uses them.
local ALSO_FREE = { ["GET /"] = true, ["GET /stats"] = true, ["GET /.well-known/x402"] = true,
  ["GET /openapi.json"] = true, ["GET /llms.txt"] = true, ["GET /llms-full.txt"] = true }

--- The most bytes a request body may have; the gateway's parser refuses more.
routes.BODY_MAX = 102400

--- The most jobs in one batch.
routes.BATCH_MAX = 50

--- Short verb names as job types, and the gateway's names as themselves.
routes.kinds = {}
for _, name in ipairs { "chat", "image", "video", "speak", "transcribe", "embed" } do
  local route = routes.table[name]
  routes.kinds[name], routes.kinds[route.kind] = name, name
end

--- The route a method and a path belong to, or nil. Case, a query and one trailing slash do not matter.
function routes.find(method, path)
  path = path:gsub("[?#].*$", ""):lower()
  if #path > 1 then path = path:gsub("/$", "") end
  method = method:upper()
  for _, route in pairs(routes.table) do
    if route.method == method then
      if route.path == path then return route end
      if route.path:sub(-1) == "/" and path:sub(1, #route.path) == route.path
        and not path:sub(#route.path + 1):find("/", 1, true) and #path > #route.path then
        return route
      end
    end
  end
  if not ALSO_FREE[method .. " " .. path] then return nil end
  return { method = method, path = path, class = "free", slots = 30 }
end

--- The name a price may be given under in open { prices = … }: a verb's name, or a path.
function routes.named(name)
  if routes.table[name] then return routes.table[name] end
  for _, route in pairs(routes.table) do
    if route.path == name or route.path == name:gsub(":%w+$", "") or route.kind == name
      or routes.label(route) == name then
      return route
    end
  end
  return nil
end

--- A route as the gateway names it, "compute/text-inference"; nil when it is none of ours.
function routes.label(route)
  if not route or not route.name then return nil end
  return (route.path:gsub("^" .. V1 .. "/", ""):gsub("^/", ""):gsub("/$", ""))
end

--- The published price as people read it, "0.03", or nil when free.
function routes.price(route)
  return route.price and money.short(route.price) or nil
end

return routes
