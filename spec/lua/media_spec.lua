-- SPDX-License-Identifier: MIT
local cjson = require "cjson"
local fake = require "spec.support.fakecore"

local function read(path)
  local file = io.open(path, "rb")
  if not file then return nil end
  local text = file:read "*a"
  file:close()
  return text
end

describe("the files of a named purchase", function()
  local spraay, world, client, folder, urls, begun

  before_each(function()
    spraay, world = fake.new()
    folder = os.tmpname()
    os.remove(folder)
    os.execute("mkdir " .. folder)
    world.folder = folder
    world.web["https://r.example/a.png"] = { body = "A" }
    world.web["https://r.example/b.webp?sig=1"] = { body = "B" }
    world.web["https://r.example/film.mp4"] = { body = "FILM" }
    urls, begun = { "https://r.example/a.png", "https://r.example/b.webp?sig=1" }, nil
    world.answer = function(request)
      if request.url:find("/status/", 1, true) then
        local over = world.now - begun > 60
        return { price = "1000", body = { status = over and "succeeded" or "processing",
          output = over and "https://r.example/film.mp4" or cjson.null } }
      elseif request.url:find("video", 1, true) then
        begun = begun or world.now
        return { price = "500000", body = { status = "processing", prediction_id = "v1" } }
      end
      local images = {}
      for i, url in ipairs(urls) do images[i] = { url = url } end
      return { price = "30000", body = { status = "completed", images = images } }
    end
    client = assert(spraay.open { run = "r" })
  end)
  after_each(function() os.execute("rm -r " .. folder) end)

  -- What is kept, names without their hashes.
  local function kept()
    local pipe = io.popen("ls " .. folder .. "/ledger.db.d/media 2>/dev/null")
    local names = {}
    for name in pipe:lines() do names[#names + 1] = (name:gsub("%-%x%x%x%x%x%x%x%x", "-H")) end
    pipe:close()
    return table.concat(names, " ")
  end

  local function restart()
    world.restart()
    world.web, world.fetched = {}, {}   -- the links are dead
    client = assert(spraay.open { run = "r" })
  end

  it("are kept when they arrive, under the purchase, and are there again when the links are dead", function()
    assert(client:image "x")
    assert.equal("p1-1-H.png p1-2-H.webp", kept())
    restart()
    local image = assert(client:image "x")
    assert.equal("restored", image.payment.status)
    assert.same({ folder .. "/out/a.png", folder .. "/out/b.webp" }, image:save(folder .. "/out/"))
    assert.equal("A", read(folder .. "/out/a.png"))
    assert.equal("B", read(folder .. "/out/b.webp"))
    assert.equal(0, #world.fetched)
  end)

  it("that a disk has damaged are not handed over: the link is followed again while it lives", function()
    local image = assert(client:image "x")
    for _, damage in ipairs { "truncate -s 0 %s", "printf Z > %s", "rm %s" } do
      os.execute(damage:format(folder .. "/ledger.db.d/media/p1-1-*.png"))
      assert(image:save(folder .. "/out/"))
      assert.equal("A", read(folder .. "/out/a.png"), damage)
    end
    world.restart()
    client = assert(spraay.open { run = "r" })
    assert(client:image "x")
    world.web = {}
    assert(image:save(folder .. "/out2/"))
    assert.equal("A", read(folder .. "/out2/a.png"))   -- kept anew when the run was started again
    os.execute("truncate -s 0 " .. folder .. "/ledger.db.d/media/p1-1-*.png")
    local saved, message = image:save(folder .. "/out3/")
    assert.is_nil(saved)
    assert.truthy(message:find("a.png", 1, true), message)
  end)

  it("are kept for a purchase with a name of its own, too", function()
    client = assert(spraay.open {})
    client:image("x", { purchase = "mine" })
    client:image "y"
    assert.equal("p1-1-H.png p1-2-H.webp", kept())
  end)

  it("are kept by nobody else: not without a name, and not without a ledger", function()
    assert(assert(spraay.open {}):image "x")
    assert(assert(spraay.open { ledger = false, run = "r" }):image "x")
    assert.equal(0, #world.fetched)
    assert.equal("", kept())
  end)

  it("that cannot be fetched fail no call; save tries again, and reports", function()
    urls = { "https://r.example/late.png", "https://r.example/a.png" }
    local image = assert(client:image "x")
    assert.equal("p1-2-H.png", kept())
    local _, message = image:save(folder .. "/out/")
    assert.truthy(message:find("late.png", 1, true))
    world.web["https://r.example/late.png"] = { body = "LATE" }
    assert(image:save(folder .. "/out/"))
    assert.equal("LATE", read(folder .. "/out/late.png"))
  end)

  it("of a job are kept when a look finds it done", function()
    local job = assert(client:video "x")
    assert.equal("", kept())
    assert(job:wait())
    assert.equal("p1-1-H.mp4", kept())
    restart()
    job = assert(client:video "x")
    assert.equal("restored", job.payment.status)
    local film = assert(job:wait())
    assert.equal(folder .. "/film.mp4", film:save(folder .. "/film.mp4"))
    assert.equal("FILM", read(folder .. "/film.mp4"))
    assert.equal(folder .. "/again.mp4", job:save(folder .. "/again.mp4"))
    assert.equal(0, #world.fetched)
  end)

  it("of a job that was attached to are kept under the job's id", function()
    begun = world.now - 100
    local job = assert(client:job("v1", "video"))
    assert(job:wait())
    assert.equal("v1-1-H.mp4", kept())
  end)

  it("of a batch are kept, and numbered through", function()
    world.answer = function()
      local results = {}
      for i, url in ipairs(urls) do
        results[i] = { job_index = i - 1, status = "completed", result = { images = { { url = url } } } }
      end
      return { price = "50000", body = { results = results } }
    end
    local results = assert(client:batch { { type = "image", prompt = "a" }, { type = "image", prompt = "b" } })
    assert.equal("p1-1-H.png p1-2-H.webp", kept())
    world.web = {}
    assert(results[2]:save(folder .. "/two.webp"))
    assert.equal("B", read(folder .. "/two.webp"))
  end)

  it("are never fetched from this machine because somebody else's gateway says so", function()
    urls = { "http://127.0.0.1:8080/admin", "https://localhost/x", "https://r.example/there" }
    world.web["http://127.0.0.1:8080/admin"] = { body = "secret" }
    world.web["https://localhost/x"] = { body = "secret" }
    world.web["https://r.example/there"] = { status = 302, headers = { Location = "http://127.0.0.1:8080/admin" } }
    assert(client:image "x")
    assert.equal("", kept())
    assert.equal(1, #world.fetched)
    local own = assert(spraay.open { run = "r", gateway = "http://127.0.0.1:8402" })
    assert(own:image "x")
    assert.is_true(#kept() > 0)   -- a gateway on this machine has its files here
  end)

  it("are asked for with a bound on their size and the time of the call", function()
    client:image("x", { timeout = 30 })
    for _, request in ipairs(world.fetched) do
      assert.equal(512 * 1024 * 1024, request.max_spill)
      assert.equal(30000, request.total_ms)
      assert.same({ { "Accept", "*/*" } }, request.headers)
    end
    assert.equal(2, #world.fetched)
  end)

  it("are of the answer they came with: another link is another file", function()
    client = assert(spraay.open {})
    assert(client:image("x", { purchase = "mine" }))
    urls = { "https://r.example/film.mp4" }
    local anew = assert(client:image("x", { purchase = "mine", again = true }))
    assert(anew:save(folder .. "/new"))
    assert.equal("FILM", read(folder .. "/new"))
  end)

  it("reach a task that is only being finished", function()
    world.answer = function()
      return { price = "30000", after = 3, body = { status = "completed", images = { { url = urls[1] } } } }
    end
    spraay.run(function()
      local _, _, err = spraay.within(1, function() return client:image "x" end)
      assert.equal("within", err.code)
      assert(err.task:wait())
    end)
    assert.equal("p1-1-H.png", kept())
  end)
end)
