-- URLs. Where a payment may go is decided by comparing origins, so anything that two readers could
-- take for different hosts is refused.
-- SPDX-License-Identifier: MIT
local core = require "spraay.core"

describe("url_parse", function()
  it("takes a URL apart", function()
    local u = assert(core.url_parse "HTTPS://Gateway.Spraay.App:8443/v1/x?a=1&b=%20")
    assert.same({ scheme = "https", host = "Gateway.Spraay.App", port = 8443,
      path_query = "/v1/x?a=1&b=%20", https = true,
                  loopback = false, origin = "https://gateway.spraay.app:8443",
                  url = "https://gateway.spraay.app:8443/v1/x?a=1&b=%20" }, u)
  end)

  it("fills in what is left out", function()
    assert.equal(443, core.url_parse "https://a.b".port)
    assert.equal(80, core.url_parse "http://a.b/".port)
    assert.equal("https://a.b/", core.url_parse "https://a.b".url)
    assert.equal("https://a.b/?q", core.url_parse "https://a.b?q".url)
  end)

  it("knows the machine itself", function()
    for _, host in ipairs{ "localhost", "LOCALHOST:81", "127.0.0.1", "127.1.2.3:8402", "[::1]", "[::1]:9" } do
      assert.is_true(core.url_parse("http://" .. host .. "/").loopback, host)
    end
    for _, host in ipairs{ "localhost.example.com", "127.0.0.1.example.com", "128.0.0.1", "[::2]",
      "evil-localhost", "0.0.0.0",
                           "localhost." } do
      assert.is_false(core.url_parse("http://" .. host .. "/").loopback, host)
    end
  end)

  for _, bad in ipairs{
    { "https://user@host/", "SYNTAX", "user info" }, { "https://a:b@host/", "SYNTAX", "a password" },
    { "https://good.com\\@evil.com/", "SYNTAX", "a backslash" },
    { "https://host/a b", "SYNTAX", "a space" },
    { "https://host/\r\nX: 1", "SYNTAX", "a line break" }, { "https://host/\0", "SYNTAX", "a NUL byte" },
    { "https://host/#part", "SYNTAX", "a fragment" },
    { "https://h\195\182st/", "SYNTAX", "bytes above 127" },
    { "https://ho%73t/", "SYNTAX", "a percent sign in the host" }, { "https:///path", "SYNTAX", "no host" },
    { "https://host:/", "SYNTAX", "an empty port" },
    { "https://host:8a/", "SYNTAX", "letters in the port" },
    { "https://host:0/", "RANGE", "port zero" }, { "https://host:65536/", "RANGE", "a port past 65535" },
    { "https://host:080/", "RANGE", "a port with a zero in front" },
    { "https:host", "SYNTAX", "no slashes" }, { "host/path", "SYNTAX", "no scheme" },
    { "", "SYNTAX", "nothing" }, { "ftp://host/", "UNSUPPORTED", "another scheme" },
    { "javascript:alert(1)", "UNSUPPORTED", "a script" },
    { "http://127.1/", "SYNTAX", "a shortened address" },
    { "http://2130706433/", "SYNTAX", "an address as one number" },
    { "http://0x7f.0.0.1/", "SYNTAX", "a hexadecimal first part, in a host that ends in a number" },
    { "http://a.0x7f/", "SYNTAX", "a hexadecimal last part" },
    { "http://127.0.0.01/", "SYNTAX", "an octal-looking part" },
    { "http://1.2.3.256/", "SYNTAX", "a part past 255" },
    { "http://[::1/", "SYNTAX", "an open bracket" },
    { "http://[::1]x/", "SYNTAX", "text after the bracket" },
    { "http://[fe80::1%25eth0]/", "SYNTAX", "a zone" },
    { "http://[]/", "SYNTAX", "an empty bracket" },
    { "http://[abcd]/", "SYNTAX", "no address in brackets" },
    { "http://a..b/", "SYNTAX", "an empty label" }, { "http://.a/", "SYNTAX", "a leading dot" },
    { "https://" .. ("a"):rep(254) .. "/", "SYNTAX", "a name too long" },
    { "https://a/" .. ("x"):rep(8192), "LIMIT", "a text too long" } } do
    it("rejects " .. bad[3], function()
      assert.equal(bad[2], select(3, core.url_parse(bad[1])))
    end)
  end
end)

