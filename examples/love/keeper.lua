-- The keeper: what he says and how he looks is bought, call by call. Calls are made in tasks, which
-- spraay.update moves; whoever asks looks at task:done() once per frame.
local keeper = {}
keeper.__index = keeper

local NATURE = "You keep a lighthouse on a lonely coast. You are old, dry and kind. Answer in two sentences."
local LOOKS = "portrait of an old lighthouse keeper with a lantern, oil on canvas"

--- client: from spraay.open; folder: where the portrait goes.
function keeper.new(spraay, client, folder)
  local self = setmetatable({ spraay = spraay, client = client, folder = folder, settled = "0", open = "0" }, keeper)
  function self.shorter(amount) return tostring(spraay.usdc(amount)) end     -- "0.030000" is "0.03"
  return self
end

-- What was paid so far, and what may have been, as the ledger knows it: failures cost money too.
local function booked(self, ...)
  local sum = self.client:summary()
  if sum then self.settled, self.open = self.shorter(sum.settled), self.shorter(sum.open) end
  return ...
end

--- Ask him. Returns a task whose result is his words, or nil, message, err.
function keeper:answer(question)
  return self.spraay.spawn(function()
    local answer, message, err = self.client:chat {
      messages = { { role = "system", content = NATURE }, { role = "user", content = question } },
      max_tokens = 120,
    }
    return booked(self, answer and answer.text, message, err)
  end)
end

--- Have him painted. Returns a task whose result is the name of a file, or nil, message, err.
function keeper:portrait()
  return self.spraay.spawn(function()
    local picture, message, err = self.client:image { prompt = LOOKS, width = 256, height = 256 }
    if picture and picture.wait then picture, message, err = picture:wait() end   -- a job: the painter is slow
    local path
    if picture then path, message, err = picture:save(self.folder .. "/portrait.png") end
    return booked(self, path and "portrait.png", message, err)
  end)
end

--- What became of the money when something failed, for the player.
function keeper:verdict(err)
  local amount = err.amount and self.shorter(err.amount) .. " USDC" or "Money"
  if err.paid == "yes" then return amount .. " was spent." end
  if err.paid == "maybe" then return amount .. " may have been spent. To ask the same again does not pay twice." end
  return "No money was spent."
end

return keeper
