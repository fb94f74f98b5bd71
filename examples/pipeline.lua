-- A small production from one sentence: scenes, pictures, a film, a voice, and what it all cost.
--
--   spraay sandbox -- lua5.4 examples/pipeline.lua ["a theme"]
--
-- Every call is paid by the call. Nothing here waits for anything it does not need: pictures,
-- film, voice and embeddings are bought side by side.
local spraay = require "spraay"

local theme = arg[1] or "the last night of a lighthouse keeper"
local out = os.getenv "SPRAAY_OUT" or "out"

local client = assert(spraay.open{
  wallet = spraay.wallet.env(),
  budget = "2.00",
})

-- What each step cost, as the receipts say.
local steps = {}
local function paid(step, payment)
  steps[#steps + 1] = { step = step, amount = payment.amount or "0.000000", status = payment.status }
end

local function write_scenes()
  local answer = assert(client:chat{
    messages = {
      { role = "system", content = "You write storyboards. Answer with a numbered list, one line an item." },
      { role = "user", content = "Write 3 scenes about " .. theme .. "." },
    },
    max_tokens = 400,
  })
  paid("chat: 3 scenes", answer.payment)
  assert(answer:save(out .. "/scenes.txt"))
  local scenes = {}
  for line in answer.text:gmatch "[^\n]+" do
    local scene = line:match "^%s*%d+[.)]%s*(.+)$"
    if scene then scenes[#scenes + 1] = scene end
  end
  return #scenes > 0 and scenes or { answer.text }
end

local function paint(scenes)
  local images, errors = spraay.map(scenes, { limit = 4 }, function(scene, i)
    local image = assert(client:image{ prompt = scene, width = 512, height = 512 })
    paid("image: scene " .. i, image.payment)
    return assert(image:save(("%s/scene-%d.png"):format(out, i)))
  end)
  for i, path in ipairs(images) do
    if not path then io.stderr:write("scene ", i, ": ", tostring(errors[i]), "\n") end
  end
  return images
end

local function film()
  local job = assert(client:video{ prompt = theme, duration_seconds = 4 })
  assert(job:wait{
    timeout = 600,
    on_progress = function(seen) print("  the film is " .. seen.status) end,
  })
  paid("video: order and looks", job.payment)
  return assert(job:save(out .. "/"))
end

local function narrate(scenes)
  local speech = assert(client:speak{ text = table.concat(scenes, " "), language = "en" })
  paid("speech", speech.payment)
  return assert(speech:save(out .. "/"))
end

-- The scene nearest to the theme: the largest dot product of embeddings.
local function best(scenes)
  local texts = { theme }
  for _, scene in ipairs(scenes) do texts[#texts + 1] = scene end
  local result = assert(client:embed{ input = texts })
  paid(("embeddings: %d texts"):format(#texts), result.payment)
  local wanted, winner, score = result.vectors[1], 1, -math.huge
  for i = 2, #result.vectors do
    local dot = 0
    for k, x in ipairs(result.vectors[i]) do dot = dot + x * wanted[k] end
    if dot > score then winner, score = i - 1, dot end
  end
  return winner
end

local function prepaid(scenes)
  local account = assert(client.futures:deposit{ amount = "10" })
  paid("futures: deposit", account.payment)
  local title = assert(account:chat{
    messages = { { role = "user", content = "Give a title to this: " .. scenes[1] } },
  })
  paid("futures: execute", title.payment)
  print(("  title: %s (charged %s, %s left)"):format(title.text, title.billing.charged, title.billing.balance))
  local balance = assert(account:balance())
  paid("futures: balance", balance.payment)
  local refund = assert(account:refund())
  paid("futures: refund", refund.payment)
  return title.text
end

local function table_of_costs()
  local amounts = {}
  print(("\n%-26s %12s  %s"):format("step", "USDC", "payment"))
  for _, step in ipairs(steps) do
    print(("%-26s %12s  %s"):format(step.step, step.amount, step.status))
    amounts[#amounts + 1] = step.amount
  end
  print(("%-26s %12s"):format("sum", tostring(spraay.sum(amounts))))
end

assert(spraay.run(function()
  print("theme: " .. theme)
  local scenes = write_scenes()
  for i, scene in ipairs(scenes) do print(("  %d. %s"):format(i, scene)) end
  local results, errors = spraay.all{
    spraay.spawn(paint, scenes),
    spraay.spawn(film),
    spraay.spawn(narrate, scenes),
    spraay.spawn(best, scenes),
    spraay.spawn(prepaid, scenes),
  }
  for i = 1, 5 do
    if not results[i] then error(errors[i], 0) end
  end
  print("  the best scene is number " .. results[4])
  print("\nsaved under " .. out .. "/: scenes.txt, pictures, " .. results[2] .. ", " .. results[3])
  table_of_costs()
  return true
end))
