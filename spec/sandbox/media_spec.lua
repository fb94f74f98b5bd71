-- The files behind a finished job are what their names say, for any program that looks.
-- SPDX-License-Identifier: MIT
local gateway = require "spec.support.gateway"
local sandbox = require "spec.support.sandbox"

describe("media", function()
  local box, alice = gateway.shared{ job_seconds = 0 }

  -- What file(1) says about what is behind an address.
  local function kind_of(url)
    local answer = assert(sandbox.fetch(url))
    assert.equal(200, answer.status)
    local name = os.tmpname()
    local out = assert(io.open(name, "wb"))
    out:write(answer.body)
    out:close()
    local pipe = io.popen("file -b " .. name)
    local text = pipe:read "*a"
    pipe:close()
    os.remove(name)
    return text, answer
  end

  it("pictures are PNG in the shape that was asked for, at most 256 pixels long", function()
    local images = alice:pay("POST", "/api/v1/compute/image-generation",
      { prompt = "a lighthouse", width = 1024, height = 512, num_outputs = 2 }).json.images
    local text, answer = kind_of(images[1].url)
    assert.truthy(text:find("PNG image data, 256 x 128, 8-bit colormap", 1, true), text)
    assert.equal("image/png", answer.headers["content-type"])
    assert.not_equal(answer.body, sandbox.fetch(images[2].url).body)
  end)

  it("sounds are WAV", function()
    local url = alice:pay("POST", "/api/v1/compute/text-to-speech",
                          { text = "good evening to you all" }).json.audio_url
    local text, answer = kind_of(url)
    assert.truthy(text:find("WAVE audio, Microsoft PCM, 16 bit, mono 8000 Hz", 1, true), text)
    assert.equal(44 + 5 * 2 * 1440, #answer.body)
  end)

  it("films are AVI, as long as was asked for", function()
    local answer = alice:pay("POST", "/api/v1/compute/video-generation",
                             { prompt = "waves", duration_seconds = 3 }).json
    assert.equal("completed", answer.status)
    local text = kind_of(answer.video_url)
    assert.truthy(text:find("AVI, 128 x 72, 8.00 fps, video: uncompressed", 1, true), text)
  end)

  it("are the same for the same prompt, and gone for a wrong name", function()
    local function picture(prompt)
      local answer = alice:pay("POST", "/api/v1/compute/image-generation", { prompt = prompt }).json
      return sandbox.fetch(answer.images[1].url).body
    end
    assert.equal(picture "sea", picture "sea")
    assert.not_equal(picture "sea", picture "sand")
    assert.equal(404, box:request("GET", "/_sandbox/media/0000.png").status)
  end)
end)
