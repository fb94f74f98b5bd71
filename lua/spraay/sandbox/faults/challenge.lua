--- Faults in the way a challenge is written. `response` is the finished 402, changed in place.
-- SPDX-License-Identifier: MIT
local crypto = require "spraay.sandbox.crypto"
local json = require "spraay.sandbox.json"

local faults = {}

local function rewrite(response, change)
  for i = #response.headers, 1, -1 do
    local pair = response.headers[i]
    if pair[1] == "payment-required" then
      local text = change(pair[2])
      if text then response.headers[i] = { pair[1], text } else table.remove(response.headers, i) end
    end
  end
  return response
end

faults.huge_challenge = {
  text = "a challenge header of 12 KiB or more", options = { bytes = 12288 },
  apply = function(self, _, response)
    return rewrite(response, function(header)
      local challenge = json.decode(crypto.unbase64(header))
      local room = self:option "bytes" * 3 // 4 - #header * 3 // 4
      challenge.extensions.bazaar.schema.description = ("long "):rep(math.max(room, 0) // 5 + 1)
      return crypto.base64(json.encode(challenge))
    end)
  end,
}
faults.oversize_headers = {
  text = "response headers of more than 64 KiB", options = { bytes = 70000 },
  apply = function(self, _, response)
    for i = 1, self:option "bytes" // 1000 + 1 do
      response.headers[#response.headers + 1] = { ("x-padding-%d"):format(i), ("p"):rep(1000) }
    end
    return response
  end,
}
faults.oversize_body = {
  text = "a challenge whose body does not end for a long time", options = { bytes = 70 * 1024 * 1024 },
  apply = function(self, _, response)
    response.pad_to = self:option "bytes"
    return response
  end,
}
faults.bad_base64_challenge = {
  text = "a challenge header that is not base64",
  apply = function(_, _, response)
    return rewrite(response, function(header) return "%%" .. header:sub(1, 60) .. "_-!" end)
  end,
}
faults.bad_json_challenge = {
  text = "a challenge header whose JSON is cut off",
  apply = function(_, _, response)
    return rewrite(response, function(header)
      local text = crypto.unbase64(header)
      return crypto.base64(text:sub(1, #text // 2))
    end)
  end,
}
faults.body_only_challenge = {
  text = "the challenge header is lost on the way; only the body has the terms",
  apply = function(_, _, response) return rewrite(response, function() return nil end) end,
}
faults.challenge_twice = {
  text = "two challenge headers, the second with another price",
  apply = function(_, _, response)
    for _, pair in ipairs(response.headers) do
      if pair[1] == "payment-required" then
        local challenge = json.decode(crypto.unbase64(pair[2]))
        for _, entry in ipairs(challenge.accepts) do entry.amount = "1" end
        response.headers[#response.headers + 1] = { pair[1], crypto.base64(json.encode(challenge)) }
        break
      end
    end
    return response
  end,
}

return faults
