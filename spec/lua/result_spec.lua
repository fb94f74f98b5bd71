-- SPDX-License-Identifier: MIT
local fake = require "spec.support.fakecore"

local function read(path)
  local file = io.open(path, "rb")
  if not file then return nil end
  local text = file:read "*a"
  file:close()
  return text
end

describe("result:save", function()
  local spraay, world = fake.new()
  local client = assert(spraay.open {})
  local directory = os.tmpname()
  os.remove(directory)
  os.execute("mkdir " .. directory)

  teardown(function() os.execute("rm -r " .. directory) end)

  -- An image of these links.
  local function image(...)
    local images = {}
    for i, url in ipairs { ... } do images[i] = { url = url } end
    world.answer = function() return { price = "30000", body = { status = "completed", images = images } } end
    return assert(client:image("x" .. #world.calls))
  end

  it("fetches the link and gives the path", function()
    world.web["https://r.example/a.png"] = { body = "PNG" }
    local path = directory .. "/out.png"
    assert.equal(path, image("https://r.example/a.png"):save(path))
    assert.equal("PNG", read(path))
    assert.is_nil(read(path .. ".part"))
  end)

  it("names several after their links in a directory, or numbers them", function()
    world.web["https://r.example/a.png"] = { body = "A" }
    world.web["https://s.example/x/a.png?sig=1"] = { body = "B" }
    local result = image("https://r.example/a.png", "https://s.example/x/a.png?sig=1")
    assert.same({ directory .. "/a.png", directory .. "/a-2.png" }, result:save(directory .. "/"))
    assert.equal("B", read(directory .. "/a-2.png"))
    assert.same({ directory .. "/o.png", directory .. "/o-2.png" }, result:save(directory .. "/o.png"))
  end)

  it("cannot be made to write elsewhere by a link", function()
    world.web["https://r.example/..%2f..%2fetc%2fpasswd"] = { body = "X" }
    local path = image("https://r.example/..%2f..%2fetc%2fpasswd"):save(directory .. "/")
    assert.equal(directory .. "/_.._etc_passwd", path)
  end)

  it("follows redirects over https, a few of them", function()
    world.web["https://r.example/1"] = { status = 302, headers = { Location = "/2" } }
    world.web["https://r.example/2"] = { status = 307, headers = { Location = "https://s.example/3" } }
    world.web["https://s.example/3"] = { body = "there" }
    assert(image("https://r.example/1"):save(directory .. "/r"))
    assert.equal("there", read(directory .. "/r"))
    world.web["https://r.example/loop"] = { status = 302, headers = { Location = "/loop" } }
    local path, message = image("https://r.example/loop"):save(directory .. "/never")
    assert.is_nil(path)
    assert.truthy(message:find("redirects", 1, true))
  end)

  it("fetches nothing over plain http away from loopback, redirected or not", function()
    world.web["https://r.example/down"] = { status = 302, headers = { Location = "http://r.example/x" } }
    for _, url in ipairs { "http://r.example/x", "https://r.example/down", "https://u:p@r.example/x" } do
      local path, _, err = image(url):save(directory .. "/never")
      assert.is_nil(path)
      assert.equal("policy", err.kind)
    end
    world.web["http://127.0.0.1:8402/x"] = { body = "local" }
    assert(image("http://127.0.0.1:8402/x"):save(directory .. "/local"))
  end)

  it("never carries a payment, an API key or the caller's headers", function()
    for _, request in ipairs(world.fetched) do assert.same({ { "Accept", "*/*" } }, request.headers) end
  end)

  it("says what went wrong and leaves nothing behind", function()
    local path, message, err = image("https://r.example/gone"):save(directory .. "/gone")
    assert.is_nil(path)
    assert.equal("connection", err.kind)
    assert.truthy(message:find("still here", 1, true))
    world.web["https://r.example/404"] = { status = 404 }
    path, message, err = image("https://r.example/404"):save(directory .. "/gone")
    assert.is_nil(path)
    assert.truthy(message:find("answered 404", 1, true))
    assert.equal(404, err.status)
    world.web["https://r.example/ok"] = { body = "x" }
    path, message, err = image("https://r.example/ok"):save("/proc/no/such/directory/x")
    assert.is_nil(path)
    assert.truthy(message:find("cannot be written", 1, true))
    assert.equal("file", err.code)
    assert.is_nil(read(directory .. "/gone"))
    assert.is_nil(image("https://r.example/ok"):save(5))
  end)

  it("makes the folders that are missing", function()
    world.web["https://r.example/ok"] = { body = "x" }
    local path = directory .. "/new/folders/x.png"
    assert.equal(path, image("https://r.example/ok"):save(path))
    assert.equal("x", read(path))
  end)

  it("takes what the engine has spilled to a file", function()
    local spilled = directory .. "/.spilled"
    local file = io.open(spilled, "wb")
    file:write "large"
    file:close()
    world.web["https://r.example/large"] = { file = spilled }
    local path = directory .. "/large"
    assert.equal(path, image("https://r.example/large"):save(path))
    assert.equal("large", read(path))
    assert.is_nil(read(spilled))
  end)

  it("writes text as text and anything else as JSON", function()
    world.answer = function() return { price = "30000",
      body = { choices = { { message = { content = "hi" } } } } } end
    assert.equal(directory .. "/output.txt", client:chat("a"):save(directory .. "/"))
    assert.equal("hi", read(directory .. "/output.txt"))
    world.answer = function() return { body = { total_models = 21 } } end
    assert(client:models():save(directory .. "/models.json"))
    assert.equal('{"total_models":21}', read(directory .. "/models.json"))
  end)
end)