describe("url_origin", function()
  it("has one spelling for each origin", function()
    for _, text in ipairs{ "https://a.b", "HTTPS://A.B:443/x", "https://a.b:443?y", "https://a.b/z" } do
      assert.equal("https://a.b", core.url_origin(text))
    end
    assert.equal("http://a.b:443", core.url_origin "http://a.b:443")
    assert.equal("http://[::1]:8402", core.url_origin "http://[::1]:8402/x")
  end)
end)

describe("url_resolve", function()
  local base = "http://a/b/c/d;p?q"

  -- RFC 3986, section 5.4, without the schemes that are not http
  for ref, want in pairs{
    ["g"] = "http://a/b/c/g", ["./g"] = "http://a/b/c/g", ["g/"] = "http://a/b/c/g/",
      ["/g"] = "http://a/g", ["//g"] = "http://g/",
    ["?y"] = "http://a/b/c/d;p?y", ["g?y"] = "http://a/b/c/g?y", ["#s"] = "http://a/b/c/d;p?q",
      ["g#s"] = "http://a/b/c/g",
    ["g?y#s"] = "http://a/b/c/g?y", [";x"] = "http://a/b/c/;x", ["g;x"] = "http://a/b/c/g;x",
      [""] = "http://a/b/c/d;p?q",
    ["."] = "http://a/b/c/", ["./"] = "http://a/b/c/", [".."] = "http://a/b/", ["../"] = "http://a/b/",
      ["../g"] = "http://a/b/g",
    ["../.."] = "http://a/", ["../../"] = "http://a/", ["../../g"] = "http://a/g",
      ["../../../g"] = "http://a/g", ["../../../../g"] = "http://a/g",
    ["/./g"] = "http://a/g", ["/../g"] = "http://a/g", ["g."] = "http://a/b/c/g.",
      [".g"] = "http://a/b/c/.g", ["g.."] = "http://a/b/c/g..",
    ["..g"] = "http://a/b/c/..g", ["./../g"] = "http://a/b/g", ["./g/."] = "http://a/b/c/g/",
      ["g/./h"] = "http://a/b/c/g/h",
    ["g/../h"] = "http://a/b/c/h", ["g;x=1/./y"] = "http://a/b/c/g;x=1/y",
      ["g?y/./x"] = "http://a/b/c/g?y/./x", ["g?y/../x"] = "http://a/b/c/g?y/../x",
    ["http://x.y/z"] = "http://x.y/z", ["HTTPS://X.Y"] = "https://x.y/", ["//x.y:80/"] = "http://x.y/" } do
    it(("reads %q as %s"):format(ref, want), function()
      assert.equal(want, core.url_resolve(base, ref))
    end)
  end

  it("starts from the root when the base is a bare origin", function()
    assert.equal("https://a.b/x", core.url_resolve("https://a.b", "x"))
    assert.equal("https://a.b/?x", core.url_resolve("https://a.b", "?x"))
    assert.equal("https://a.b/", core.url_resolve("https://a.b", ""))
    assert.equal("https://a.b/x", core.url_resolve("https://a.b?q", "x"))
  end)

  it("is as strict about the result as about any URL", function()
    assert.equal("SYNTAX", select(3, core.url_resolve(base, "//user@evil.com/")))
    assert.equal("SYNTAX", select(3, core.url_resolve(base, "/a b")))
    assert.equal("UNSUPPORTED", select(3, core.url_resolve(base, "javascript:alert(1)")))
    assert.equal("LIMIT", select(3, core.url_resolve(base, ("x"):rep(9000))))
  end)
end)
