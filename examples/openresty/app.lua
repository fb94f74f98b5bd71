-- The service behind nginx.conf: /chat buys inference, /spend says what was spent.
local cjson = require "cjson"
local spraay = require "spraay"

-- What each API client may spend in 24 hours, in USDC.
local BUDGETS = { alice = "0.30", bob = "0.06" }

local KEEP = 3600          -- seconds an answer is kept for equal questions
local PATIENCE = 60        -- seconds to wait for somebody who is buying the same
local answers = ngx.shared.answers

-- A ledger for each API client: `per_day` is then its budget, in all workers and across restarts. Opening touches
-- neither disk nor network, so it may be done here, in init_by_lua.
local folder = os.getenv "SPRAAY_STATE_DIR" or ngx.config.prefix() .. "../../out/openresty"
local clients = {}
for name, budget in pairs(BUDGETS) do
  clients[name] = assert(spraay.open {
    wallet = spraay.wallet.env(), ledger = folder .. "/" .. name .. ".db", per_day = budget, log = true,
  })
end

local app = {}

local function reply(status, value)
  ngx.status = status
  ngx.header["Content-Type"] = "application/json"
  ngx.say(cjson.encode(value))
end

local function question()
  if ngx.req.get_method() ~= "POST" then return ngx.req.get_uri_args().q end
  ngx.req.read_body()
  return ngx.req.get_body_data()
end

-- The answer to a prompt: from memory, or bought with `buy` by whoever comes first while the others wait for it.
-- Returns the text and whether it was remembered; or nil, message, err.
local function once(prompt, buy)
  local key = ngx.md5(prompt)
  local deadline = ngx.now() + PATIENCE
  while true do
    local text = answers:get(key)
    if text then return text, true end
    if answers:add("buying " .. key, true, PATIENCE) then break end
    if ngx.now() > deadline then return nil, "somebody else has been buying this for too long" end
    ngx.sleep(0.02)
  end
  local answer, message, err = buy()
  if answer then answers:set(key, answer.text, KEEP) end
  answers:delete("buying " .. key)
  if not answer then return nil, message, err end
  return answer.text, false, answer.payment
end

-- HTTP statuses for the kinds of errors that are the asker's affair.
local STATUS = { budget = 402, usage = 400, timeout = 504 }

function app.chat()
  local client = clients[ngx.var.api_client]
  if not client then return reply(401, { error = "send your key as X-API-Key" }) end
  local prompt = question()
  if type(prompt) ~= "string" or prompt == "" then return reply(400, { error = "ask something: /chat?q=…" }) end

  local text, known, more = once(prompt, function() return client:chat(prompt, { timeout = 50 }) end)
  if not text then
    if more and more.kind == "budget" then known = "your budget of 24 hours is spent" end
    return reply(more and STATUS[more.kind] or 502, { error = known, paid = more and more.paid or "no" })
  end
  reply(200, { text = text, cached = known, cost = more and more.amount or "0" })
end

-- What each API client has spent, and what it may have, by its ledger: all workers, all restarts.
function app.spend()
  local report = {}
  for name, client in pairs(clients) do
    local rows, message = client:purchases()
    if not rows then return reply(500, { error = message }) end
    local settled, open = {}, {}
    for _, row in ipairs(rows) do
      if row.payment == "settled" or row.state == "paid_lost" then
        settled[#settled + 1] = row.amount
      else
        open[#open + 1] = row.amount
      end
    end
    report[name] = { settled = tostring(spraay.sum(settled)), open = tostring(spraay.sum(open)),
      purchases = #rows, budget = BUDGETS[name] }
  end
  reply(200, report)
end

return app
