-- SPDX-License-Identifier: MIT
local fake = require "spec.support.fakecore"

describe("the table of routes", function()
  fake.new()
  local routes = require "spraay.routes"

  it("carries the published prices", function()
    local prices = {}
    for name, route in pairs(routes.table) do prices[name] = routes.price(route) end
    assert.same({ chat = "0.03", image = "0.03", video = "0.5", speak = "0.03", transcribe = "0.02",
      embed = "0.005", batch = "0.05", status = "0.001", gpu = "0.06", gpu_status = "0.005", deposit = "0.01",
      balance = "0.001", execute = "0.001", history = "0.002", refund = "0.01", pricing = "0.001" }, prices)
  end)

  it("says how often a payment may be presented", function()
    assert.equal("repeat", routes.table.chat.class)
    assert.equal("once", routes.table.video.class)
    assert.equal("never", routes.table.execute.class)
    assert.equal("look", routes.table.status.class)
    assert.equal("free", routes.table.estimate.class)
  end)

  it("finds the route of a path, whatever its case, query or last slash", function()
    assert.equal("chat", routes.find("POST", "/API/v1/compute/text-inference/").name)
    assert.equal("balance", routes.find("get", "/api/v1/compute-futures/balance?id=CFE-1").name)
    assert.equal("status", routes.find("GET", "/api/v1/compute/status/abc").name)
    assert.equal("models", routes.find("GET", "/api/v1/compute/models").name)
    assert.equal("free", routes.find("GET", "/stats").class)
  end)

  it("knows nothing of other methods and other paths", function()
    assert.is_nil(routes.find("GET", "/api/v1/compute/text-inference"))
    assert.is_nil(routes.find("GET", "/api/v1/compute/status/"))
    assert.is_nil(routes.find("GET", "/api/v1/compute/status/a/b"))
    assert.is_nil(routes.find("POST", "/api/v1/swap"))
  end)
end)
